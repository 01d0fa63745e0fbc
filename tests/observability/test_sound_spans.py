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


def test_sound_is_judged_soon_until_there_was_some_since_the_last_pause() -> None:
    spans = SoundSpans(join_s=0.2, batch_ms=100, heard_batch_ms=1000)
    at_s = 0.0
    for pause_s in (0.0, 3.0):
        at_s += pause_s
        begun_s = at_s
        found: list[float] = []
        for _ in range(60):
            spans.add(LOUD, RATE_HZ, at_s)
            at_s += 0.02
            found.append(spans.spans[-1].end_s - begun_s if spans.spans else 0.0)
        assert [found[at] for at in (4, 5, 53, 54)] == pytest.approx([0.1, 0.1, 0.1, 1.1])


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


def test_what_is_left_on_the_line_behind_a_voice_does_not_prolong_it() -> None:
    spans = SoundSpans(join_s=0.2)
    spans.add(noise(0.5, -12) + noise(2, -44), RATE_HZ, 0.0)
    spans.flush()
    assert edges(spans.spans) == pytest.approx([0, 0.5])


def test_after_a_pause_soft_speech_is_heard_again() -> None:
    spans = SoundSpans(join_s=0.2)
    spans.add(noise(0.5, -12) + bytes(RATE_HZ) + noise(0.5, -44), RATE_HZ, 0.0)
    spans.flush()
    assert edges(spans.spans) == pytest.approx([0, 0.5, 1, 1.5])


LEVELS = [SILENT, noise(0.02, -43), noise(0.02, -30), noise(0.02, -8)]


@settings(deadline=None)
@given(st.lists(st.sampled_from(LEVELS), max_size=60), st.lists(st.integers(1, 500), max_size=60))
def test_nor_do_they_where_levels_differ(levels: list[bytes], cuts: list[int]) -> None:
    pcm = b"".join(levels)
    whole, pieces = SoundSpans(join_s=0.05), SoundSpans(join_s=0.05, batch_ms=30)
    whole.add(pcm, RATE_HZ, 0.0)
    at = 0
    for samples in [*cuts, len(pcm)]:
        pieces.add(pcm[at : at + 2 * samples], RATE_HZ, at / 2 / RATE_HZ)
        at = min(len(pcm), at + 2 * samples)
    whole.flush()
    pieces.flush()
    assert edges(pieces.spans) == pytest.approx(edges(whole.spans))
