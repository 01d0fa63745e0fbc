import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from crossfade.audio.resample import resample
from crossfade.observability import timeline
from crossfade.observability.call_sound import CallSound, Placed
from crossfade.observability.timeline import (
    JITTER_S,
    LATE_S,
    Piece,
    Placement,
    Side,
    StereoTimeline,
    Track,
)

RATE_HZ = 8000
FRAME_S = 0.02
FRAME = round(RATE_HZ * FRAME_S)


def chunk(value: int, samples: int = FRAME) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()


def channels(frames: bytes) -> NDArray[np.int16]:
    return np.frombuffer(frames, dtype="<i2").reshape(-1, 2).T


def placed(placement: Placement, *arrivals_s: float, seconds: float = FRAME_S) -> list[Piece]:
    pcm = bytes(round(seconds * RATE_HZ) * 2)
    pieces = [piece for at_s in arrivals_s for piece in placement.place(pcm, RATE_HZ, at_s)]
    return [*pieces, *placement.settle()]


def edges(pieces: list[Piece]) -> list[float]:
    return [round(piece.start_s, 6) for piece in pieces]


@pytest.mark.parametrize("late_s", [0.0, LATE_S])
@given(lateness_s=st.lists(st.floats(0, JITTER_S - 0.001), min_size=1, max_size=100))
def test_jitter_of_arrival_makes_neither_gaps_nor_overlaps(
    late_s: float, lateness_s: list[float]
) -> None:
    arrivals_s = [5.0 + n * FRAME_S + late for n, late in enumerate(lateness_s, start=1)]
    first, *others = placed(Placement(late_s), 5.0, *arrivals_s)
    assert all(piece.contiguous for piece in others)
    assert edges([first, *others]) == pytest.approx(
        [5.0 + n * FRAME_S for n in range(len(lateness_s) + 1)]
    )


@pytest.mark.parametrize("late_s", [0.0, LATE_S])
def test_a_burst_is_laid_end_to_end(late_s: float) -> None:
    pieces = placed(Placement(late_s), *[1.0] * 10)
    assert edges(pieces) == pytest.approx([1.0 + n * FRAME_S for n in range(10)])


@pytest.mark.parametrize("late_s", [0.0, LATE_S])
def test_sound_after_a_pause_lies_where_it_came(late_s: float) -> None:
    pieces = placed(Placement(late_s), 1.0, 1.09, 1.11, 1.13, 1.15)
    assert edges(pieces) == [1.0, 1.09, 1.11, 1.13, 1.15]
    assert [piece.contiguous for piece in pieces] == [False, False, True, True, True]


def test_a_callers_sound_that_a_stall_made_late_lies_where_it_was_said() -> None:
    """Fifteen chunks were due while nothing came; they come at once, and then it goes on."""
    pieces = placed(Placement(LATE_S), 1.0, *[1.3] * 15, 1.32, 1.34, 1.36)
    assert edges(pieces) == pytest.approx([1.0 + n * FRAME_S for n in range(19)])
    assert all(piece.contiguous for piece in pieces[1:])


def test_what_was_late_after_a_pause_lies_as_much_earlier() -> None:
    pieces = placed(Placement(LATE_S), 1.0, *[2.0] * 6, 2.02)
    assert edges(pieces) == pytest.approx([1.0, *(1.9 + n * FRAME_S for n in range(7))])


def test_no_sound_is_laid_earlier_than_half_a_second_before_it_came() -> None:
    pieces = placed(Placement(LATE_S), 1.0, *[9.0] * 100)
    assert edges(pieces)[:3] == [1.0, 8.5, 8.52]


def test_what_an_agent_says_late_was_heard_late() -> None:
    pieces = placed(Placement(), 1.0, *[1.3] * 3)
    assert edges(pieces) == [1.0, 1.3, 1.32, 1.34]


class Recorded:
    """A timeline that is given chunks as they come."""

    def __init__(self) -> None:
        self.timeline = StereoTimeline(RATE_HZ)
        self.sound = CallSound(self._lay)
        self.refused: list[Piece] = []

    def _lay(self, placed: Placed, now_s: float) -> None:
        for side, piece in placed:
            if not self.timeline.lay(side, piece, now_s):
                self.refused.append(piece)

    def add(self, side: Side, pcm: bytes, at_s: float) -> None:
        self.sound.add(side, pcm, RATE_HZ, at_s)

    def finish(self) -> bytes:
        self.sound.finish()
        return self.timeline.finish()


arrivals = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.floats(0, 0.3),  # pause since the chunk before, of either side
        st.integers(0, 700),  # samples
    ),
    max_size=40,
)


