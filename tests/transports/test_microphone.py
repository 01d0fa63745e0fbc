"""The sound card as a transport, on a card that is not there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import numpy as np
import pytest

from crossfade.audio.energy import rms_dbfs
from crossfade.errors import SettingsError
from crossfade.frames.audio import InputAudioRawFrame, TTSStartedFrame, TTSStoppedFrame
from crossfade.frames.control import InterruptionFrame
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.transports.level_meter import LevelMeter
from crossfade.transports.microphone import STALLED_S, MicrophoneTransport
from crossfade.transports.push_to_talk import TalkKey
from crossfade.transports.sound_card import choose, devices
from tests.clock import run
from tests.processors.chain import Chain, running
from tests.transports.sound_cards import LATENCY_S, SoundCards, device

IN_HZ, OUT_HZ = 16000, 24000
FRAME = (np.sin(np.arange(480) * 2 * np.pi * 500 / OUT_HZ) * 10000).astype("<i2").tobytes()
STEREO = (device("Stereo", inputs=2, outputs=2, rate_hz=44100.0),)


def stereo_only(settings: Mapping[str, Any]) -> str | None:
    return "Invalid number of channels" if settings["channels"] != 2 else None


@contextlib.asynccontextmanager
async def card_call(
    card: SoundCards, **options: Any
) -> AsyncIterator[tuple[Chain, MicrophoneTransport]]:
    found = devices(card)
    microphone = MicrophoneTransport(
        card, choose(found, "input", None), choose(found, "output", None), **options
    )
    queue = PlayoutQueue(Playout(rate_hz=OUT_HZ))
    with microphone.opened():
        async with running(microphone.input(), queue, microphone.output()) as chain:
            yield chain, microphone


def heard(chain: Chain) -> list[bytes]:
    return [frame.audio for frame in chain.last.audio if isinstance(frame, InputAudioRawFrame)]


def passed_ms(chain: Chain) -> int:
    """How much of the agent's speech counts as heard."""
    spoken = [f for f in chain.last.audio if not isinstance(f, InputAudioRawFrame)]
    return sum(frame.num_frames for frame in spoken) * 1000 // OUT_HZ


@pytest.mark.parametrize("stereo", [False, True])
def test_the_microphone_is_heard_in_frames_of_20_ms_at_the_calls_rate(stereo: bool) -> None:
    async def scenario() -> None:
        card = SoundCards(found=STEREO, refuses=stereo_only) if stereo else SoundCards()
        rate_hz = 44100 if stereo else 48000
        tone = (np.sin(np.arange(rate_hz) * 2 * np.pi * 440 / rate_hz) * 8000).astype("<i2")
        meter = LevelMeter()
        card.say((tone.repeat(2) if stereo else tone).tobytes())
        async with card_call(card, meter=meter) as (chain, _):
            await asyncio.sleep(0.5)
            assert meter.level_dbfs == pytest.approx(-15.3, abs=0.5)
            await asyncio.sleep(1.5)
            frames = heard(chain)
            assert len(frames) == pytest.approx(100, abs=2)
            assert {len(frame) for frame in frames} == {640}
            samples = np.frombuffer(b"".join(frames), "<i2")[:16000]
            spectrum = np.abs(np.fft.rfft(samples))
            assert int(spectrum.argmax()) == pytest.approx(440, abs=1)
            assert rms_dbfs(b"".join(frames[:45])) == pytest.approx(-15.3, abs=0.5)

    run(scenario())


@pytest.mark.parametrize("drift", [0.0, 0.01, -0.01])
@pytest.mark.parametrize("tells_when", [True, False])
def test_speech_is_played_without_a_gap_and_counts_as_heard_when_it_has_sounded(
    drift: float, tells_when: bool
) -> None:
    async def scenario() -> None:
        card = SoundCards(drift=drift, tells_when=tells_when)
        async with card_call(card) as (chain, _):
            await chain.down(TTSStartedFrame(context_id="r"))
            for _ in range(100):
                chain.speak(FRAME)
            await chain.down(TTSStoppedFrame(context_id="r"))
            for _ in range(8):
                await asyncio.sleep(0.2)
                now_s = card.time_s
                sounded = b"".join(pcm for at_s, pcm in card.sounded if at_s + 0.01 <= now_s)
                ear_ms = len(sounded.lstrip(b"\0").rstrip(b"\0")) / 96
                # Never more than was heard, and a chunk and a beat less at most.
                assert -45 <= passed_ms(chain) - ear_ms <= 12, (passed_ms(chain), ear_ms)
            await asyncio.sleep(1)
            assert passed_ms(chain) == 2000
            played = np.frombuffer(card.played(), "<i2")
            (first, *_, last) = np.nonzero(played)[0]
            if drift <= 0:
                # A slower card has all of it in one piece; the tone is never interrupted.
                assert last - first == pytest.approx(96000, abs=200)
            assert card.opened[1].settings["samplerate"] == 48000

    run(scenario())


