"""Voice activity in the chain."""

import asyncio
from contextlib import AsyncExitStack
from importlib.resources import as_file, files

import numpy as np
import pytest
from numpy.typing import NDArray

from crossfade.audio.pcm import to_pcm
from crossfade.audio.silero import SileroStream, shared_model
from crossfade.audio.sound_file import read_sound
from crossfade.audio.vad import VoiceDetector
from crossfade.frames.control import (
    Frame,
    SpeechConfirmedFrame,
    SpeechControlParamsFrame,
    SpeechDroppedFrame,
    UserSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.processors.voice_activity import VoiceActivity
from tests.clock import run
from tests.processors.chain import Chain, running, settled


def test_speech_begins_once_ends_once_and_all_audio_passes_untouched() -> None:
    with as_file(files("crossfade.examples") / "audio" / "weather_tokyo.wav") as path:
        sound = read_sound(path)
    pcm = sound.pcm + bytes(32000)
    frames = [pcm[at : at + 640] for at in range(0, len(pcm), 640)]

    async def scenario() -> None:
        detector = VoiceDetector(SileroStream(shared_model()).score)
        async with running(VoiceActivity(rate_hz=16000, detector=detector)) as chain:
            started_after: int | None = None
            for number, frame in enumerate(frames):
                chain.hear(frame)
                await settled()
                if started_after is None and chain.last.frames(VADUserStartedSpeakingFrame):
                    started_after = number * 20
            assert started_after is not None
            assert started_after < 300
            assert len(chain.last.frames(VADUserStartedSpeakingFrame)) == 1
            assert len(chain.last.frames(VADUserStoppedSpeakingFrame)) == 1
            assert [f.audio for f in chain.last.audio] == frames

    run(scenario())


def test_audio_that_is_not_of_the_declared_format_is_refused_by_name() -> None:
    async def scenario() -> None:
        detector = VoiceDetector(lambda _: 0.0)
        activity = VoiceActivity(rate_hz=16000, detector=detector, name="hearing")
        async with running(activity) as chain:
            chain.hear(bytes(1920), rate_hz=24000, channels=2)
            await settled()
            assert "hearing takes 16000 Hz" in str(chain.errors[0].error)

    run(scenario())


class Loudness:
    """Takes every window for speech whose first sample is positive."""

    def __call__(self, window: NDArray[np.float32]) -> float:
        return float(window[0] > 0)


LOUD = to_pcm(np.tile((0.1, -0.1), 160))
QUIET = bytes(640)


def two_stages() -> VoiceDetector:
    return VoiceDetector(
        Loudness(), start_threshold=0.7, start_ms=32, stop_ms=320, confirm_ms=256, drop_ms=160
    )


def told(chain: Chain) -> list[Frame]:
    kinds = (
        VADUserStartedSpeakingFrame,
        SpeechConfirmedFrame,
        SpeechDroppedFrame,
        VADUserStoppedSpeakingFrame,
    )
    return [frame for frame, _ in chain.last.seen if isinstance(frame, kinds)]


def test_speech_is_told_in_two_stages_with_the_times_that_passed() -> None:
    async def scenario() -> None:
        async with running(VoiceActivity(rate_hz=16000, detector=two_stages())) as chain:
            for pcm in [QUIET] * 8 + [LOUD] * 32 + [QUIET] * 32:
                chain.hear(pcm)
                await settled()
            began, confirmed, stopped = told(chain)
            assert isinstance(began, VADUserStartedSpeakingFrame)
            assert isinstance(confirmed, SpeechConfirmedFrame)
            assert isinstance(stopped, VADUserStoppedSpeakingFrame)
            assert began.start_secs == pytest.approx(0.064)
            assert stopped.stop_secs == pytest.approx(0.32)

    run(scenario())


def test_a_false_start_is_dropped_and_then_stopped() -> None:
    async def scenario() -> None:
        async with running(VoiceActivity(rate_hz=16000, detector=two_stages())) as chain:
            for pcm in [QUIET] * 8 + [LOUD] * 4 + [QUIET] * 32:
                chain.hear(pcm)
                await settled()
            assert [type(frame) for frame in told(chain)] == [
                VADUserStartedSpeakingFrame,
                SpeechDroppedFrame,
                VADUserStoppedSpeakingFrame,
            ]

    run(scenario())


def test_a_microphone_muted_in_the_middle_of_speech_counts_as_silence_after_a_second() -> None:
    async def scenario() -> None:
        async with running(VoiceActivity(rate_hz=16000, detector=two_stages())) as chain:
            for _ in range(120):
                chain.hear(LOUD)
                await asyncio.sleep(0.02)
            assert len(chain.last.frames(UserSpeakingFrame)) == 2
            assert len(told(chain)) == 2
            await asyncio.sleep(2.1)
            assert isinstance(told(chain)[-1], VADUserStoppedSpeakingFrame)
            await asyncio.sleep(10)
            assert len(told(chain)) == 3

    run(scenario())


@pytest.mark.parametrize("frames", range(60, 68))
def test_a_microphone_may_be_muted_in_the_middle_of_a_window(frames: int) -> None:
    async def scenario() -> None:
        activity = VoiceActivity(
            rate_hz=16000, detector=VoiceDetector(lambda window: float(window.any()))
        )
        async with running(activity) as chain:
            for _ in range(frames):
                chain.hear(LOUD)
                await asyncio.sleep(0.02)
            await asyncio.sleep(2.1)
            assert isinstance(told(chain)[-1], VADUserStoppedSpeakingFrame)

    run(scenario())


def test_how_long_speech_takes_is_announced_to_pipecats_services() -> None:
    async def scenario() -> None:
        async with running(VoiceActivity(rate_hz=16000)) as chain:
            for probe in (chain.first, chain.last):
                (announced,) = probe.frames(SpeechControlParamsFrame)
                assert announced.vad_params is not None
                assert announced.vad_params.start_secs == pytest.approx(0.032)
                assert announced.vad_params.stop_secs == pytest.approx(0.48)

    run(scenario())


def test_many_calls_share_the_model_and_each_hears_its_own_speech() -> None:
    with as_file(files("crossfade.examples") / "audio" / "weather_tokyo.wav") as path:
        speech = read_sound(path).pcm[:32000]

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            chains = [
                await stack.enter_async_context(running(VoiceActivity(rate_hz=16000)))
                for _ in range(6)
            ]
            for at in range(0, len(speech), 640):
                for number, chain in enumerate(chains):
                    chain.hear(speech[at : at + 640] if number % 2 else QUIET)
                await asyncio.sleep(0.02)
            for number, chain in enumerate(chains):
                assert len(chain.last.frames(SpeechConfirmedFrame)) == number % 2

    run(scenario())
