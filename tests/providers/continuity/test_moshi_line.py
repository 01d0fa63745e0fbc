"""A wire that serves one client at a time, and is told nothing of what was said."""

import pytest

pytest.importorskip("sphn")

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, Reset
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.turn_detection import energy_scorer
from crossfade.providers.events import Handover, LineLost, ResponseDone, SessionContinued
from tests.clock import run
from tests.providers.continuity.calls import SCENARIO, Caller, calling


def emulator_of(*faults: Fault) -> MoshiEmulator:
    return MoshiEmulator(ScriptedBackend(SCENARIO), faults=faults, scorer=energy_scorer)


async def talk_on(caller: Caller, seconds: float) -> None:
    await caller.send(bytes(int(2 * caller.session.input_rate_hz * seconds)))


def test_a_line_that_dies_is_followed_by_another() -> None:
    async def main() -> None:
        emulator = emulator_of(Reset(at=State.USER_SPEAKING, after_ms=300))
        async with emulator, calling("moshi:", emulator) as caller:
            await caller.say(1500)
            await talk_on(caller, 8)
            (continued,) = caller.of(SessionContinued)
            assert continued.why is Handover.RECONNECT
            assert continued.replayed_ms > 300
            assert caller.words

    run(main())


def test_it_is_closed_before_the_next_is_opened() -> None:
    async def main() -> None:
        emulator = emulator_of()
        async with emulator, calling("moshi:", emulator) as caller:
            await talk_on(caller, 1)
            caller.session.rotate()
            await talk_on(caller, 25)
            continued = caller.of(SessionContinued)
            assert [one.why for one in continued] == [Handover.ROTATION]
            assert not caller.of(LineLost)
            await caller.say(1500)
            await talk_on(caller, 8)
            assert caller.of(ResponseDone)

    run(main())
