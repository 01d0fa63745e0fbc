"""A pause for thought does not end a turn; the end of a sentence does."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from crossfade.audio.pcm import bytes_for, silence
from crossfade.audio.resample import resample
from crossfade.audio.sound_file import read_sound
from crossfade.audio.vad import two_stage_detector
from crossfade.frames.control import (
    EndFrame,
    Frame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.processors.end_of_turn import (
    ASK_AFTER_MS,
    BUSY_MS,
    HEARD_MS,
    PATIENCE_MS,
    EndOfTurn,
    TurnJudge,
)
from crossfade.processors.voice_activity import VoiceActivity
from tests.clock import run
from tests.processors.chain import Chain, running, settled

PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
RATE_HZ = 16000


class Verdicts:
    """Answers each question with the next of these; keeps what it was asked."""

    def __init__(self, *answers: bool | None, takes_s: float = 0.0) -> None:
        self._answers = list(answers)
        self._takes_s = takes_s
        self.heard: list[bytes] = []

    async def complete(self, pcm: bytes) -> bool | None:
        self.heard.append(pcm)
        await asyncio.sleep(self._takes_s)
        return self._answers.pop(0)


@asynccontextmanager
async def judged(judge: TurnJudge) -> AsyncIterator[Chain]:
    async with running(EndOfTurn(rate_hz=RATE_HZ, judge=judge)) as chain:
        yield chain


async def speak(chain: Chain) -> None:
    await chain.down(VADUserStartedSpeakingFrame(start_secs=0.06))
    await chain.down(SpeechConfirmedFrame())
    await asyncio.sleep(1)


async def pause(chain: Chain) -> None:
    await chain.down(VADUserStoppedSpeakingFrame(stop_secs=0.2))
    await settled()


def told(chain: Chain) -> list[type[Frame]]:
    kinds = (
        VADUserStartedSpeakingFrame,
        SpeechConfirmedFrame,
        SpeechDroppedFrame,
        VADUserStoppedSpeakingFrame,
        EndFrame,
    )
    return [type(frame) for frame, _ in chain.last.seen if isinstance(frame, kinds)]


TURN_SO_FAR: list[type[Frame]] = [VADUserStartedSpeakingFrame, SpeechConfirmedFrame]
TURN = [*TURN_SO_FAR, VADUserStoppedSpeakingFrame]


@pytest.mark.parametrize(
    ("answer", "after_ms"), [(True, ASK_AFTER_MS + 30), (False, PATIENCE_MS), (None, BUSY_MS)]
)
def test_how_long_a_pause_ends_a_turn_depends_on_how_it_sounds(
    answer: bool | None, after_ms: float
) -> None:
    async def scenario() -> None:
        async with judged(Verdicts(answer, takes_s=0.03)) as chain:
            await speak(chain)
            await pause(chain)
            await asyncio.sleep((after_ms - ASK_AFTER_MS) / 1000 - 0.01)
            assert told(chain) == TURN_SO_FAR
            await asyncio.sleep(0.02)
            assert told(chain) == TURN
            (stopped,) = chain.last.frames(VADUserStoppedSpeakingFrame)
            assert stopped.stop_secs == pytest.approx(after_ms / 1000)

    run(scenario())


def test_a_judge_that_fails_is_told_of_and_the_turn_ends_without_it() -> None:
    class Broken:
        async def complete(self, pcm: bytes) -> bool | None:
            raise ValueError("no model")

    async def scenario() -> None:
        async with judged(Broken()) as chain:
            await speak(chain)
            await pause(chain)
            await asyncio.sleep((BUSY_MS - ASK_AFTER_MS) / 1000 + 0.01)
            assert told(chain) == TURN
            assert "no model" in chain.errors[0].error

    run(scenario())


def test_speech_that_goes_on_takes_the_pause_back() -> None:
    async def scenario() -> None:
        async with judged(Verdicts(False, True)) as chain:
            await speak(chain)
            await pause(chain)
            await asyncio.sleep(1)
            await speak(chain)
            await asyncio.sleep(5)
            assert told(chain) == TURN_SO_FAR
            await pause(chain)
            await asyncio.sleep(0.01)
            assert told(chain) == TURN
            await speak(chain)
            assert told(chain) == TURN + TURN_SO_FAR

    run(scenario())


def test_speech_that_goes_on_while_the_judge_thinks_makes_its_answer_void() -> None:
    async def scenario() -> None:
        async with judged(Verdicts(True, False, takes_s=0.1)) as chain:
            await speak(chain)
            await pause(chain)
            await asyncio.sleep(0.05)
            await speak(chain)
            assert told(chain) == TURN_SO_FAR

    run(scenario())


def test_a_noise_in_the_pause_is_not_told_and_the_pause_begins_anew() -> None:
    async def scenario() -> None:
        async with judged(Verdicts(False, True)) as chain:
            await speak(chain)
            await pause(chain)
            await chain.down(VADUserStartedSpeakingFrame(start_secs=0.06))
            await chain.down(SpeechDroppedFrame())
            await pause(chain)
            await asyncio.sleep(0.01)
            assert told(chain) == TURN

    run(scenario())


def test_a_false_start_ends_without_a_question() -> None:
    async def scenario() -> None:
        judge = Verdicts()
        async with judged(judge) as chain:
            await chain.down(VADUserStartedSpeakingFrame())
            await chain.down(SpeechDroppedFrame())
            await pause(chain)
            assert told(chain)[1:] == [SpeechDroppedFrame, VADUserStoppedSpeakingFrame]
            assert not judge.heard

    run(scenario())


def test_the_turn_ends_with_the_call() -> None:
    async def scenario() -> None:
        async with judged(Verdicts(False)) as chain:
            await speak(chain)
            await pause(chain)
            await chain.end()
            await settled()
            assert told(chain) == [*TURN, EndFrame]

    run(scenario())


def test_the_judge_hears_the_turn_and_no_more_than_eight_seconds_of_it() -> None:
    frame, loud = bytes(640), bytes([1, 0]) * 320

    async def scenario() -> None:
        judge = Verdicts(True, True)
        async with judged(judge) as chain:
            for _ in range(500):
                chain.hear(frame)
            await speak(chain)
            for _ in range(50):
                chain.hear(loud)
            await pause(chain)
            assert judge.heard[0] == silence(560, RATE_HZ) + loud * 50
            await asyncio.sleep(1)
            await speak(chain)
            for _ in range(1000):
                chain.hear(loud)
            await pause(chain)
            assert bytes_for(HEARD_MS, RATE_HZ) <= len(judge.heard[1])
            assert len(judge.heard[1]) <= bytes_for(HEARD_MS + 1000, RATE_HZ)

    run(scenario())


def test_questions_beyond_the_limit_are_not_asked() -> None:
    from crossfade.processors.smart_turn import LIMIT, shared_smart_turn

    async def scenario() -> None:
        questions = [shared_smart_turn().complete(silence(500, RATE_HZ)) for _ in range(LIMIT + 2)]
        answers = await asyncio.gather(*questions)
        assert [answer is None for answer in answers] == [False] * LIMIT + [True] * 2
        assert await shared_smart_turn().complete(silence(500, RATE_HZ)) is not None

    run(scenario())


@pytest.mark.skipif(not PROMPTS.is_dir(), reason="asterisk-core-sounds-en-wav not installed")
def test_whole_prompts_end_sooner_than_silence_alone_would_tell_and_cut_ones_wait() -> None:
    from crossfade.processors.smart_turn import shared_smart_turn

    async def pause_ms(pcm: bytes) -> float:
        """How long the pause was when the turn was taken for over."""
        activity = VoiceActivity(rate_hz=RATE_HZ, detector=two_stage_detector(stop_ms=ASK_AFTER_MS))
        ending = EndOfTurn(rate_hz=RATE_HZ, judge=shared_smart_turn())
        async with running(activity, ending) as chain:
            sound = silence(500, RATE_HZ) + pcm + silence(3000, RATE_HZ)
            for at in range(0, len(sound), 640):
                chain.hear(sound[at : at + 640])
                await asyncio.sleep(0.02)
            stops = chain.last.frames(VADUserStoppedSpeakingFrame)
            assert len(stops) == 1
            return stops[0].stop_secs * 1000

    for name in ("dir-nomatch", "vm-rec-unv", "enter-num-blacklist"):
        sound = read_sound(PROMPTS / f"{name}.wav")
        pcm = resample(sound.pcm, sound.rate_hz, RATE_HZ)
        assert run(pause_ms(pcm)) < 350, name
        assert run(pause_ms(pcm[: int(len(pcm) * 0.45) // 2 * 2])) >= 1990, name


@pytest.mark.realtime
def test_the_model_is_not_loaded_unless_asked_for() -> None:
    program = (
        "import sys, crossfade.pipelines.assembly;"
        "sys.exit(any('smart_turn' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
