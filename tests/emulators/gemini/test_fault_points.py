"""Faults of this wire at every point: the emulator lives on, and a turn ends."""

import asyncio
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.backends import Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.faults import Close, Fault, State
from crossfade.emulators.gemini import OWN_FAULTS, Timing
from crossfade.emulators.gemini.faults import Expire, GoAway, ServerError, ServiceClose
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    GET_WEATHER,
    TOKYO,
    UTTERANCE,
    WireClient,
    session,
)

TURNS = (
    Turn(on=Trigger.SPEECH, hear="weather", say=("One moment.",), call=(TOKYO,)),
    Turn(on=None, say=("Fine weather indeed, as far as one can see.",)),
)
ENDING = (GoAway, Expire, ServiceClose, ServerError)
own_faults = pytest.mark.parametrize("kind", OWN_FAULTS)


def made(kind: type[Fault], **when: Any) -> Fault:
    fields: dict[str, Any] = {"name": "unavailable"} if "name" in kind.model_fields else {}
    return kind(**fields, **when)


async def hold_call(client: WireClient) -> None:
    await client.append(UTTERANCE)
    await client.rest(5)
    calls = [call for each in client.of("toolCall") for call in each["functionCalls"]]
    for call in calls:
        await client.respond(call["id"], {"degrees": 18})
    await client.rest(5)
    await client.append(UTTERANCE)
    await client.rest(5)


async def called_with(fault: Fault) -> None:
    """Leaving the session raises what went wrong in the emulator."""
    timing = Timing(think_ms=5, speed=100, chunk_ms=200, transcript_delay_ms=1)
    tools = [{"functionDeclarations": [GET_WEATHER]}]
    extra: dict[str, Any] = {"inputAudioTranscription": {}, "tools": tools}
    async with session(*TURNS, faults=[fault], timing=timing, **extra) as client:
        try:
            await hold_call(client)
        except ConnectionClosed:
            assert isinstance(fault, ENDING)
            return
        assert client.of("turnComplete")


@pytest.mark.parametrize("kind", [kind for kind in OWN_FAULTS if not kind.marks])
def test_behind_any_message(kind: type[Fault]) -> None:
    async def main() -> None:
        for after_messages in range(1, 31):
            await called_with(made(kind, after_messages=after_messages))

    run(main())


@own_faults
@pytest.mark.parametrize("at", State)
def test_in_any_state(kind: type[Fault], at: State) -> None:
    run(called_with(made(kind, at=at)))


def test_a_session_is_idle_once_it_is_set_up() -> None:
    async def main() -> None:
        async with session(faults=[Close(at=State.IDLE, code=1011)]) as client:
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(client.socket.recv(), 5)
            assert client.socket.close_code == 1011

    run(main())
