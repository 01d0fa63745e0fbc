"""Bytes, samples and milliseconds."""

import pytest

from crossfade.providers.config import Encoding
from crossfade.providers.openai_profiles import OPENAI, QWEN
from crossfade.providers.sound_format import sound_format


def test_pcm_has_the_rates_of_the_model() -> None:
    sound = sound_format(Encoding.PCM, QWEN.fallback)
    assert (sound.input_rate_hz, sound.output_rate_hz, sound.sample_bytes) == (16000, 24000, 2)
    assert sound.input_ms(32) == 1.0
    assert sound.output_ms(48) == 1.0


@pytest.mark.parametrize("encoding", [Encoding.ULAW, Encoding.ALAW])
def test_g711_is_eight_bytes_a_millisecond(encoding: Encoding) -> None:
    sound = sound_format(encoding, OPENAI.fallback)
    assert (sound.input_rate_hz, sound.output_rate_hz, sound.sample_bytes) == (8000, 8000, 1)
    assert sound.input_ms(8) == sound.output_ms(8) == 1.0
