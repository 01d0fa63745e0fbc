"""A session moves to another connection before its provider ends the first."""

import asyncio
import time

import pytest

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Reset
from crossfade.emulators.gemini.faults import GoAway, RefuseResume
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.openai.behaviour import Behaviour
from crossfade.emulators.turn_detection import energy_scorer
from crossfade.providers import Continuity, SessionConfig, TurnDetection
from crossfade.providers.config import Eagerness
from crossfade.providers.connection import Connection
from crossfade.providers.continuity import line
from crossfade.providers.events import (
    Handover,
    LineLost,
    ResponseDone,
    ResponseStatus,
    SessionContinued,
    SpeechStarted,
    UserTurnCommitted,
)
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    LONG,
    OPENAI,
    SCENARIO,
    answered,
    calling,
    emulator_of,
    speech,
)

WIRES = (OPENAI, GEMINI)


@pytest.mark.parametrize("spec", WIRES)
def test_at_the_next_quiet_moment(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec)
        async with emulator, calling(spec, emulator) as caller:
            await caller.say()
            caller.session.rotate()
            await caller.until_answered()
            assert not caller.of(SessionContinued), "not while it answers"
            await caller.send(bytes(2 * caller.session.input_rate_hz))
            continued = await caller.until(SessionContinued)
            assert continued.why is Handover.ROTATION
            assert continued.resumed is (spec == GEMINI)
            assert (continued.gap_ms == 0) or spec == GEMINI
            loud = await caller.say()
            await caller.until_answered(2)
            assert answered(emulator, loud) == 1
            assert len(caller.of(UserTurnCommitted)) == 2
            assert not caller.of(LineLost)
            assert caller.session.statistics().rotations == 1
            assert caller.words.strip().endswith("The second answer.")

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_not_while_something_plays_or_somebody_seems_to_speak(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec)
        async with emulator, calling(spec, emulator) as caller:
            caller.session.playing = True
            caller.session.rotate()
            await asyncio.sleep(2)
            caller.session.user_speaking(True)
            caller.session.playing = False
            await asyncio.sleep(2)
            assert not caller.of(SessionContinued)
            caller.session.user_speaking(False)
            await caller.send(bytes(2 * caller.session.input_rate_hz * 20))
            await caller.until(SessionContinued)

    run(main())


