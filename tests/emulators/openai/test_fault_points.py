"""Faults of this wire at every point: the emulator lives on, and its events stay in order."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.backends import Call, Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.faults import Fault, State
from crossfade.emulators.openai import Timing, faults
from crossfade.emulators.openai.faults import OWN_FAULTS
from tests.clock import run
from tests.emulators.openai.wire_client import (
    GET_WEATHER,
    UTTERANCE,
    WireClient,
    session,
)

TURNS = (
    Turn(
        on=Trigger.SPEECH,
        hear="weather",
        say=("Hello.", "One moment."),
        call=(Call(name="get_weather", arguments='{"city":"Tokyo"}'),),
    ),
    Turn(on=None, say=("Fine weather.",)),
)
# They tell an error, as a server error does.
ALIKE = (faults.RateLimit, faults.ErrorEvent)
own_faults = pytest.mark.parametrize("kind", OWN_FAULTS)


async def hold_call(client: WireClient) -> None:
    await client.update(
        tools=[GET_WEATHER], audio={"input": {"transcription": {"model": "whisper-1"}}}
    )
    await client.append(UTTERANCE)
    await rest(client)
    for event in client.of("response.output_item.done"):
        if event["item"]["type"] == "function_call":
            output = {"call_id": event["item"]["call_id"], "output": "18"}
            item = {"type": "function_call_output", **output}
            await client.send("conversation.item.create", item=item)
    await client.send("response.create")
    await rest(client)
    await client.append(UTTERANCE)
    await rest(client)


async def rest(client: WireClient) -> None:
    """Receive until nothing has come for a while."""
    while True:
        try:
            async with asyncio.timeout(8):
                event = orjson.loads(await client.connection.recv())
        except TimeoutError:
            return
        client.events.append(event)


def test_where_the_client_finds_the_turns_its_sound_is_a_user_who_speaks() -> None:
    """And asking about it is no other turn."""
    expires = faults.SessionExpired(turn=2, at=State.USER_SPEAKING)

    async def main() -> None:
        timing = Timing(think_ms=5, speed=100, chunk_ms=500, transcript_delay_ms=1)
        async with session(*TURNS[1:], faults=[expires], timing=timing) as client:
            await client.update(audio={"input": {"turn_detection": None}})
            await client.append(UTTERANCE)
            await client.send("input_audio_buffer.commit")
            await client.send("response.create")
            await rest(client)
            assert client.of("response.done")
            await client.append(UTTERANCE)
            with pytest.raises(ConnectionClosed):
                await rest(client)

    run(main())


async def called_with(fault: Fault) -> Sequence[dict[str, Any]]:
    """The events of a call; leaving it raises what went wrong in the emulator."""
    timing = Timing(think_ms=5, speed=100, chunk_ms=500, transcript_delay_ms=1)
    async with session(*TURNS, faults=[fault], timing=timing) as client:
        try:
            await hold_call(client)
        except ConnectionClosed:
            assert isinstance(fault, faults.SessionExpired)
        return client.events


def check_responses(events: Sequence[dict[str, Any]], fault: Fault) -> None:
    done: set[str] = set()
    for event in events:
        id = event.get("response_id") or event.get("response", {}).get("id")
        assert id not in done or isinstance(fault, faults.TrailingDeltas), event["type"]
        if event["type"] == "response.done":
            done.add(id)
    begun = {event["response"]["id"] for event in events if event["type"] == "response.created"}
    assert begun <= done or isinstance(fault, faults.SessionExpired)


@pytest.mark.parametrize("kind", [kind for kind in OWN_FAULTS if not (kind.marks or kind in ALIKE)])
def test_behind_any_message(kind: type[Fault]) -> None:
    async def main() -> None:
        for after_messages in range(1, 31):
            fault = kind(after_messages=after_messages)
            check_responses(await called_with(fault), fault)

    run(main())


@own_faults
@pytest.mark.parametrize("at", State)
def test_in_any_state(kind: type[Fault], at: State) -> None:
    async def main() -> None:
        fault = kind(at=at)
        check_responses(await called_with(fault), fault)

    run(main())


def test_a_response_that_is_to_fail_in_thought_fails() -> None:
    async def main() -> None:
        async with session(faults=[faults.FailedResponse(at=State.THINKING)]) as client:
            await client.send("response.create")
            assert (await client.until("response.done"))["response"]["status"] == "failed"

    run(main())


def test_a_session_is_idle_from_its_start() -> None:
    async def main() -> None:
        async with session(faults=[faults.ServerError(at=State.IDLE)]) as client:
            assert (await client.error())["type"] == "server_error"

    run(main())
