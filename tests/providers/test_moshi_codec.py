"""Ogg/Opus by sphn, whole and broken."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.audio.energy import rms_dbfs
from crossfade.audio.pcm import to_float
from crossfade.errors import SettingsError
from crossfade.providers.moshi_codec import OpusCodec, opus_codec
from tests.providers.moshi_frames import FRAME_SAMPLES, ogg_page, silence, speech

pytest.importorskip("sphn")

FRAME_BYTES = 2 * FRAME_SAMPLES


def frames(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]


def encoded(pcm: bytes) -> list[bytes]:
    """What a server's messages hold."""
    codec = opus_codec()
    return [codec.encode(frame) for frame in frames(pcm)]


def test_sound_comes_back_as_long_and_as_loud_as_it_was() -> None:
    codec = opus_codec()
    pcm = silence(400) + speech(1200) + silence(400)
    back = b"".join(map(codec.decode, encoded(pcm)))
    assert len(back) == len(pcm)
    assert rms_dbfs(back[2 * 24000 // 5 :]) == pytest.approx(rms_dbfs(pcm[2 * 24000 // 5 :]), abs=1)
    spectrum = np.abs(np.fft.rfft(to_float(back[2 * 12000 : 2 * 36000])))
    assert np.argmax(spectrum) == 400


def test_each_frame_comes_with_its_message() -> None:
    codec = opus_codec()
    assert [len(codec.decode(message)) for message in encoded(speech(400))] == [FRAME_BYTES] * 5


def test_frames_may_come_in_one_message() -> None:
    assert len(opus_codec().decode(b"".join(encoded(speech(400))))) == 5 * FRAME_BYTES


def test_no_data_is_no_sound() -> None:
    codec = opus_codec()
    head, *rest = encoded(speech(400))
    codec.decode(head)
    assert codec.decode(b"") == b""
    assert len(codec.decode(rest[0])) == FRAME_BYTES


TONE = encoded(speech(320))
BROKEN = {
    "noise": b"no Ogg at all, by no means, not a bit of it",
    "a page cut off in its header": TONE[2][:20],
    "a page cut off in its lengths": ogg_page([b"x" * 300])[:28],
    "a page cut off in its packet": TONE[2][:-1],
    "more after the page": TONE[2] + b"OggS",
    "a wrong version": b"OggS\x01" + TONE[2][5:],
    "a packet that goes on": ogg_page([b"x" * 255], lengths=b"\xff"),
    "a packet that went on": ogg_page([b"x"], flags=1),
    "an empty packet": ogg_page([b""]),
    "an empty packet after a whole one": ogg_page([b"xx", b""]),
    "two streams": ogg_page([b"x"]) + ogg_page([b"x"], serial=43),
    "no Opus": ogg_page([b"\xff" * 40]),
    "Opus after no Opus": ogg_page([b"\xff" * 40, b"\xf8" + bytes(40)]),
    "too many packets": ogg_page([b"xx"] * 101),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_costs_nothing_but_itself(broken: bytes) -> None:
    codec = opus_codec()
    codec.decode(TONE[0])
    codec.decode(TONE[1])
    with pytest.raises(ValueError, match=r"\w"):
        codec.decode(broken)
    assert len(codec.decode(TONE[2])) == FRAME_BYTES
    assert rms_dbfs(codec.decode(TONE[3])) == pytest.approx(rms_dbfs(speech()), abs=1)


def test_a_new_stream_is_decoded_by_a_new_decoder() -> None:
    made = []

    class Reader:
        def __init__(self, rate_hz: int) -> None:
            made.append(self)

        def append_bytes(self, data: bytes) -> object:
            return np.zeros(4, np.float32)

    class Sphn:
        OpusStreamReader = Reader
        OpusStreamWriter = Reader

    codec = OpusCodec(Sphn)
    made.clear()
    codec.decode(ogg_page([b"x"], serial=1))
    codec.decode(ogg_page([b"x"], serial=1))
    assert len(made) == 1
    codec.decode(ogg_page([b"x"], serial=2))
    assert len(made) == 2


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sphn", None)
    with pytest.raises(SettingsError, match=r"crossfade\[moshi\]"):
        opus_codec()


pages = st.builds(
    ogg_page,
    st.lists(
        st.binary(max_size=40)
        | st.binary(max_size=12).map(b"OpusHead".__add__)
        | st.binary(max_size=12).map(b"OpusTags".__add__),
        max_size=5,
    ),
    number=st.integers(0, 5),
    flags=st.integers(0, 7),
    serial=st.sampled_from([42, 43]),
    lengths=st.none() | st.binary(max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(pages | st.binary(max_size=60) | st.sampled_from(TONE), max_size=8))
def test_only_a_value_error_escapes(messages: list[bytes]) -> None:
    codec = opus_codec()
    for message in messages:
        try:
            pcm = codec.decode(message)
        except ValueError:
            continue
        # 100 packets of 120 ms.
        assert len(pcm) <= 2 * 24000 * 12
