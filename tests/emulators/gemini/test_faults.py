"""What goes wrong on this wire alone, by script."""

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.backends import Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.faults import Close, Drop, Fault, State, Trail, parse_faults
from crossfade.emulators.gemini import OWN_FAULTS
from crossfade.emulators.gemini.faults import (
    CallCancellation,
    EmptyTranscription,
    FailedTranscription,
    LateInterruption,
    LateTranscription,
    RejectTurn,
)
from crossfade.errors import SettingsError
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    GET_WEATHER,
    LONG,
    TOKYO,
    UTTERANCE,
    session,
)

SPOKEN = Turn(on=Trigger.SPEECH, hear="good morning", say=("Hello there.",))


@pytest.mark.parametrize(
    ("fault", "texts", "trails"),
    [
        (EmptyTranscription(), [""], False),
        (FailedTranscription(), [], False),
        (LateTranscription(ms=9000), [" good", " morning"], True),
    ],
)
def test_a_transcript_is_empty_or_late_or_does_not_come(
    fault: Fault, texts: list[str], trails: bool
) -> None:
    async def main() -> None:
        async with session(SPOKEN, SPOKEN, faults=[fault], inputAudioTranscription={}) as client:
            await client.stream(UTTERANCE)
            await client.rest(15)
            heard = client.of("inputTranscription")
            assert [each["text"] for each in heard] == texts
            order = client.order()
            assert (order[-1] == "inputTranscription") is trails
            await client.stream(UTTERANCE)
            await client.rest(15)
            # It strikes once.
            heard = client.of("inputTranscription")[len(texts) :]
            assert [each["text"] for each in heard] == [" good", " morning"]

    run(main())


def test_calls_are_taken_back_although_nobody_interrupted() -> None:
    async def main() -> None:
        ask = Turn(on=Trigger.TEXT, call=(TOKYO,))
        fault = CallCancellation(at=State.TOOL_PENDING, after_ms=500)
        tools = [{"functionDeclarations": [GET_WEATHER]}]
        async with session(ask, faults=[fault], tools=tools) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            await client.until("turnComplete")
            assert client.of("toolCallCancellation") == [{"ids": [call["id"]]}]
            await client.respond(call["id"], {})
            await client.say("Never mind.")
            await client.until("turnComplete")

    run(main())


def test_an_interruption_may_come_behind_the_end_of_the_turn() -> None:
    async def main() -> None:
        async with session(faults=[LateInterruption()]) as client:
            await client.say("Hi")
            await client.until("interrupted")
            order = client.order("usageMetadata")
            assert order[-2:] == ["turnComplete", "interrupted"]

    run(main())


def test_a_turn_may_be_rejected_with_a_reason() -> None:
    async def main() -> None:
        async with session(faults=[RejectTurn(reason="MALFORMED_FUNCTION_CALL")]) as client:
            await client.say("Hi")
            content = (await client.until("turnComplete"))["serverContent"]
            assert content["turnCompleteReason"] == "MALFORMED_FUNCTION_CALL"
            assert client.order("usageMetadata", "turnCompleteReason") == ["turnComplete"]
            await client.say("Hi")
            assert (await client.until("turnComplete"))["serverContent"] == {"turnComplete": True}

    run(main())


@pytest.mark.parametrize(
    ("state", "turn", "last"),
    [
        (State.USER_SPEAKING, 1, ""),
        (State.THINKING, 1, ""),
        (State.SPEAKING, 1, "modelTurn"),
        (State.THINKING, 2, "usageMetadata"),
        (State.TOOL_PENDING, 2, "toolCall"),
        (State.SPEAKING, 2, "modelTurn"),
        (State.IDLE, 1, "usageMetadata"),
    ],
)
def test_faults_strike_at_every_state(state: State, turn: int | None, last: str) -> None:
    async def main() -> None:
        fault = Close(code=1011, at=state, turn=turn, after_ms=50)
        answers = (
            SPOKEN,
            Turn(on=Trigger.TEXT, call=(TOKYO,)),
            Turn(on=Trigger.TOOL_RESULTS, say=("Fine.",)),
        )
        tools = [{"functionDeclarations": [GET_WEATHER]}]
        async with session(*answers, faults=[fault], tools=tools) as client:
            with contextlib.suppress(ConnectionClosed):
                await client.stream(UTTERANCE)
                await client.until("turnComplete")
                await client.rest(0.01)
                await client.say("Weather?")
                (call,) = await client.calls()
                await client.rest(0.1)
                await client.respond(call["id"], {})
                await client.until("turnComplete")
            assert await client.closed() == (1011, "")
            assert client.order("thought")[-1:] == ([last] if last else [])
            called = turn == 2 and state is not State.THINKING
            assert bool(client.of("toolCall")) is called

    run(main())


def test_faults_of_every_wire_know_the_messages_of_this_one() -> None:
    async def main() -> None:
        faults: Sequence[Fault] = [
            Drop(type="serverContent.generationComplete"),
            Trail(type="serverContent.modelTurn", after="serverContent.turnComplete", count=2),
        ]
        async with session(faults=faults) as client:
            await client.say("Hi")
            await client.rest(20)
            assert client.of("generationComplete") == []
            assert client.order()[-1] == "modelTurn"

    run(main())


def test_faults_are_read_from_yaml() -> None:
    faults = parse_faults(
        """
        faults:
          - fault: go_away
            time_left_ms: 5000
            then: silence
          - fault: service_close
            name: quota
            at: speaking
          - fault: refuse_resume
            session: 2
            code: 1008
        """,
        OWN_FAULTS,
    )
    assert [type(fault).__name__ for fault in faults] == ["GoAway", "ServiceClose", "RefuseResume"]
    with pytest.raises(SettingsError, match="one of invalid_key"):
        parse_faults("faults: [{fault: service_close, name: nonsense}]", OWN_FAULTS)


def test_the_same_script_gives_the_same_bytes() -> None:
    faults: list[Fault] = [LateTranscription(ms=700), LateInterruption(turn=1)]

    async def main() -> list[object]:
        setup: dict[str, Any] = {"sessionResumption": {}, "inputAudioTranscription": {}}
        async with session(LONG, SPOKEN, faults=faults, **setup) as client:
            await client.say("Hi")
            await client.until("turnComplete")
            await client.stream(UTTERANCE)
            await client.rest(10)
            return [*client.messages, *client.times_s]

    assert run(main()) == run(main())
