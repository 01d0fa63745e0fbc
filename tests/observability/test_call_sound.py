"""Both sides of a call, placed once and handed on together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.observability.call_sound import EVERY_S, CallSound, Placed, apart_s
from crossfade.observability.timeline import LATE_S, Piece, Placement, Side

RATE_HZ = 8000
FRAME_S = 0.02


def chunk(value: int, samples: int = 160) -> bytes:
    return np.full(samples, value, dtype="<i2").tobytes()


class Listener:
    def __init__(self) -> None:
        self.times_s: list[float] = []
        self.pieces: list[tuple[Side, Piece]] = []

    def __call__(self, placed: Placed, now_s: float) -> None:
        self.times_s.append(now_s)
        self.pieces += placed


def test_sound_that_goes_on_is_handed_on_in_few_pieces() -> None:
    heard = Listener()
    sound = CallSound(heard)
    for n in range(100):
        sound.add(Side.CALLER, chunk(n + 1), RATE_HZ, n * FRAME_S)
        sound.add(Side.AGENT, chunk(n + 1), RATE_HZ, n * FRAME_S)
    sound.finish()
    assert len(heard.pieces) <= 2 * (2 / EVERY_S + 2)
    assert max(np.diff(heard.times_s)) <= EVERY_S + FRAME_S + 1e-9
    for side in Side:
        mine = [piece for whose, piece in heard.pieces if whose is side]
        assert b"".join(piece.pcm for piece in mine) == b"".join(chunk(n + 1) for n in range(100))
        assert [piece.contiguous for piece in mine] == [False] + [True] * (len(mine) - 1)


def test_sound_is_handed_on_at_the_calls_own_times() -> None:
    heard = Listener()
    sound = CallSound(heard, 0.09)
    for n in range(50):
        sound.add(Side.CALLER, chunk(n + 1), RATE_HZ, n * FRAME_S)
    assert heard.times_s == pytest.approx([0, 0.1, 0.3, 0.5, 0.7, 0.9])


@given(st.integers(0, 10_000), st.integers(2, 40))
def test_however_many_calls_follow_each_other_their_times_are_apart(first: int, calls: int) -> None:
    times_s = sorted(apart_s(number) for number in range(first, first + calls))
    assert 0 <= times_s[0] <= times_s[-1] < EVERY_S
    gaps_s = np.diff([*times_s, times_s[0] + EVERY_S])
    assert gaps_s.min() > EVERY_S / calls / 3


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 0.3),  # pause since the chunk before
            st.integers(1, 700),  # samples
            st.sampled_from([8000, 16000]),
        ),
        max_size=40,
    ),
    st.sets(st.integers(0, 40)),
)
def test_all_sound_lies_where_chunk_by_chunk_it_would(
    chunks: list[tuple[float, int, int]], asked_after: set[int]
) -> None:
    heard, placement = Listener(), Placement(LATE_S)
    sound = CallSound(heard)
    alone: list[Piece] = []
    at_s = 0.0
    for number, (pause_s, samples, rate_hz) in enumerate(chunks):
        at_s += pause_s
        alone += placement.settle(at_s)
        alone += placement.place(chunk(number + 1, samples), rate_hz, at_s)
        sound.add(Side.CALLER, chunk(number + 1, samples), rate_hz, at_s)
        if number in asked_after:
            sound.hand_on()
    alone += placement.settle()
    sound.finish()
    found = iter(alone)
    for _, piece in heard.pieces:
        first = part = next(found)
        assert (piece.rate_hz, piece.contiguous) == (first.rate_hz, first.contiguous)
        assert piece.start_s == pytest.approx(first.start_s)
        pcm = part.pcm
        while len(pcm) < len(piece.pcm):
            part = next(found)
            assert part.contiguous
            pcm += part.pcm
        assert pcm == piece.pcm
    assert next(found, None) is None
