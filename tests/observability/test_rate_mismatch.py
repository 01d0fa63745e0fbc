import itertools
import random
from collections.abc import Iterable, Iterator
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.observability.rate_mismatch import GAP_S, RateMismatch, RateWatch

RATES_HZ = (8000, 16_000, 24_000, 48_000)
CHUNK_S = 0.02

Arrivals = Iterable[tuple[float, int]]


def live(rate_hz: int, seconds: float, chunk_s: float = CHUNK_S) -> list[tuple[float, int]]:
    """What a source of this rate brings, and when: pieces of sound as long as they took."""
    size = round(rate_hz * chunk_s) * 2
    return [(n * chunk_s, size) for n in range(1, round(seconds / chunk_s) + 1)]


def hear(arrivals: Arrivals, declared_hz: int) -> list[RateMismatch]:
    watch = RateWatch()
    heard = (watch.hear(size, declared_hz, at_s) for at_s, size in arrivals)
    return [found for found in heard if found is not None]


@pytest.mark.parametrize(("true_hz", "declared_hz"), list(permutations(RATES_HZ, 2)))
def test_every_pair_of_rates_is_told_apart(true_hz: int, declared_hz: int) -> None:
    (found,) = hear(live(true_hz, 10), declared_hz)
    assert (found.declared_hz, found.likely_hz) == (declared_hz, true_hz)
    assert found.measured_hz == pytest.approx(true_hz, rel=0.02)
    assert found.at_s < 4.2


def sized(samples: int, true_hz: int) -> list[tuple[float, int]]:
    """Half a minute of a source whose pieces have so many samples."""
    return live(true_hz, 30, samples / true_hz)


@pytest.mark.parametrize(("true_hz", "declared_hz"), list(permutations(RATES_HZ, 2)))
@pytest.mark.parametrize("by_declared", [True, False], ids=["declared", "true"])
@pytest.mark.parametrize("piece_ms", [10, 20, 40, 100, 200])
def test_every_pair_is_told_apart_in_pieces_of_any_duration(
    true_hz: int, declared_hz: int, by_declared: bool, piece_ms: int
) -> None:
    samples = (declared_hz if by_declared else true_hz) * piece_ms // 1000
    (found,) = hear(sized(samples, true_hz), declared_hz)
    assert found.likely_hz == true_hz
    # The first piece, and two windows of whole pieces.
    assert found.at_s < 4 + 4 * samples / true_hz


@pytest.mark.parametrize(("true_hz", "declared_hz"), list(permutations(RATES_HZ, 2)))
@pytest.mark.parametrize("samples", [1024, 2048, 4096])
def test_every_pair_is_told_apart_in_pieces_as_browsers_cut_them(
    true_hz: int, declared_hz: int, samples: int
) -> None:
    (found,) = hear(sized(samples, true_hz), declared_hz)
    assert found.likely_hz == true_hz


@pytest.mark.parametrize("samples", [1024, 2048, 4096])
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_long_pieces_of_the_declared_rate_are_not_told_of(rate_hz: int, samples: int) -> None:
    assert not hear(sized(samples, rate_hz), rate_hz)


def gated(
    spoken_s: tuple[float, float], pause_s: tuple[float, float], jitter_s: float, seed: int
) -> Iterator[tuple[float, int]]:
    """Two minutes of 16 kHz of a client that sends nothing in the speaker's pauses."""
    chance = random.Random(seed)
    at_s = 0.0
    while at_s < 120:
        ends_s = at_s + chance.uniform(*spoken_s)
        while at_s < ends_s:
            at_s += CHUNK_S
            yield at_s + chance.uniform(0, jitter_s), 640
        at_s += chance.uniform(*pause_s)


@pytest.mark.parametrize("jitter_s", [0.0, 0.01, 0.04])
@pytest.mark.parametrize(
    ("spoken_s", "pause_s"),
    [
        ((0.2, 0.6), (0.05, 0.2)),
        ((0.2, 0.6), (0.1, 0.24)),
        ((0.1, 0.5), (0.05, 0.4)),
        ((0.3, 2.0), (0.1, 1.5)),
        ((0.3, 0.3), (0.2, 0.2)),
    ],
)
def test_a_client_that_sends_nothing_in_short_pauses_is_not_told_of(
    spoken_s: tuple[float, float], pause_s: tuple[float, float], jitter_s: float
) -> None:
    for seed in range(10):
        sound = gated(spoken_s, pause_s, jitter_s, seed)
        assert not hear(late(sound, itertools.repeat(0.0)), 16_000)


def test_a_wrong_rate_is_told_where_pieces_come_in_handfuls() -> None:
    """A browser's 4096 samples, cut in pieces of 20 ms for the line."""
    arrivals = [(at_s, 640) for at_s, _ in sized(4096, 24_000) for _ in range(12)]
    assert hear(arrivals, 16_000)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("chunk_s", [0.01, 0.02, 0.1, 0.2])
def test_a_source_that_says_its_rate_is_not_told_of(rate_hz: int, chunk_s: float) -> None:
    assert not hear(live(rate_hz, 60, chunk_s), rate_hz)


@pytest.mark.parametrize("off", [0.96, 1.04])
def test_a_clock_that_is_a_little_off_is_not_told_of(off: float) -> None:
    assert not hear(((at_s * off, size) for at_s, size in live(16_000, 60)), 16_000)


def test_44_100_is_told_from_48_000() -> None:
    (found,) = hear(live(44_100, 10), 48_000)
    assert found.likely_hz == 44_100


def test_a_rate_that_nobody_uses_is_told_as_measured() -> None:
    (found,) = hear(live(19_000, 10), 48_000)
    assert found.likely_hz == pytest.approx(19_000, rel=0.02)


