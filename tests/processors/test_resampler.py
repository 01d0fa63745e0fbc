"""The agent's speech at the transport's rate."""

import asyncio

import numpy as np
import pytest

from crossfade.audio.resample import resample
from crossfade.frames.audio import (
    OutputAudioRawFrame,
    SpeechFrame,
    SpeechPlayedFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import InterruptionFrame
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.processors.resampler import Resampler
from tests.clock import run
from tests.processors.chain import DOWNSTREAM, Chain, running, settled


def tone(ms: int, rate_hz: int = 24000) -> bytes:
    at = np.arange(rate_hz * ms // 1000) / rate_hz
    return (np.sin(2 * np.pi * 440 * at) * 8000).astype("<i2").tobytes()


def heard_ms(chain: Chain, item_id: str, rate_hz: int) -> float:
    frames = [f for f in chain.last.audio if isinstance(f, SpeechFrame)]
    assert all(f.sample_rate == rate_hz for f in frames)
    mine = [f for f in frames if f.origin is not None and f.origin.item_id == item_id]
    return sum(len(f.audio) for f in mine) / 2 / rate_hz * 1000


def test_each_item_comes_out_whole_under_its_own_origin() -> None:
    async def scenario() -> None:
        async with running(Resampler(in_rate_hz=24000, out_rate_hz=8000)) as chain:
            for item in ("a", "b"):
                sound = tone(100)
                for start in range(0, len(sound), 960):
                    chain.speak(sound[start : start + 960], item)
            await chain.down(TTSStoppedFrame())
            assert heard_ms(chain, "a", 8000) == 100
            assert heard_ms(chain, "b", 8000) == 100

    run(scenario())


def test_nothing_of_a_cut_item_is_heard_after_the_interruption() -> None:
    async def scenario() -> None:
        async with running(Resampler(in_rate_hz=24000, out_rate_hz=16000)) as chain:
            chain.speak(tone(100), "a")
            await chain.down(InterruptionFrame())
            before_ms = heard_ms(chain, "a", 16000)
            chain.speak(tone(100), "b")
            await chain.down(TTSStoppedFrame())
            assert heard_ms(chain, "a", 16000) == before_ms
            assert heard_ms(chain, "b", 16000) == 100

    run(scenario())


@pytest.mark.parametrize("out_rate_hz", [24000, 16000])
def test_stereo_is_mixed_down(out_rate_hz: int) -> None:
    async def scenario() -> None:
        resampler = Resampler(in_rate_hz=24000, out_rate_hz=out_rate_hz)
        async with running(resampler) as chain:
            both = np.repeat(np.frombuffer(tone(100), "<i2"), 2).tobytes()
            chain.first.receive_audio(
                OutputAudioRawFrame(audio=both, sample_rate=24000, num_channels=2)
            )
            await chain.down(TTSStoppedFrame())
            assert {frame.num_channels for frame in chain.last.audio} == {1}
            heard = b"".join(frame.audio for frame in chain.last.audio)
            assert heard == resample(tone(100), 24000, out_rate_hz)

    run(scenario())


@pytest.mark.parametrize("out_rate_hz", [24000, 16000])
def test_what_a_stock_tts_speaks_stays_of_its_context(out_rate_hz: int) -> None:
    async def scenario() -> None:
        playout = Playout(rate_hz=out_rate_hz)
        resampler = Resampler(in_rate_hz=24000, out_rate_hz=out_rate_hz)
        async with running(resampler, PlayoutQueue(playout), PlayoutTracker(playout)) as chain:
            chain.first.receive_audio(
                TTSAudioRawFrame(
                    audio=tone(100), sample_rate=24000, num_channels=1, context_id="answer"
                )
            )
            await chain.down(TTSStoppedFrame(context_id="answer"))
            await asyncio.sleep(0.2)
            (told,) = chain.last.frames(SpeechPlayedFrame, DOWNSTREAM)
            (item,) = told.items
            assert (item.origin.item_id, item.played_ms) == ("answer", 100)

    run(scenario())


def test_equal_rates_pass_the_very_frame() -> None:
    async def scenario() -> None:
        async with running(Resampler(in_rate_hz=24000, out_rate_hz=24000)) as chain:
            chain.speak(b"\1\0", "a")
            assert chain.first.audio[0] is chain.last.audio[0]

    run(scenario())


def test_another_rate_than_declared_is_refused_by_name() -> None:
    async def scenario() -> None:
        resampler = Resampler(in_rate_hz=24000, out_rate_hz=8000, name="downlink")
        async with running(resampler) as chain:
            chain.speak(tone(20, 16000), rate_hz=16000)
            await settled()
            assert "downlink takes 24000 Hz" in str(chain.errors[0].error)
            assert not chain.last.audio

    run(scenario())
