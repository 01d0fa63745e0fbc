"""The words of an answered turn come late, and the line dies before them."""

import asyncio
import base64
from typing import Any

import pytest

from crossfade.conversation.history import Notice, Recording, Speaker, Utterance
from crossfade.conversation.seed import seed
from crossfade.conversation.turns import UserTurn
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Reset
from crossfade.providers import SessionConfig
from crossfade.providers.connection import Connection
from crossfade.providers.continuity.recordings import Recordings
from crossfade.providers.events import (
    LineLost,
    ResponseStatus,
    SessionContinued,
    UserTranscript,
    UserTurnCommitted,
)
from tests.clock import run
from tests.providers.continuity.calls import GEMINI, LONG, OPENAI, calling, emulator_of

LATE_MS = 4000


def seeds_of(patch: pytest.MonkeyPatch) -> list[list[Any]]:
    """What each new session is told."""
    told: list[list[Any]] = []
    seed = Connection.seed

    def note(connection: Connection, history: Any) -> None:
        told.append(list(history))
        seed(connection, history)

    patch.setattr(Connection, "seed", note)
    return told


@pytest.mark.parametrize("spec", [OPENAI, GEMINI])
def test_the_next_session_hears_what_was_said(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = seeds_of(monkeypatch)

    async def main() -> None:
        fault = Reset(at=State.SPEAKING, after_ms=300)
        emulator = emulator_of(spec, faults=[fault], transcript_delay_ms=LATE_MS)
        async with emulator, calling(spec, emulator) as caller:
            loud = await caller.say()
            await caller.until(SessionContinued)
            await caller.until_answered()
            recording, partial, _ = seeds[0]
            assert isinstance(recording, Recording)
            assert loud in recording.audio
            assert LONG.startswith(partial.text)
            assert caller.agent_said == LONG
            sent = " ".join(str(each.body) for each in emulator.sessions[-1].line.received)
            assert ("input_audio_buffer.commit" if spec == OPENAI else "inlineData") in sent

    run(main())


@pytest.mark.parametrize("faults", [1, 2])
def test_the_words_come_from_the_session_that_serves_then(faults: int) -> None:
    async def main() -> None:
        deadly = [Reset(session=1, at=State.SPEAKING, after_ms=300)]
        deadly += [Reset(session=2, at=State.SPEAKING, after_ms=100)] * (faults - 1)
        emulator = emulator_of(OPENAI, faults=deadly, transcript_delay_ms=LATE_MS)
        async with emulator, calling(OPENAI, emulator) as caller:
            await caller.say()
            await caller.until(SessionContinued, faults)
            await caller.until_answered()
            await caller.until(UserTranscript)
            await asyncio.sleep(LATE_MS / 1000)
            assert caller.session.conversation is not None
            first, *others = caller.session.conversation.entries
            assert isinstance(first, UserTurn)
            assert (first.text, first.final) == ("first question", True)
            assert not any(isinstance(entry, UserTurn) for entry in others)
            assert len(caller.of(UserTurnCommitted)) == 1
            assert caller.agent_said == LONG
            assert caller.ends(ResponseStatus.COMPLETED) == 1
            await caller.say()
            await caller.until_answered(2)
            assert caller.agent_said == f"{LONG} The second answer."

    run(main())


def test_it_is_heard_again_until_words_come(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = seeds_of(monkeypatch)

    async def main() -> None:
        fault = Reset(at=State.SPEAKING, after_ms=300)
        emulator = emulator_of(OPENAI, faults=[fault], transcript_delay_ms=LATE_MS)
        async with emulator, calling(OPENAI, emulator) as caller:
            await caller.say()
            await caller.until_answered()
            caller.session.rotate()
            await caller.until(SessionContinued, 2)
            assert isinstance(seeds[1][0], Recording)
            await caller.say()
            await caller.until_answered(2)
            await caller.until(UserTranscript)
            await asyncio.sleep(LATE_MS / 1000)
            caller.session.rotate()
            await caller.until(SessionContinued, 3)
            assert not any(isinstance(item, Recording) for item in seeds[2])
            assert seeds[2][0] == Utterance(speaker=Speaker.USER, text="first question")

    run(main())


@pytest.mark.parametrize("transcribe", [True, False])
def test_what_is_told_or_never_will_be_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, transcribe: bool
) -> None:
    seeds = seeds_of(monkeypatch)

    async def main() -> None:
        fault = Reset(at=State.SPEAKING, after_ms=300)
        emulator = emulator_of(OPENAI, faults=[fault], transcript_delay_ms=100)
        config = SessionConfig(transcribe=transcribe)
        async with emulator, calling(OPENAI, emulator, config) as caller:
            await caller.say()
            await caller.until(LineLost)
            await caller.until_answered()
            assert not any(isinstance(item, Recording) for item in seeds[0])

    run(main())


def test_sessions_that_die_of_it_are_followed_by_one_that_is_told_in_words() -> None:
    recordings = Recordings(8)
    recordings.keep("item", b"1234")
    for _ in range(2):
        assert isinstance(recordings.items()["item"], Recording)
        recordings.given()
    again = recordings.items()["item"]
    assert isinstance(again, Notice)
    assert not isinstance(again, Recording)
    recordings.alive()
    assert isinstance(recordings.items()["item"], Recording)


def test_it_does_not_outstay_what_was_said_after_it() -> None:
    recording = Recording(text="lost", audio=b"1234")
    later = Utterance(speaker=Speaker.USER, text="Hello.")
    assert seed([recording, later], budget_tokens=1) == (later,)


def test_the_oldest_are_forgotten() -> None:
    recordings = Recordings(8)
    for name in "abc":
        recordings.keep(name, base64.b64encode(name.encode()))
    recordings.keep("long", bytes(9))
    assert list(recordings.items()) == ["b", "c"]
    recordings.told("b")
    recordings.keep("d", b"1234")
    assert list(recordings.items()) == ["c", "d"]