def test_each_declared_rate_is_told_of_once() -> None:
    watch = RateWatch()
    found = [watch.hear(size, 16_000, at_s) for at_s, size in live(24_000, 30)]
    found += [watch.hear(size, 48_000, 30 + at_s) for at_s, size in live(24_000, 30)]
    assert [each.declared_hz for each in found if each] == [16_000, 48_000]


def test_pieces_without_sound_tell_nothing() -> None:
    assert not hear(((n * 0.02, 0) for n in range(1000)), 16_000)
    assert not hear(((at_s, size * (n % 2)) for n, (at_s, size) in enumerate(live(8000, 20))), 4000)


def test_a_file_and_a_burst_tell_nothing() -> None:
    assert not hear(((n * 0.0001, 640) for n in range(100_000)), 16_000)
    assert not hear(((0.0, 640) for _ in range(10_000)), 16_000)


def late(arrivals: Arrivals, delays_s: Iterator[float]) -> Arrivals:
    """The same pieces in the same order, each so much later at least."""
    before_s = 0.0
    for (at_s, size), delay_s in zip(arrivals, delays_s, strict=False):
        before_s = max(before_s, at_s + delay_s)
        yield before_s, size


@given(st.data(), st.sampled_from(RATES_HZ))
def test_jitter_does_not_fire(data: st.DataObject, rate_hz: int) -> None:
    delays_s = data.draw(st.lists(st.floats(0, 0.18), min_size=40, max_size=40))
    arrivals = late(live(rate_hz, 20), iter(delays_s * 25))
    assert not hear(arrivals, rate_hz)


@pytest.mark.parametrize("seed", [4, 20])
def test_a_bad_line_does_not_fire(seed: int) -> None:
    """Delays of 40 ms in the mean and a third of a second at times, over five minutes."""
    chance = random.Random(seed)
    arrivals = live(48_000, 300)
    assert not hear(late(arrivals, (chance.expovariate(25) for _ in arrivals)), 48_000)


@given(
    st.lists(st.tuples(st.floats(0.1, 6), st.floats(GAP_S + CHUNK_S, 5)), max_size=12),
    st.booleans(),
)
def test_pauses_and_stalls_do_not_fire(pauses: list[tuple[float, float]], lost: bool) -> None:
    """While a source is muted nothing comes; after a stall all that was late comes at once."""
    arrivals: list[tuple[float, int]] = []
    base_s = 0.0
    for spoken_s, pause_s in [*pauses, (8.0, 0.0)]:
        for at_s, size in live(16_000, spoken_s + (0 if lost else pause_s)):
            arrivals.append((base_s + (at_s if at_s <= spoken_s else spoken_s + pause_s), size))
        base_s += spoken_s + pause_s
    assert not hear(arrivals, 16_000)


@given(st.permutations(RATES_HZ), st.lists(st.floats(0, 0.08), min_size=50, max_size=50))
def test_a_mismatch_is_found_through_jitter(rates: list[int], delays_s: list[float]) -> None:
    true_hz, declared_hz, *_ = rates
    assert hear(late(live(true_hz, 20), iter(delays_s * 20)), declared_hz)


def lossy(arrivals: Arrivals, share: float, chance: random.Random, run: int = 1) -> Arrivals:
    """The same without some of the pieces, which are lost `run` at a time."""
    left = 0
    for arrival in arrivals:
        if not left and chance.random() < share / run:
            left = run
        if left:
            left -= 1
        else:
            yield arrival


@pytest.mark.parametrize("run", [1, 3], ids=["single", "in bursts"])
@pytest.mark.parametrize("jitter_s", [0.0, 0.004, 0.02])
@pytest.mark.parametrize("share", [0.04, 0.05, 0.06, 0.09, 0.15])
def test_lost_packets_are_no_wrong_rate(share: float, jitter_s: float, run: int) -> None:
    """Ten minutes each, of pieces of 20 ms."""
    chance = random.Random(f"{share} {jitter_s} {run}")
    arrivals = list(lossy(live(16_000, 600), share, chance, run))
    delays_s = (chance.expovariate(1 / jitter_s) if jitter_s else 0.0 for _ in arrivals)
    assert not hear(late(arrivals, delays_s), 16_000)


@pytest.mark.parametrize("chunk_s", [0.01, 0.1])
def test_lost_packets_of_any_length_are_no_wrong_rate(chunk_s: float) -> None:
    arrivals = lossy(live(48_000, 600, chunk_s), 0.06, random.Random(6))
    assert not hear(arrivals, 48_000)


@pytest.mark.parametrize(("true_hz", "declared_hz"), list(permutations(RATES_HZ, 2)))
def test_every_pair_of_rates_is_told_apart_on_a_line_that_loses_and_jitters(
    true_hz: int, declared_hz: int
) -> None:
    chance = random.Random(true_hz * declared_hz)
    arrivals = list(lossy(live(true_hz, 20), 0.05, chance))
    (found,) = hear(late(arrivals, (chance.expovariate(100) for _ in arrivals)), declared_hz)
    assert found.measured_hz == pytest.approx(true_hz * 0.95, rel=0.08)


@pytest.mark.parametrize(("true_hz", "declared_hz"), [(44_100, 48_000), (11_025, 12_000)])
@pytest.mark.parametrize("jitter_s", [0.001, 0.003])
def test_a_rate_that_is_a_little_too_low_is_told_from_losses(
    true_hz: int, declared_hz: int, jitter_s: float
) -> None:
    chance = random.Random(true_hz)
    arrivals = live(true_hz, 20)
    (found,) = hear(
        late(arrivals, (chance.expovariate(1 / jitter_s) for _ in arrivals)), declared_hz
    )
    assert found.likely_hz == true_hz
