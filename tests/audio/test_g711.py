"""G.711, against the values of another implementation."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from crossfade.audio.g711 import decode_a_law, decode_mu_law, encode_a_law, encode_mu_law
from crossfade.errors import SoundError

Law = Callable[[bytes], bytes]
LAWS = [("ULAW", encode_mu_law, decode_mu_law), ("ALAW", encode_a_law, decode_a_law)]


@pytest.mark.parametrize(("subtype", "encode", "decode"), LAWS)
def test_every_code_has_the_value_that_libsndfile_gives_it(
    subtype: str, encode: Law, decode: Law
) -> None:
    codes = bytes(range(256))
    values, _ = soundfile.read(
        io.BytesIO(codes), 1 << 9, dtype="int16", samplerate=8000, channels=1,
        format="RAW", subtype=subtype,
    )  # fmt: skip
    assert np.frombuffer(decode(codes), "<i2").tolist() == values.tolist()
    # µ-law has two zeros, of which one is said.
    assert decode(encode(decode(codes))) == decode(codes)


@pytest.mark.parametrize(("subtype", "encode", "decode"), LAWS)
def test_every_value_is_said_by_a_near_code(subtype: str, encode: Law, decode: Law) -> None:
    values = np.arange(-32768, 32768).astype("<i2")
    heard = np.frombuffer(decode(encode(values.tobytes())), "<i2").astype(int)
    wrong = np.abs(heard - values)
    assert np.all(wrong <= np.maximum(np.abs(values.astype(int)) / 16, 16))
    assert np.all(np.diff(heard) >= 0)


@pytest.mark.parametrize("encode", [encode_mu_law, encode_a_law])
def test_half_a_sample_is_refused(encode: Law) -> None:
    with pytest.raises(SoundError):
        encode(b"\x00")