def test_while_a_word_begins_that_the_ear_has_not_heard_yet() -> None:
    async def main() -> None:
        # OpenAI hears it at once, and is not left then.
        emulator = emulator_of(GEMINI)
        async with emulator, calling(GEMINI, emulator) as caller:
            session = caller.session
            second = bytes(2 * session.input_rate_hz)
            await caller.say()
            await caller.until_answered()
            session.playing = True
            session.rotate()
            await caller.send(second)
            session.playing = False
            # The moment is quiet 0.3 s later.
            await caller.send(second[: len(second) // 5])
            loud = speech(800, session.input_rate_hz, seed=9)
            onset = len(loud) // 4
            await caller.send(loud[:onset])
            continued = await caller.until(SessionContinued, timeout_s=0.1)
            assert 300 <= continued.replayed_ms <= 700
            session.user_speaking(True)
            await caller.send(loud[onset:])
            session.user_speaking(False)
            await caller.send(second)
            await caller.until_answered(2)
            assert answered(emulator, loud) == 1

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_in_the_middle_of_a_turn_if_there_is_no_more_time(spec: str) -> None:
    async def main() -> None:
        if spec == OPENAI:
            emulator = emulator_of(spec, session_seconds=30.0)
        else:
            emulator = emulator_of(spec, connection_seconds=30.0, go_away_ms=15_000)
        settings = Continuity(rotate_before_s=15, force_before_s=5)
        async with emulator, calling(spec, emulator, continuity=settings) as caller:
            await caller.send(bytes(2 * caller.session.input_rate_hz * 10))
            loud = await caller.say(17_000)
            await caller.until_answered()
            assert answered(emulator, loud) == 1
            assert len(caller.of(UserTurnCommitted)) == 1
            assert len(caller.of(SpeechStarted)) <= 1
            continued = caller.of(SessionContinued)
            assert [one.why for one in continued] == [Handover.ROTATION]
            assert continued[0].gap_ms == 0
            assert not caller.of(LineLost)

    run(main())


def test_an_answer_that_is_cut_by_the_deadline_is_gone_on_with() -> None:
    async def main() -> None:
        emulator = emulator_of(OPENAI, session_seconds=20.0, speed=0.8)
        settings = Continuity(rotate_before_s=15, force_before_s=5)
        async with emulator, calling(OPENAI, emulator, continuity=settings) as caller:
            caller.session.playing = True
            await caller.send(bytes(2 * caller.session.input_rate_hz * 11))
            await caller.say()
            await caller.until_answered()
            assert caller.ends(ResponseStatus.CUT) == 1
            assert [one.why for one in caller.of(SessionContinued)] == [Handover.ROTATION]
            assert caller.agent_said == LONG

    run(main())


def test_a_session_that_is_told_to_go_is_left_in_time() -> None:
    async def main() -> None:
        emulator = emulator_of(GEMINI, faults=[GoAway(after_ms=3000, time_left_ms=20_000)])
        async with emulator, calling(GEMINI, emulator) as caller:
            await caller.send(bytes(2 * caller.session.input_rate_hz * 5))
            await caller.until(SessionContinued)
            loud = await caller.say()
            await caller.until_answered()
            assert answered(emulator, loud) == 1
            assert not caller.of(LineLost)

    run(main())


def test_a_handle_that_is_refused_costs_nothing() -> None:
    async def main() -> None:
        emulator = emulator_of(GEMINI, faults=[RefuseResume(session=2)])
        async with emulator, calling(GEMINI, emulator) as caller:
            await caller.say()
            await caller.until_answered()
            caller.session.rotate()
            await caller.send(bytes(2 * caller.session.input_rate_hz))
            continued = await caller.until(SessionContinued)
            assert not continued.resumed
            loud = await caller.say()
            await caller.until_answered(2)
            assert answered(emulator, loud) == 1
            assert caller.words.strip().endswith("The second answer.")

    run(main())


def test_a_line_that_dies_while_the_next_one_waits_is_followed_by_it() -> None:
    async def main() -> None:
        emulator = emulator_of(OPENAI, faults=[Reset(at=State.USER_SPEAKING, after_ms=500)])
        async with emulator, calling(OPENAI, emulator) as caller:
            caller.session.playing = True
            caller.session.rotate()
            await caller.send(bytes(2 * caller.session.input_rate_hz))
            loud = await caller.say(1200)
            await caller.until_answered()
            continued = caller.of(SessionContinued)
            assert [one.why for one in continued] == [Handover.RECONNECT]
            assert answered(emulator, loud) == 1
            assert len(emulator.sessions) == 2

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_every_few_seconds_of_a_long_call(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, repeat=True)
        settings = Continuity(rotate_after_s=5.0)
        async with emulator, calling(spec, emulator, continuity=settings) as caller:
            said = []
            for turn in range(1, 7):
                said.append(await caller.say())
                await caller.until_answered(turn)
                await caller.send(bytes(2 * caller.session.input_rate_hz))
            assert [answered(emulator, loud) for loud in said] == [1] * 6
            assert len(caller.of(UserTurnCommitted)) == 6
            assert caller.session.statistics().rotations >= 3
            assert all(done.status is ResponseStatus.COMPLETED for done in caller.of(ResponseDone))

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_a_noise_hardly_delays_it(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec)
        async with emulator, calling(spec, emulator) as caller:
            rate_hz = caller.session.input_rate_hz
            await caller.say()
            await caller.until_answered()
            await caller.send(bytes(2 * rate_hz))
            caller.session.rotate()
            caller.session.user_speaking(True)
            await caller.send(bytes(rate_hz // 2))
            caller.session.user_speaking(False)
            await caller.send(bytes(2 * rate_hz * (3 if spec == OPENAI else 7)))
            assert [one.why for one in caller.of(SessionContinued)] == [Handover.ROTATION]
            # Nor does it make the next one suspicious.
            await caller.send(bytes(2 * rate_hz * 30))
            assert len(caller.of(SessionContinued)) == 1
            loud = await caller.say()
            await caller.until_answered(2)
            assert answered(emulator, loud) == 1

    run(main())


@pytest.mark.parametrize("hint", [True, False])
@pytest.mark.parametrize("eagerness", [Eagerness.LOW, Eagerness.AUTO])
def test_a_provider_that_waits_for_more_is_not_dead(hint: bool, eagerness: Eagerness) -> None:
    async def main() -> None:
        emulator = OpenAIEmulator(
            ScriptedBackend(SCENARIO),
            scorer=energy_scorer,
            behaviour=Behaviour(semantic_wait="longest"),
        )
        config = SessionConfig(turn_detection=TurnDetection.SEMANTIC, eagerness=eagerness)
        async with emulator, calling(OPENAI, emulator, config) as caller:
            await caller.say(1500, hint=hint, silence_ms=11_000)
            await caller.until_answered()
            assert len(emulator.sessions) == 1

    run(main())


@pytest.mark.parametrize("ahead_s", [3590.0, 600.0, 0.0, -600.0, -86_400.0])
def test_by_the_providers_clock_where_ours_is_wrong(
    monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    set_clock(monkeypatch, ahead_s)

    async def main() -> None:
        emulator = emulator_of(OPENAI, session_seconds=300)
        async with emulator, calling(OPENAI, emulator) as caller:
            await asyncio.sleep(295)
            assert len(emulator.sessions) == 2
            assert not caller.of(LineLost)

    run(main())


@pytest.mark.parametrize(("ahead_s", "sessions"), [(3590.0, 5), (-86_400.0, 2)])
def test_a_clock_that_is_wrong_where_the_provider_tells_no_time(
    monkeypatch: pytest.MonkeyPatch, ahead_s: float, sessions: int
) -> None:
    set_clock(monkeypatch, ahead_s)
    monkeypatch.setattr(Connection, "their_time", None)

    async def main() -> None:
        emulator = emulator_of(OPENAI)
        async with emulator, calling(OPENAI, emulator) as caller:
            # No longer than a model's session, nor shorter than a rotation is worth.
            await asyncio.sleep(120 if ahead_s > 0 else 3595)
            assert 2 <= len(emulator.sessions) <= sessions
            assert not caller.of(LineLost)

    run(main())


def test_a_handshake_that_tells_the_wrong_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "their_time", property(lambda _: time.time() + 3590))

    async def main() -> None:
        emulator = emulator_of(OPENAI)
        async with emulator, calling(OPENAI, emulator) as caller:
            await asyncio.sleep(120)
            assert 2 <= len(emulator.sessions) <= 5
            assert not caller.of(LineLost)

    run(main())


def set_clock(patch: pytest.MonkeyPatch, ahead_s: float) -> None:
    """Put the clock of our machine ahead of the provider's."""

    class Clock:
        @staticmethod
        def time() -> float:
            return time.time() + ahead_s

    patch.setattr(line, "time", Clock)
