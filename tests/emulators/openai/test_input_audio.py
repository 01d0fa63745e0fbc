"""The input audio buffer and its positions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.emulators.openai.errors import RequestRefused
from crossfade.emulators.openai.input_audio import InputAudioBuffer


@given(st.lists(st.binary(max_size=9), max_size=30))
def test_no_byte_is_lost_or_split_however_the_audio_is_cut(chunks: list[bytes]) -> None:
    buffer = InputAudioBuffer()
    given = [buffer.append(chunk) for chunk in chunks]
    whole = b"".join(chunks)
    whole = whole[: len(whole) & ~1]
    assert all(len(chunk) % 2 == 0 for chunk in given)
    assert b"".join(given) == whole == buffer.take()


def test_positions_count_all_audio_ever_appended() -> None:
    buffer = InputAudioBuffer()
    buffer.append(bytes(48 * 1000))
    buffer.forget_before(400)
    assert (buffer.start_ms, buffer.end_ms, buffer.held_ms) == (400, 1000, 600)
    assert len(buffer.take(900)) == 48 * 500
    assert (buffer.start_ms, buffer.end_ms) == (900, 1000)
    buffer.forget_before(5000)
    assert (buffer.start_ms, buffer.end_ms) == (1000, 1000)
    assert buffer.take(500) == b""


def test_less_than_100_ms_is_not_committed() -> None:
    buffer = InputAudioBuffer()
    buffer.append(bytes(48 * 99))
    with pytest.raises(RequestRefused, match=r"buffer only has 99\.00ms of audio"):
        buffer.commit(buffer.held_ms)
    buffer.append(bytes(48))
    assert len(buffer.commit(buffer.held_ms)) == 4800


def test_the_buffer_is_bounded() -> None:
    buffer = InputAudioBuffer()
    buffer.append(bytes(30 * 60 * 1000 * 48))
    with pytest.raises(RequestRefused, match="30 minutes"):
        buffer.append(b"\0\0")
