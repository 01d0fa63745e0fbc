"""What the user does while no connection serves, in the middle of an answer."""

import asyncio

import pytest

from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, RefuseHandshake, Reset
from crossfade.providers import Continuity
from crossfade.providers.continuity.seeding import GO_ON
from crossfade.providers.events import LineLost, ResponseStarted, SessionContinued
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    LONG,
    OPENAI,
    Caller,
    answered,
    calling,
    emulator_of,
    speech,
)

WIRES = (OPENAI, GEMINI)
GAP: list[Fault] = [
    Reset(at=State.SPEAKING, after_ms=1200),
    *(RefuseHandshake(session=number) for number in (2, 3, 4, 5)),
]
SLOW = Continuity(first_delay_s=3.0)


async def cut(caller: Caller, *, hint: bool = True) -> None:
    """Ask a question whose answer is cut."""
    asking = asyncio.create_task(caller.say(hint=hint))
    await caller.until(LineLost)
    await asking
    assert not caller.of(SessionContinued)


@pytest.mark.parametrize("spec", WIRES)
def test_what_is_written_into_it_is_answered_instead_of_the_rest(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=GAP)
        async with emulator, calling(spec, emulator, continuity=SLOW) as caller:
            await cut(caller)
            await caller.session.send_text("What is two plus two?")
            await caller.until(SessionContinued)
            await caller.until_answered()
            told = str([each.body for each in emulator.sessions[-1].line.received])
            assert told.count("What is two plus two?") == 1
            assert GO_ON[:40] not in told
            assert len(caller.of(ResponseStarted)) == 2

    run(main())


@pytest.mark.parametrize("hint", [True, False])
@pytest.mark.parametrize("spec", WIRES)
def test_what_is_said_into_it_is_answered_and_nothing_else(spec: str, hint: bool) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=GAP)
        async with emulator, calling(spec, emulator, continuity=SLOW) as caller:
            await cut(caller, hint=hint)
            loud = await caller.say(1500, hint=hint)
            await caller.until(SessionContinued)
            await caller.send(bytes(2 * caller.session.input_rate_hz * 12))
            assert answered(emulator, loud) == 1
            told = str([each.body for each in emulator.sessions[-1].line.received])
            # Who has no ear of his own is not known to have spoken.
            assert (GO_ON[:40] in told) is not hint
            assert len(caller.of(ResponseStarted)) == 2
            assert "The second answer." in caller.agent_said

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_a_noise_in_it_only_delays_the_rest(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=GAP)
        async with emulator, calling(spec, emulator, continuity=SLOW) as caller:
            await cut(caller)
            caller.session.user_speaking(True)
            await caller.send(speech(20, caller.session.input_rate_hz)[: 2 * 80])
            caller.session.user_speaking(False)
            await caller.until(SessionContinued)
            sessions = len(emulator.sessions)
            await caller.send(bytes(2 * caller.session.input_rate_hz * 15))
            told = str([each.body for each in emulator.sessions[-1].line.received])
            assert told.count(GO_ON[:40]) == 1
            assert len(emulator.sessions) == sessions
            assert len(caller.of(ResponseStarted)) == 2
            assert caller.agent_said.startswith(LONG[:30])

    run(main())
