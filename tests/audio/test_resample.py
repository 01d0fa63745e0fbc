import time
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from crossfade.audio import resample as audio_resample
from crossfade.audio.pcm import SAMPLE_BYTES, duration_ms, to_float, to_pcm
from crossfade.audio.resample import StreamResampler, resample
from crossfade.errors import SoundError

TELEPHONE_TO_STUDIO_HZ = (8000, 16000, 24000, 48000)
PAIRS = list(permutations(TELEPHONE_TO_STUDIO_HZ, 2))
ODD_PAIRS = [(22050, 16000), (22050, 24000), (44100, 48000), (48000, 44100), (16000, 11025)]
IRREGULAR_PAIRS = [(44056, 16000), (8000, 8001)]


def tone(frequency_hz: float, rate_hz: int, seconds: float = 1.0) -> bytes:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return to_pcm(0.9 * np.sin(2 * np.pi * frequency_hz * time_s))


def spectrum_db(pcm: bytes) -> NDArray[np.float64]:
    """Level against a full-scale tone, in steps of 2 Hz, of the half second in the middle."""
    sound = to_float(pcm).astype(np.float64)
    middle = sound[sound.size // 4 : sound.size // 4 + sound.size // 2]
    window = np.kaiser(middle.size, 14)
    levels = np.abs(np.fft.rfft(middle * window)) * 2 / window.sum()
    return np.asarray(20 * np.log10(levels + 1e-12))


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS + ODD_PAIRS + IRREGULAR_PAIRS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_output_does_not_depend_on_how_the_input_is_cut(
    in_hz: int, out_hz: int, data: st.DataObject
) -> None:
    seed = data.draw(st.integers(0, 99))
    length = data.draw(st.integers(0, 1500))
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=8)))
    noise = np.random.default_rng(seed).integers(-32768, 32768, length, dtype=np.int16)
    stream = StreamResampler(in_hz, out_hz)
    pieces = [
        stream.process(noise[start:end].astype("<i2").tobytes())
        for start, end in zip([0, *cuts], [*cuts, length], strict=True)
    ]
    pieces.append(stream.flush())
    assert b"".join(pieces) == resample(noise.astype("<i2").tobytes(), in_hz, out_hz)


@given(in_hz=st.integers(4000, 48000), out_hz=st.integers(4000, 48000), length=st.integers(0, 3000))
@settings(max_examples=50, deadline=None)
def test_length_is_exact_after_flush(in_hz: int, out_hz: int, length: int) -> None:
    wanted = (2 * length * out_hz + in_hz) // (2 * in_hz)
    assert len(resample(bytes(length * SAMPLE_BYTES), in_hz, out_hz)) == wanted * SAMPLE_BYTES


