"""Somebody else writes the ledger, from what the session tells and a moment later; takeovers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.turns import UserTurn
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, RefuseHandshake, Reset
from crossfade.errors import ConnectionLost
from crossfade.providers import Continuity, SessionConfig, TurnDetection
from crossfade.providers.continuity.own_ledger import OwnLedger
from crossfade.providers.events import (
    AudioChunk,
    AudioLost,
    LineLost,
    ResponseStatus,
    SessionContinued,
    UserTurnCommitted,
)
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    LONG,
    OPENAI,
    Caller,
    answered,
    audio_of,
    calling,
    emulator_of,
    speech,
)

WIRES = (OPENAI, GEMINI)


class LateWriter:
    """Files what a caller heard, some turns of the loop after it was told."""

    def __init__(self, caller: Caller, conversation: Conversation) -> None:
        self._caller = caller
        self._ledger = OwnLedger(conversation)

    async def write(self) -> None:
        filed = 0
        while True:
            await asyncio.sleep(0.005)
            for event in self._caller.events[filed:]:
                if isinstance(event, AudioChunk):
                    self._ledger.speech(event, len(event.pcm) / 48)
                else:
                    self._ledger.told(event, asyncio.get_running_loop().time())
            filed = len(self._caller.events)


@asynccontextmanager
async def written(spec: str, emulator: Any, **options: Any) -> AsyncIterator[Caller]:
    conversation = Conversation()
    async with calling(spec, emulator, conversation=conversation, **options) as caller:
        writing = asyncio.create_task(LateWriter(caller, conversation).write())
        try:
            yield caller
        finally:
            writing.cancel()
            await asyncio.wait([writing])


@pytest.mark.parametrize("spec", WIRES)
def test_the_rest_of_a_cut_answer_is_given_once(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=[Reset(at=State.SPEAKING, after_ms=400)])
        async with emulator, written(spec, emulator) as caller:
            await caller.say()
            await caller.until_answered()
            await asyncio.sleep(0.1)
            assert caller.ends(ResponseStatus.CUT) == 1
            assert caller.agent_said == LONG

    run(main())


def test_also_where_the_deadline_cuts_it() -> None:
    async def main() -> None:
        emulator = emulator_of(OPENAI, session_seconds=20.0, speed=0.8)
        settings = Continuity(rotate_before_s=15, force_before_s=5)
        async with emulator, written(OPENAI, emulator, continuity=settings) as caller:
            caller.session.playing = True
            await caller.send(bytes(2 * caller.session.input_rate_hz * 11))
            await caller.say()
            await caller.until_answered()
            await asyncio.sleep(0.1)
            assert caller.ends(ResponseStatus.CUT) == 1
            assert caller.agent_said == LONG

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_another_process_goes_on_with_the_conversation_and_the_turn(spec: str) -> None:
    async def main() -> None:
        conversation = Conversation()
        conversation.user_text("My boat is called Petrel.", 0.0)
        emulator = emulator_of(spec)
        rate_hz = 24_000 if spec == OPENAI else 16_000
        begun = speech(500, rate_hz)
        options: dict[str, Any] = {"conversation": conversation, "unfinished": begun}
        async with emulator, calling(spec, emulator, **options) as caller:
            assert caller.session.conversation is conversation
            assert caller.session.unfinished_audio() == begun
            loud = begun + await caller.say(500)
            await caller.until_answered()
            (audio,) = audio_of(emulator)
            assert audio.pcm.count(loud) == 1
            assert len(caller.of(UserTurnCommitted)) == 1
            sent = str([entry.body for entry in emulator.sessions[0].line.received])
            assert "Petrel" in sent
            assert caller.session.unfinished_audio() == b""

    run(main())


@pytest.mark.parametrize("spec", WIRES)
@pytest.mark.parametrize("after_ms", [300, 900])
def test_turns_that_the_caller_marks_go_along(spec: str, after_ms: float) -> None:
    async def main() -> None:
        faults = [Reset(after_ms=after_ms)]
        emulator = emulator_of(spec, faults=faults, think_ms=600)
        config = SessionConfig(turn_detection=TurnDetection.CALLER)
        async with emulator, calling(spec, emulator, config) as caller:
            await caller.send(bytes(2 * caller.session.input_rate_hz // 10))
            await caller.session.start_turn()
            loud = speech(600, caller.session.input_rate_hz)
            await caller.send(loud)
            await caller.session.end_turn()
            await caller.until_answered()
            assert caller.words.strip() == LONG
            assert answered(emulator, loud) == 1
            assert len(caller.of(UserTurnCommitted)) == 1
            assert len(caller.of(LineLost)) == 1

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_turns_that_the_caller_marks_keep_their_places_however_late_they_are_named(
    spec: str,
) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(after_ms=2900)]
        faults += [RefuseHandshake(session=number) for number in range(2, 7)]
        emulator = emulator_of(spec, faults=faults)
        config = SessionConfig(turn_detection=TurnDetection.CALLER)
        conversation = Conversation()
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"continuity": Continuity(first_delay_s=2.0)}
        async with (
            emulator,
            calling(spec, emulator, config, conversation=conversation, **options) as caller,
        ):
            rate_hz = caller.session.input_rate_hz

            async def say(number: int) -> None:
                conversation.user_started(None, loop.time(), turn_id=f"t{number}")
                await caller.session.start_turn(f"t{number}")
                await caller.send(speech(600, rate_hz, seed=number))
                await caller.session.end_turn()
                conversation.user_stopped(loop.time())

            await caller.send(bytes(2 * rate_hz * 2500 // 1000))
            await say(1)
            await caller.send(bytes(2 * rate_hz * 3))
            await say(2)
            await caller.until(SessionContinued)
            await caller.until_answered(1)
            committed = caller.of(UserTurnCommitted)
            assert [event.turn_id for event in committed] == ["t1", "t2"][: len(committed)]
            for event in committed:
                conversation.user_committed(event.item_id, turn_id=event.turn_id)
            turns = [entry for entry in conversation.entries if isinstance(entry, UserTurn)]
            assert [turn.item_id for turn in turns][: len(committed)] == [
                event.item_id for event in committed
            ]

    run(main())


def test_what_cannot_be_kept_is_counted_and_told() -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(after_ms=1000)]
        faults += [RefuseHandshake(session=number) for number in range(2, 14)]
        emulator = emulator_of(OPENAI, faults=faults)
        settings = Continuity(keep_s=5.0, attempts=40)
        async with emulator, calling(OPENAI, emulator, continuity=settings) as caller:
            while not caller.of(SessionContinued):
                await caller.send(bytes(4800))
            (continued,) = caller.of(SessionContinued)
            assert continued.replayed_ms <= 5000
            lost_ms = sum(event.lost_ms for event in caller.of(AudioLost))
            # Besides what was kept for the case that somebody spoke.
            assert lost_ms == pytest.approx(continued.gap_ms - 5000, abs=2100)
            assert caller.session.statistics().dropped_audio_ms == pytest.approx(lost_ms)

    run(main())


def test_more_than_a_line_takes_is_not_held() -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(after_ms=100)]
        faults += [RefuseHandshake(session=number) for number in range(2, 9)]
        emulator = emulator_of(OPENAI, faults=faults)
        async with emulator, calling(OPENAI, emulator) as caller:
            await asyncio.sleep(0.101)
            for number in range(4096):
                await caller.session.send_text(f"Text {number}", respond=False)
            with pytest.raises(ConnectionLost, match="wait for the next one"):
                await caller.session.send_text("One too many", respond=False)
            conversation = caller.session.conversation
            assert conversation is not None
            said = [item for item in conversation.history() if isinstance(item, Utterance)]
            assert all(item.speaker is Speaker.USER for item in said)
            assert len(said) == 4096

    run(main())
