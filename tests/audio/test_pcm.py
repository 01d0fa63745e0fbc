import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.audio.pcm import (
    bytes_for,
    check_mono,
    duration_ms,
    mix_down,
    silence,
    to_float,
    to_pcm,
)
from crossfade.errors import SoundError

samples = st.lists(st.integers(-32768, 32767))


@given(samples)
def test_float_and_back_is_the_same_sound(values: list[int]) -> None:
    pcm = np.array(values, dtype="<i2").tobytes()
    assert to_pcm(to_float(pcm)) == pcm


def test_samples_beyond_full_scale_are_clipped_and_others_rounded() -> None:
    given_samples = np.array([2.0, -2.0, 1.0, 0.6 / 32768, -0.4 / 32768])
    assert np.frombuffer(to_pcm(given_samples), "<i2").tolist() == [32767, -32768, 32767, 1, 0]


def test_length_and_duration_agree() -> None:
    assert bytes_for(20, 24000) == 960
    assert bytes_for(20, 22050) == 882
    assert duration_ms(bytes(960), 24000) == 20
    assert duration_ms(bytes(960), 24000, channels=2) == 10
    assert silence(2.5, 8000) == bytes(40)


def test_an_odd_number_of_bytes_is_refused_with_the_number() -> None:
    check_mono(bytes(2))
    with pytest.raises(SoundError, match="got 3"):
        check_mono(bytes(3))
    with pytest.raises(SoundError):
        to_float(bytes(1))


def test_channels_are_mixed_alike() -> None:
    frames = np.array([[100, 300], [-32768, -32768], [32767, -32767]], dtype="<i2")
    assert np.frombuffer(mix_down(frames.tobytes(), 2), "<i2").tolist() == [200, -32768, 0]


def test_one_channel_is_mixed_to_itself() -> None:
    assert mix_down(b"\x01\x02", 1) == b"\x01\x02"


@pytest.mark.parametrize(("size", "channels"), [(6, 2), (4, 0), (3, 1)])
def test_incomplete_frames_are_refused(size: int, channels: int) -> None:
    with pytest.raises(SoundError, match=f"{size} bytes"):
        mix_down(bytes(size), channels)
