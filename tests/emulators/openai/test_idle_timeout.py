"""What happens when the user stays silent."""

import asyncio

import pytest

from crossfade.emulators.backends import Trigger
from crossfade.emulators.backends.scenario import Turn
from tests.clock import run
from tests.emulators.openai.wire_client import (
    ANSWER_START,
    BYTES_PER_MS,
    WireClient,
    quiet,
    session,
    tone,
)

TURNS = (
    Turn(on=Trigger.TEXT, say=("Hello there.",)),
    Turn(on=Trigger.REQUEST, say=("Are you still there?",)),
)


async def ask(client: WireClient, idle_timeout_ms: int | None = 6000) -> None:
    detection = {"type": "server_vad", "idle_timeout_ms": idle_timeout_ms}
    await client.update(audio={"input": {"turn_detection": detection}})
    await client.say("Hi")
    await client.send("response.create")
    await client.until("response.done")


def test_silence_after_an_answer_has_played_is_committed_and_answered() -> None:
    async def main() -> None:
        async with session(*TURNS) as client:
            await ask(client)
            done_s = client.times_s[-1]
            played_ms = (
                len(client.sound(client.of("response.done")[0]["response"]["output"][0]["id"]))
                / BYTES_PER_MS
            )
            streaming = asyncio.create_task(client.stream(quiet(12_000)))
            timeout = await client.until("input_audio_buffer.timeout_triggered")
            waited_ms = (client.times_s[-1] - done_s) * 1000
            assert waited_ms == pytest.approx(played_ms + 6000, abs=50)
            assert timeout["audio_end_ms"] - timeout["audio_start_ms"] == 6000
            answer = (await client.until("response.done"))["response"]
            assert answer["output"][0]["content"][0]["transcript"] == "Are you still there?"
            order = client.order(after="rate_limits.updated")
            assert order[: 4 + len(ANSWER_START)] == [
                "input_audio_buffer.timeout_triggered",
                "input_audio_buffer.committed",
                "conversation.item.added",
                "conversation.item.done",
                *ANSWER_START,
            ]
            committed = client.of("input_audio_buffer.committed")[0]
            assert committed["item_id"] == timeout["item_id"]
            streaming.cancel()

    run(main())


@pytest.mark.parametrize("idle_timeout_ms", [None, 30_000])
def test_a_user_who_speaks_or_is_given_time_is_not_prompted(idle_timeout_ms: int | None) -> None:
    async def main() -> None:
        async with session(*TURNS) as client:
            await ask(client, idle_timeout_ms)
            await client.stream(quiet(5000) + tone(20_000) + quiet(5000))
            await client.send("response.cancel")
            await client.until("response.done")
            assert not client.of("input_audio_buffer.timeout_triggered")

    run(main())


def test_a_session_that_ends_leaves_no_timer() -> None:
    async def main() -> None:
        async with session(*TURNS) as client:
            await ask(client)
        await asyncio.sleep(60)

    run(main())


def test_nobody_is_prompted_while_a_response_runs() -> None:
    async def main() -> None:
        turns = (Turn(on=None, say=("Hi.",)), Turn(on=None, think_ms=20_000, say=("So.",)))
        async with session(*turns) as client:
            await ask(client)
            await client.send("response.create")
            await client.until("response.done")
            assert not client.of("input_audio_buffer.timeout_triggered")

    run(main())