def test_an_interruption_silences_the_card_within_a_block() -> None:
    async def scenario() -> None:
        card = SoundCards()
        async with card_call(card) as (chain, _):
            await chain.down(TTSStartedFrame(context_id="r"))
            for _ in range(100):
                chain.speak(FRAME)
            await asyncio.sleep(1)
            before_ms, blocks = passed_ms(chain), len(card.sounded)
            assert 900 <= before_ms <= 1000
            await chain.down(InterruptionFrame())
            await asyncio.sleep(1)
            assert passed_ms(chain) - before_ms <= 20
            assert not any(any(pcm) for _, pcm in card.sounded[blocks:])
            # What comes next is counted from its own beginning.
            await chain.down(TTSStartedFrame(context_id="s"))
            for _ in range(50):
                chain.speak(FRAME)
            await asyncio.sleep(0.5)
            assert passed_ms(chain) - before_ms <= 20 + 500 - 1000 * LATENCY_S

    run(scenario())


def test_while_the_key_is_up_nothing_is_heard() -> None:
    async def scenario() -> None:
        card, key, meter = SoundCards(), TalkKey(), LevelMeter()
        card.say(b"\x00\x10" * 48000 * 5)
        async with card_call(card, key=key, meter=meter) as (chain, _):
            loop = asyncio.get_running_loop()
            await asyncio.sleep(1)
            assert not any(map(any, heard(chain)))
            assert meter.level_dbfs > -30
            key.press(loop.time())
            await asyncio.sleep(1)
            key.press(loop.time())
            await asyncio.sleep(1)
            loud = [n for n, frame in enumerate(heard(chain)) if any(frame)]
            assert loud[0] == pytest.approx(50, abs=2)
            assert loud[-1] == pytest.approx(107, abs=2)

    run(scenario())


def test_a_card_that_is_pulled_out_ends_the_call_with_its_reason() -> None:
    async def scenario() -> None:
        card = SoundCards()
        async with card_call(card) as (_, microphone):
            gone = asyncio.create_task(microphone.hung_up())
            await asyncio.sleep(1)
            assert not gone.done()
            card.disconnect()
            await gone
            assert "Built-in Microphone and Built-in Speakers" in str(microphone.failure)
        # Closing it is no failure.
        async with card_call(SoundCards()) as (_, microphone):
            pass
        await asyncio.sleep(0)
        assert microphone.failure is None

    run(scenario())


def test_a_card_that_falls_silent_without_a_word_is_lost() -> None:
    async def scenario() -> None:
        card = SoundCards()
        async with card_call(card) as (_, microphone):
            gone = asyncio.create_task(microphone.hung_up())
            await asyncio.sleep(60)
            assert not gone.done()
            card.freeze()
            async with asyncio.timeout(2 * STALLED_S + 1):
                await gone
            assert "stopped" in str(microphone.failure)

    run(scenario())


@pytest.mark.parametrize("kind", ["input", "output"])
def test_a_device_that_cannot_be_opened_is_named_and_nothing_stays_open(kind: str) -> None:
    async def scenario() -> None:
        def refuses(settings: Mapping[str, Any]) -> str | None:
            return "Device unavailable" if settings["kind"] == kind else None

        card = SoundCards(refuses=refuses)
        with pytest.raises(SettingsError, match=r"Built-in .* cannot be used: Device unavailable"):
            async with card_call(card):
                pass
        assert all(stream._timer is None for stream in card.opened)

    run(scenario())


def test_a_dead_microphone_is_noticed() -> None:
    meter = LevelMeter()
    for _ in range(149):
        meter.note(bytes(640))
    dead = [meter.is_dead]
    meter.note(bytes(640))
    dead.append(meter.is_dead)
    assert set(meter.bar()) == {"░"}
    meter.note(b"\x00\x40" * 320)
    dead.append(meter.is_dead)
    assert dead == [False, True, False]
    assert meter.bar().startswith("█" * 17)
