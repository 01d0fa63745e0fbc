import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.observability.sound_spans import SoundSpans, Span

RATE_HZ = 8000


def noise(seconds: float, dbfs: float) -> bytes:
    samples = np.random.default_rng(1).choice([-1.0, 1.0], round(seconds * RATE_HZ))
    return (samples * 32768 * 10 ** (dbfs / 20)).astype("<i2").tobytes()


LOUD, SILENT = noise(0.02, -20), bytes(320)


def edges(spans: list[Span]) -> list[float]:
    return [edge for span in spans for edge in (span.start_s, span.end_s)]


def test_sound_is_found_where_it_is() -> None:
    spans = SoundSpans(join_s=0.2)
    pcm = bytes(RATE_HZ * 2) + noise(0.5, -30) + bytes(RATE_HZ) + noise(0.25, -40)
    spans.add(pcm, RATE_HZ, 10.0)
    spans.flush()
    assert edges(spans.spans) == pytest.approx([11, 11.5, 12, 12.25])


def test_a_level_below_the_threshold_is_silence() -> None:
    spans = SoundSpans(join_s=0.2)
    spans.add(noise(1, -50), RATE_HZ, 0.0)
    spans.flush()
    assert not spans.spans


def test_a_short_gap_does_not_end_a_stretch() -> None:
    spans = SoundSpans(join_s=0.2)
    spans.add(noise(0.1, -20) + bytes(round(0.15 * RATE_HZ) * 2) + noise(0.1, -20), RATE_HZ, 0.0)
    spans.flush()
    assert edges(spans.spans) == pytest.approx([0, 0.35])


def test_a_pause_in_the_stream_is_a_gap_like_silence() -> None:
    spans = SoundSpans(join_s=0.2)
    spans.add(LOUD, RATE_HZ, 1.0)
    spans.add(LOUD, RATE_HZ, 2.0)
    spans.flush()
    assert edges(spans.spans) == pytest.approx([1, 1.02, 2, 2.02])


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=60), st.lists(st.integers(1, 500), max_size=60))
def test_spans_do_not_depend_on_how_the_sound_was_cut(loud: list[bool], cuts: list[int]) -> None:
    pcm = b"".join(LOUD if each else SILENT for each in loud)
    whole, pieces = SoundSpans(join_s=0.05), SoundSpans(join_s=0.05)
    whole.add(pcm, RATE_HZ, 0.0)
    at = 0
    for samples in [*cuts, len(pcm)]:
        pieces.add(pcm[at : at + 2 * samples], RATE_HZ, at / 2 / RATE_HZ)
        at = min(len(pcm), at + 2 * samples)
    whole.flush()
    pieces.flush()
    assert edges(pieces.spans) == pytest.approx(edges(whole.spans))
