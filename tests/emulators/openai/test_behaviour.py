"""The ways that the service takes at one time or another, chosen by options."""

import asyncio
from itertools import pairwise

import pytest

from crossfade.emulators.backends import Call, Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.openai import Behaviour, Timing
from tests.clock import run
from tests.emulators.openai.wire_client import (
    ANSWER_END,
    GET_WEATHER,
    UTTERANCE,
    quiet,
    session,
    tone,
)

DONES = ANSWER_END[:-1]
LONG = "This is a long answer that goes on for quite some time, word after word after word."


def test_the_dones_of_several_messages_may_come_together_at_the_end() -> None:
    async def main() -> None:
        call = (Call(name="get_weather", arguments="{}"),)
        turn = Turn(on=None, say=("One.", "Two."), call=call)
        async with session(turn, behaviour=Behaviour(batched_dones=True)) as client:
            await client.update(tools=[GET_WEATHER])
            await client.send("response.create")
            done = (await client.until("response.done"))["response"]
            assert [item["status"] for item in done["output"]] == ["completed"] * 3
            order = client.order(after="response.created")
            assert order[-1 - len(DONES) * 2 - 3 :] == [
                *DONES,
                *DONES,
                "response.function_call_arguments.done",
                "conversation.item.done",
                "response.output_item.done",
                "response.done",
            ]
            assert "response.output_item.done" not in order[: -1 - len(DONES) * 2 - 3]

    run(main())


def test_dones_that_were_held_back_come_when_the_response_is_cut() -> None:
    async def main() -> None:
        turn = Turn(on=None, say=("One.", LONG))
        async with session(turn, behaviour=Behaviour(batched_dones=True)) as client:
            await client.send("response.create")
            while len(client.of("response.output_item.added")) < 2:
                await client.receive()
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            done = (await client.until("response.done"))["response"]
            assert [item["status"] for item in done["output"]] == ["completed", "incomplete"]
            order = client.order(after="response.created")
            assert order[-1 - len(DONES) * 2 :] == [*DONES, *DONES, "response.done"]

    run(main())


@pytest.mark.parametrize(
    ("when", "places"),
    [
        ("after_created", ["response.created"]),
        ("after_done", ["response.done"]),
        ("never", []),
    ],
)
def test_rate_limits_come_early_late_or_never(when: str, places: list[str]) -> None:
    async def main() -> None:
        async with session(behaviour=Behaviour(rate_limits=when)) as client:  # type: ignore[arg-type]
            await client.send("response.create")
            await client.until("response.done")
            await asyncio.sleep(1)
            await client.send("response.cancel")
            await client.error()
            types = [event["type"] for event in client.events]
            before = [types[n - 1] for n, type in enumerate(types) if type == "rate_limits.updated"]
            assert before == places
            for event in client.of("rate_limits.updated"):
                (limit,) = event["rate_limits"]
                assert limit["name"] == "tokens"
                assert 0 < limit["remaining"] < limit["limit"]
                assert limit["reset_seconds"] >= 0

    run(main())


@pytest.mark.parametrize("early", [False, True])
def test_transcripts_may_come_before_the_response(early: bool) -> None:
    async def main() -> None:
        turn = Turn(on=Trigger.SPEECH, hear="good morning", say=("Hello there.",))
        async with session(turn, behaviour=Behaviour(early_transcripts=early)) as client:
            await client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
            await client.stream(UTTERANCE)
            await client.until("response.done")
            types = [event["type"] for event in client.events]
            completed = types.index("conversation.item.input_audio_transcription.completed")
            assert (completed < types.index("response.created")) is early

    run(main())


@pytest.mark.parametrize(
    ("eagerness", "wait", "silence_ms"),
    [
        ("high", "usual", 400),
        ("auto", "usual", 800),
        ("low", "usual", 1600),
        ("high", "longest", 2000),
        ("medium", "longest", 4000),
        ("low", "longest", 8000),
    ],
)
def test_semantic_detection_waits_by_eagerness_and_no_longer_than_documented(
    eagerness: str, wait: str, silence_ms: int
) -> None:
    async def main() -> None:
        async with session(behaviour=Behaviour(semantic_wait=wait)) as client:  # type: ignore[arg-type]
            detection = {"type": "semantic_vad", "eagerness": eagerness}
            await client.update(audio={"input": {"turn_detection": detection}})
            await client.append(tone(600) + quiet(silence_ms + 200))
            stopped = await client.until("input_audio_buffer.speech_stopped")
            assert stopped["audio_end_ms"] == pytest.approx(600 + silence_ms, abs=64)
            await client.until("response.done")

    run(main())


def test_speech_may_come_in_bursts() -> None:
    async def main() -> None:
        timing = Timing(chunk_ms=100, burst_ms=1000, speed=2)
        async with session(Turn(on=None, say=(LONG,)), timing=timing) as client:
            await client.send("response.create")
            await client.until("response.done")
            pairs = zip(client.events, client.times_s, strict=True)
            times = [at for event, at in pairs if event["type"] == "response.output_audio.delta"]
            gaps = [round((b - a) * 1000) for a, b in pairwise(times)]
            assert gaps[:20] == ([0] * 9 + [500]) * 2

    run(main())


def test_a_cut_in_a_message_of_which_more_is_coming_holds() -> None:
    async def main() -> None:
        async with session(Turn(on=None, say=(LONG,))) as client:
            await client.send("response.create")
            item = (await client.until("response.output_audio.delta"))["item_id"]
            await client.send(
                "conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=0
            )
            await client.until("conversation.item.truncated")
            await client.until("response.done")
            await client.send("conversation.item.retrieve", item_id=item)
            shown = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
            assert "audio" not in shown

    run(main())
