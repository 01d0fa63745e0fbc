import numpy as np
import pytest

from crossfade.audio.energy import FLOOR_DBFS, first_sound_ms, rms_dbfs, sound_spans
from crossfade.audio.pcm import silence, to_pcm

RATE_HZ = 16000


def tone(ms: float, level: float = 0.5) -> bytes:
    time_s = np.arange(round(ms * RATE_HZ / 1000)) / RATE_HZ
    return to_pcm(level * np.sin(2 * np.pi * 1000 * time_s))


def test_a_full_scale_tone_is_3_db_below_full_scale() -> None:
    assert rms_dbfs(tone(100, 1.0)) == pytest.approx(-3.01, abs=0.01)
    assert rms_dbfs(tone(100, 0.1)) == pytest.approx(-23.01, abs=0.01)


@pytest.mark.parametrize("pcm", [b"", bytes(200)])
def test_silence_is_at_the_floor(pcm: bytes) -> None:
    assert rms_dbfs(pcm) == FLOOR_DBFS


def test_spans_are_found_to_10_ms() -> None:
    recording = silence(300, RATE_HZ) + tone(200) + silence(500, RATE_HZ) + tone(100)
    assert sound_spans(recording, RATE_HZ) == [(300, 500), (1000, 1100)]
    assert first_sound_ms(recording, RATE_HZ) == 300


def test_short_gaps_are_part_of_a_span() -> None:
    recording = tone(100) + silence(100, RATE_HZ) + tone(100)
    assert sound_spans(recording, RATE_HZ, join_ms=100) == [(0, 300)]
    assert sound_spans(recording, RATE_HZ, join_ms=90) == [(0, 100), (200, 300)]


def test_sound_below_the_threshold_does_not_count() -> None:
    recording = tone(100, 0.005)
    assert first_sound_ms(recording, RATE_HZ) is None
    assert first_sound_ms(recording, RATE_HZ, threshold_dbfs=-60) == 0


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100])
def test_times_hold_at_every_rate(rate_hz: int) -> None:
    recording = silence(1000, rate_hz) + b"\x00\x40" * rate_hz
    [(start_ms, end_ms)] = sound_spans(recording, rate_hz)
    assert start_ms == pytest.approx(1000, abs=10)
    assert end_ms == pytest.approx(2000, abs=15)


@pytest.mark.parametrize("rate_hz", [50, 99, 7999, 11025])
def test_times_do_not_drift_where_a_frame_is_no_whole_number_of_samples(rate_hz: int) -> None:
    recording = silence(60_000, rate_hz) + b"\x00\x40" * rate_hz
    assert first_sound_ms(recording, rate_hz) == pytest.approx(60_000, abs=20)
