"""A line dies in each state of a call, and the call goes on."""

import pytest

from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Close, Reset
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
from tests.providers.continuity.calls import GEMINI, LONG, OPENAI, answered, calling, emulator_of

WIRES = (OPENAI, GEMINI)
FAULTS = {"reset": Reset, "close": Close}


@pytest.mark.parametrize("spec", WIRES)
def test_idle(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=[Reset(after_ms=2000)])
        async with emulator, calling(spec, emulator) as caller:
            await caller.send(bytes(2 * caller.session.input_rate_hz * 3))
            continued = await caller.until(SessionContinued)
            assert continued.why is Handover.RECONNECT
            loud = await caller.say()
            done = await caller.until(ResponseDone)
            assert done.status is ResponseStatus.COMPLETED
            assert answered(emulator, loud) == 1
            assert caller.words.strip() == LONG
            assert len(caller.of(LineLost)) == 1
            assert caller.session.statistics().reconnects == 1

    run(main())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("spec", WIRES)
def test_user_speaking(spec: str, fault: str) -> None:
    async def main() -> None:
        strike = FAULTS[fault](at=State.USER_SPEAKING, after_ms=300)
        emulator = emulator_of(spec, faults=[strike])
        async with emulator, calling(spec, emulator) as caller:
            loud = await caller.say(1200)
            done = await caller.until(ResponseDone)
            assert done.status is ResponseStatus.COMPLETED
            assert answered(emulator, loud) == 1
            assert len(caller.of(UserTurnCommitted)) == 1
            assert len(caller.of(SpeechStarted)) <= 1
            assert caller.words.strip() == LONG

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_thinking(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=[Reset(at=State.THINKING, after_ms=100)], think_ms=600)
        async with emulator, calling(spec, emulator) as caller:
            loud = await caller.say()
            await caller.until(SessionContinued)
            await caller.until_answered()
            assert answered(emulator, loud) == 1
            assert caller.words.strip() == LONG
            assert len(caller.of(UserTurnCommitted)) == 1

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_speaking(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=[Reset(at=State.SPEAKING, after_ms=400)])
        async with emulator, calling(spec, emulator) as caller:
            await caller.say()
            first = await caller.until(ResponseDone)
            assert first.status is ResponseStatus.CUT
            second = await caller.until(ResponseDone, 2)
            assert second.status is ResponseStatus.COMPLETED
            assert caller.agent_said == LONG

    run(main())