def test_equal_rates_pass_the_sound_through() -> None:
    stream = StreamResampler(16000, 16000)
    assert stream.process(b"\x01\x02\x03\x04") == b"\x01\x02\x03\x04"
    assert stream.flush() == b""


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_at_most_2_ms_are_withheld(in_hz: int, out_hz: int) -> None:
    stream = StreamResampler(in_hz, out_hz)
    heard_ms = spoken_ms = 0.0
    for _ in range(10):
        chunk = bytes(in_hz // 50 * SAMPLE_BYTES)
        heard_ms += duration_ms(chunk, in_hz)
        spoken_ms += duration_ms(stream.process(chunk), out_hz)
        assert 0 <= heard_ms - spoken_ms <= 2.0


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS + ODD_PAIRS + IRREGULAR_PAIRS)
def test_output_is_aligned_in_time_with_the_input(in_hz: int, out_hz: int) -> None:
    time_s = np.arange(out_hz) / out_hz
    wanted = 0.9 * np.sin(2 * np.pi * 1000 * time_s)
    error = to_float(resample(tone(1000, in_hz), in_hz, out_hz)) - wanted
    middle = error[out_hz // 4 : -out_hz // 4]
    assert 10 * np.log10(np.mean(middle**2) / 0.405) < -85


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS + ODD_PAIRS)
def test_level_is_kept_to_a_tenth_of_a_db_up_to_80_percent_of_nyquist(
    in_hz: int, out_hz: int
) -> None:
    nyquist_hz = min(in_hz, out_hz) / 2
    for share in (0.05, 0.4, 0.6, 0.8):
        frequency_hz = 4 * round(share * nyquist_hz / 4)
        out = to_float(resample(tone(frequency_hz, in_hz), in_hz, out_hz))
        power = np.mean(out[out_hz // 4 : -out_hz // 4].astype(np.float64) ** 2)
        assert 10 * np.log10(power / 0.405) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("in_hz", "out_hz"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_tones_over_110_percent_of_nyquist_leave_no_alias(in_hz: int, out_hz: int) -> None:
    for frequency_hz in np.arange(1.1 * out_hz / 2, in_hz / 2, out_hz / 37):
        alias = resample(tone(float(frequency_hz), in_hz), in_hz, out_hz)
        assert spectrum_db(alias).max() < 20 * np.log10(0.9) - 80


@pytest.mark.parametrize(("in_hz", "out_hz"), [pair for pair in PAIRS if pair[0] < pair[1]])
def test_raising_the_rate_leaves_no_image(in_hz: int, out_hz: int) -> None:
    for share in (0.1, 0.5, 0.9):
        levels = spectrum_db(resample(tone(share * in_hz / 2, in_hz), in_hz, out_hz))
        images = levels[round(1.1 * in_hz / 2 / 2) :]
        assert images.max() < 20 * np.log10(0.9) - 80


def test_loud_steps_are_clipped_and_do_not_wrap_around() -> None:
    square = np.repeat(np.array([32767, -32768] * 40, dtype="<i2"), 100)
    out = np.frombuffer(resample(square.tobytes(), 16000, 24000), "<i2")
    assert out.max() == 32767
    assert out.min() == -32768
    assert np.abs(np.diff(out.astype(int))).max() < 60000


@pytest.mark.parametrize(
    ("in_hz", "out_hz"),
    [(16000, 24000), (44100, 16000), (11025, 16000), (47999, 16000), (48000, 47999)],
)
def test_the_first_sound_does_not_hold_up_a_loop(in_hz: int, out_hz: int) -> None:
    chunk = bytes(in_hz // 50 * SAMPLE_BYTES)
    took_ms = []
    for _ in range(3):
        audio_resample._even_filters.cache_clear()
        audio_resample._period_matrix.cache_clear()
        before_s = time.thread_time()
        StreamResampler(in_hz, out_hz).process(chunk)
        took_ms.append((time.thread_time() - before_s) * 1000)
    # 2 ms where nothing else runs; making each filter of its own took 290.
    assert min(took_ms) < 15


def test_pieces_of_one_length_give_what_any_other_cut_gives() -> None:
    noise = np.random.default_rng(4).integers(-32768, 32768, 16000, dtype=np.int16)
    pcm = noise.astype("<i2").tobytes()
    for in_hz, out_hz in PAIRS:
        frame = in_hz // 50 * SAMPLE_BYTES
        stream = StreamResampler(in_hz, out_hz)
        # Steady, disturbed once, and steady again.
        cuts = [*range(0, 5 * frame, frame), *range(5 * frame + 2, len(pcm), frame)]
        pieces = [
            stream.process(pcm[at:end]) for at, end in zip(cuts, [*cuts[1:], len(pcm)], strict=True)
        ]
        assert b"".join([*pieces, stream.flush()]) == resample(pcm, in_hz, out_hz)


def test_streams_that_take_turns_and_streams_of_two_threads_do_not_mix() -> None:
    sounds = [tone(hz, 16000, 0.4) for hz in (300, 1700)]
    cuts = [[sound[at : at + 640] for at in range(0, len(sound), 640)] for sound in sounds]

    def alone(cut: list[bytes]) -> bytes:
        stream = StreamResampler(16000, 24000)
        return b"".join(map(stream.process, cut)) + stream.flush()

    streams = [StreamResampler(16000, 24000) for _ in sounds]
    turns = [
        [stream.process(piece) for stream, piece in zip(streams, pieces, strict=True)]
        for pieces in zip(*cuts, strict=True)
    ]
    mixed = [
        b"".join(out) + stream.flush()
        for out, stream in zip(zip(*turns, strict=True), streams, strict=True)
    ]
    assert mixed == [alone(cut) for cut in cuts]
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(alone, cuts * 20)) == mixed * 20


def test_flush_starts_a_new_stream() -> None:
    stream = StreamResampler(16000, 24000)
    sound = tone(440, 16000, 0.1)
    first = stream.process(sound) + stream.flush()
    assert stream.process(sound) + stream.flush() == first


@pytest.mark.parametrize(("in_hz", "out_hz"), [(0, 16000), (16000, -1)])
def test_rates_that_are_none_are_refused(in_hz: int, out_hz: int) -> None:
    with pytest.raises(SoundError, match=f"{in_hz} Hz to {out_hz} Hz"):
        StreamResampler(in_hz, out_hz)


def test_an_odd_number_of_bytes_is_refused() -> None:
    with pytest.raises(SoundError):
        StreamResampler(16000, 24000).process(bytes(3))
    with pytest.raises(SoundError):
        resample(bytes(3), 16000, 24000)
