"""A line dies in each state of a call, and the call goes on."""

import pytest

from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Close, Fault, HalfOpen, Reset, Stall
from crossfade.providers import Continuity
from crossfade.providers.events import (
    AudioLost,
    Handover,
    LineLost,
    ResponseDone,
    ResponseStatus,
    SessionContinued,
    SpeechDone,
    SpeechStarted,
    UserTurnCommitted,
)
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    LONG,
    OPENAI,
    answered,
    audio_of,
    calling,
    emulator_of,
)

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


@pytest.mark.parametrize("fault", [HalfOpen, Stall])
def test_silent_when_all_was_said(fault: type[Fault]) -> None:
    async def main() -> None:
        # Its turnComplete waits until the answer can have been played.
        strike = fault(at=State.SPEAKING, after_ms=2500)
        emulator = emulator_of(GEMINI, faults=[strike])
        async with emulator, calling(GEMINI, emulator) as caller:
            await caller.say()
            spoken = await caller.until(SpeechDone)
            done = await caller.until(ResponseDone, timeout_s=15)
            assert (done.response_id, done.status) == (
                spoken.response_id,
                ResponseStatus.COMPLETED,
            )
            await caller.until(SessionContinued)
            await caller.say()
            await caller.until_answered(2)
            assert caller.agent_said == f"{LONG} The second answer."

    run(main())


@pytest.mark.parametrize("utterance_ms", [300, 800])
@pytest.mark.parametrize("spec", WIRES)
def test_silent_whoever_asks_again_and_again(spec: str, utterance_ms: int) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=[Stall(after_ms=500)])
        async with emulator, calling(spec, emulator) as caller:
            await caller.send(bytes(2 * caller.session.input_rate_hz))
            for _ in range(5):
                await caller.say(utterance_ms, silence_ms=2400)
            await caller.until(SessionContinued, timeout_s=0.1)
            await caller.until(ResponseDone)
            heard = audio_of(emulator)[-1].pcm
            assert [heard.count(loud) for loud in caller.said] == [1] * 5

    run(main())


def test_silent_after_it_heard_the_user_begin() -> None:
    async def main() -> None:
        # The second connection hears him only when he has finished, and tells of no end.
        faults: list[Fault] = [Reset(after_ms=900), Stall(session=2, at=State.IDLE, after_ms=50)]
        emulator = emulator_of(OPENAI, faults=faults)
        async with emulator, calling(OPENAI, emulator) as caller:
            loud = await caller.say(600)
            await caller.send(bytes(2 * caller.session.input_rate_hz * 8))
            await caller.until_answered()
            assert answered(emulator, loud) == 1
            assert len(caller.of(UserTurnCommitted)) == 1

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_in_a_speech_of_two_minutes(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=[Reset(at=State.USER_SPEAKING, after_ms=100_000)])
        async with emulator, calling(spec, emulator) as caller:
            loud = await caller.say(110_000)
            await caller.until_answered()
            assert answered(emulator, loud) == 1
            assert len(caller.of(SessionContinued)) == 1

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_what_a_silent_line_swallowed_for_too_long_is_counted_and_told(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=[Stall(after_ms=2000)])
        settings = Continuity(keep_s=30.0)
        async with emulator, calling(spec, emulator, continuity=settings) as caller:
            loud = await caller.say(45_000, silence_ms=9000)
            await caller.until_answered()
            lost_ms = sum(event.lost_ms for event in caller.of(AudioLost))
            assert 15_000 <= lost_ms <= 30_000
            assert caller.session.statistics().dropped_audio_ms == lost_ms
            heard = audio_of(emulator)[-1].pcm
            lost_bytes = round(lost_ms * caller.session.input_rate_hz / 1000) * 2
            assert loud[lost_bytes:] in heard
            assert loud[lost_bytes - 3200 :] not in heard

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_noises_that_no_session_makes_anything_of(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec)
        async with emulator, calling(spec, emulator) as caller:
            noise = bytes(caller.session.input_rate_hz)
            for _ in range(20):
                caller.session.user_speaking(True)
                await caller.send(noise)
                caller.session.user_speaking(False)
                await caller.send(noise * 18)
            assert 1 <= len(caller.of(SessionContinued)) <= 3
            await caller.say()
            await caller.until_answered()

    run(main())
