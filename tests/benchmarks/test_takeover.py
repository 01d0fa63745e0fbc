"""What the takeover benchmark judges by; the kills themselves are in tests/pipelines."""

import pytest

from crossfade.audio.resample import resample
from crossfade.benchmarks.takeover_call import compare, overlap
from tests.pipelines.serving import question

MS = 48
"""Bytes of a millisecond at 24 kHz."""


@pytest.fixture(scope="module")
def heard() -> bytes:
    return bytes(300 * MS) + resample(question(), 16000, 24000)


def test_a_question_that_came_whole(heard: bytes) -> None:
    assert compare(question(), heard) == (0, 0)


@pytest.mark.parametrize("ms", [20, 200])
def test_what_is_missing_is_measured(heard: bytes, ms: int) -> None:
    cut = 1200 * MS
    lost_ms, doubled_ms = compare(question(), heard[:cut] + heard[cut + ms * MS :])
    assert (lost_ms, doubled_ms) == (ms, 0)


@pytest.mark.parametrize("ms", [20, 200])
def test_what_came_twice_is_measured(heard: bytes, ms: int) -> None:
    cut = 1200 * MS
    lost_ms, doubled_ms = compare(question(), heard[:cut] + heard[cut - ms * MS :])
    assert (lost_ms, doubled_ms) == (0, ms)


def test_what_never_came_is_all_lost() -> None:
    lost_ms, _ = compare(question(), bytes(2000 * MS))
    assert lost_ms == pytest.approx(1801.6, abs=1)


@pytest.mark.parametrize(
    ("heard_ms", "rest", "came"),
    [
        (800, "three four", (0, 0)),
        (1000, "three four", (200, 0)),
        (500, "three four", (0, 300)),
        (700, "", (0, 1100)),
        (700, "something else", (0, 1100)),
    ],
)
def test_words_that_were_heard_twice_or_never(
    heard_ms: float, rest: str, came: tuple[float, float]
) -> None:
    assert overlap(heard_ms, rest, "one two three four", 1800) == came
