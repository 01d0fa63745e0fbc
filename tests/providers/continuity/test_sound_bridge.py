"""Sound between what the caller has and what another provider takes and gives."""

import numpy as np
import pytest

from crossfade.audio.g711 import decode_mu_law, encode_mu_law
from crossfade.providers.config import Encoding
from crossfade.providers.continuity.sound_bridge import SoundBridge
from crossfade.providers.events import AudioChunk, Event, ResponseDone, ResponseStatus, SpeechDone
from crossfade.providers.sound_format import SoundFormat

PCM_24 = SoundFormat(
    encoding=Encoding.PCM, sample_bytes=2, input_rate_hz=24_000, output_rate_hz=24_000
)
PCM_16 = SoundFormat(
    encoding=Encoding.PCM, sample_bytes=2, input_rate_hz=16_000, output_rate_hz=24_000
)
ULAW = SoundFormat(encoding=Encoding.ULAW, sample_bytes=1, input_rate_hz=8000, output_rate_hz=8000)


def tone(rate_hz: int, ms: int = 1000) -> bytes:
    at = np.arange(rate_hz * ms // 1000) / rate_hz
    return (8000 * np.sin(2 * np.pi * 300 * at)).astype("<i2").tobytes()


def chunk(pcm: bytes, item_id: str = "i") -> AudioChunk:
    return AudioChunk(response_id="r", item_id=item_id, pcm=pcm)


def sound(events: list[Event]) -> bytes:
    return b"".join(event.pcm for event in events if isinstance(event, AudioChunk))


def test_the_users_sound_is_resampled() -> None:
    bridge = SoundBridge(PCM_24, PCM_16)
    heard = b"".join(bridge.up(tone(24_000)[at : at + 960]) for at in range(0, 48_000, 960))
    assert len(heard) == pytest.approx(32_000, abs=2 * 32)


def test_telephone_sound_becomes_pcm_and_comes_back() -> None:
    bridge = SoundBridge(ULAW, PCM_16)
    assert len(bridge.up(encode_mu_law(tone(8000)))) == pytest.approx(32_000, abs=2 * 64)
    events = bridge.down([chunk(tone(24_000)), SpeechDone(response_id="r", item_id="i")])
    back = decode_mu_law(sound(events))
    assert len(back) == 16_000
    middle = slice(1000, 7000)
    ours = np.frombuffer(back, "<i2")[middle].astype(float)
    asked = np.frombuffer(tone(8000), "<i2")[middle].astype(float)
    assert np.sqrt(np.mean((ours - asked) ** 2)) < 300


@pytest.mark.parametrize(
    "end",
    [
        SpeechDone(response_id="r", item_id="one"),
        ResponseDone(response_id="r", status=ResponseStatus.COMPLETED),
        chunk(tone(24_000, 20), "two"),
    ],
)
def test_each_item_is_whole_before_its_end_is_told(end: Event) -> None:
    bridge = SoundBridge(ULAW, PCM_16)
    events = bridge.down([chunk(tone(24_000, 100), "one"), end])
    last = [event for event in events if isinstance(event, AudioChunk) and event.item_id == "one"]
    assert len(sound(list(last))) == 800
    assert events.index(last[-1]) < len(events) - 1 or isinstance(end, AudioChunk)