@settings(deadline=None)
@given(arrivals, st.sets(st.integers(0, 40)))
def test_taking_early_changes_nothing_of_the_recording(
    chunks: list[tuple[Side, float, int]], taken_after: set[int]
) -> None:
    whole, pieces = Recorded(), Recorded()
    early = b""
    at_s = 0.0
    for number, (side, pause_s, samples) in enumerate(chunks):
        at_s += pause_s
        for each in (whole, pieces):
            each.add(side, chunk(number + 1, samples), at_s)
        if number in taken_after:
            early += pieces.timeline.take()
    assert early + pieces.finish() == whole.finish()


@settings(deadline=None)
@given(arrivals)
def test_no_sample_is_lost_or_said_twice(chunks: list[tuple[Side, float, int]]) -> None:
    stereo = Recorded()
    expected: dict[Side, list[int]] = {side: [] for side in Side}
    at_s = 0.0
    for number, (side, pause_s, samples) in enumerate(chunks):
        at_s += pause_s
        stereo.add(side, chunk(number + 1, samples), at_s)
        expected[side] += [number + 1] * samples
    sides = channels(stereo.timeline.take() + stereo.finish())
    for side in Side:
        said = sides[side.value]
        assert said[said != 0].tolist() == expected[side]


def test_each_side_lies_at_its_time_and_silence_fills_the_rest() -> None:
    stereo = Recorded()
    stereo.add(Side.CALLER, chunk(7), 0.5)
    stereo.add(Side.AGENT, chunk(9), 1.0)
    left, right = channels(stereo.finish())
    assert len(left) == round(1.02 * RATE_HZ)
    assert np.flatnonzero(left).tolist() == list(range(4000, 4000 + FRAME))
    assert np.flatnonzero(right).tolist() == list(range(8000, 8000 + FRAME))


def test_what_is_taken_is_behind_what_may_still_change() -> None:
    stereo = Recorded()
    stereo.add(Side.CALLER, chunk(7), 1.0)
    taken_s = channels(stereo.timeline.take()).shape[1] / RATE_HZ
    assert 0.4 < taken_s < 1.0 - LATE_S


@settings(deadline=None)
@given(st.sampled_from([8000, 16000, 44100, 48000]), st.lists(st.integers(1, 3000), max_size=20))
def test_resampled_sound_keeps_its_length_however_it_was_cut(
    rate_hz: int, lengths: list[int]
) -> None:
    track = Track(24_000)
    for samples in lengths:
        track.lay(Piece(chunk(1000, samples), rate_hz, track.end_s, True))
    expected = round(sum(lengths) * 24_000 / rate_hz)
    assert abs(len(track.take(10**6).rstrip(b"\0")) / 2 - expected) <= 2


@settings(deadline=None)
@given(
    st.sampled_from([8000, 16_000, 44_100, 48_000]),
    st.lists(st.tuples(st.integers(1, 9000), st.booleans()), min_size=1, max_size=20),
)
def test_resampled_sound_is_the_same_however_it_was_cut_and_taken(
    rate_hz: int, pieces: list[tuple[int, bool]]
) -> None:
    rng = np.random.default_rng(0)
    samples = sum(length for length, _ in pieces)
    pcm = rng.integers(-9000, 9000, samples).astype("<i2").tobytes()
    track, taken, at, until = Track(24_000), b"", 0, 0
    for length, take in pieces:
        track.lay(Piece(pcm[2 * at : 2 * (at + length)], rate_hz, at / rate_hz, True))
        at += length
        # As far as it is settled: behind what a resampler withholds.
        if take and (settled := (at - 100) * 24_000 // rate_hz) > until:
            until = settled
            taken += track.take(until)
    whole = resample(pcm, rate_hz, 24_000)
    taken += track.take(len(whole) // 2)
    assert taken == whole


def test_a_change_of_rate_inside_a_run_leaves_no_gap() -> None:
    track = Track(16_000)
    track.lay(Piece(chunk(1000, 800), 8000, 0.0, False))
    track.lay(Piece(chunk(1000, 1600), 16_000, 0.1, True))
    sound = np.frombuffer(track.take(3200), dtype="<i2")
    assert np.abs(sound[100:3100] - 1000.0).max() < 600


def test_a_side_too_far_ahead_of_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "LIMIT_S", 1.01)
    stereo = Recorded()
    for _ in range(60):
        stereo.add(Side.AGENT, chunk(1), 0.0)
        stereo.sound.hand_on()
    assert edges(stereo.refused) == pytest.approx([1.02 + n * FRAME_S for n in range(9)])
    stereo.add(Side.CALLER, chunk(1), 0.0)
    stereo.sound.hand_on()
    assert len(stereo.refused) == 9
