"""The resampling benchmark finds what is wrong with a resampler that is known."""

from itertools import permutations

import numpy as np
import pytest

from crossfade.benchmarks import resample
from crossfade.benchmarks.resample import Convert


@pytest.mark.parametrize(("in_hz", "out_hz"), list(permutations(resample.RATES_HZ, 2)))
def test_every_pair_of_ours_meets_the_goals(in_hz: int, out_hz: int) -> None:
    pair = resample.measure_pair("crossfade", resample.ours, in_hz, out_hz)
    found = resample.ResampleResult(pairs=[pair], socket_ms={}, ratios={})
    assert found.missed() == []
    assert pair.cpu_ms_per_s > 0


def test_one_that_only_drops_samples_is_found_out() -> None:
    def drops(in_hz: int, out_hz: int) -> Convert:
        return lambda pcm: np.frombuffer(pcm, "<i2")[:: in_hz // out_hz].tobytes()

    pair = resample.measure_pair("crossfade", drops, 48000, 16000)
    assert pair.delay_ms < 0.1
    assert pair.rejection_db < 6
    assert resample.ResampleResult(pairs=[pair], socket_ms={}, ratios={}).missed() == [pair]


def test_the_delay_of_soxr_is_seen() -> None:
    pair = resample.measure_pair("pipecat", resample.soxr_vhq, 24000, 8000)
    assert pair.delay_ms > 50
    assert pair.rejection_db > 80


def test_the_result_compares_both_sides() -> None:
    result = resample.measure(rates_hz=(16000, 24000), in_calls=False)
    assert {(p.side, p.in_hz) for p in result.pairs} == {
        (side, rate) for side in ("crossfade", "pipecat") for rate in (16000, 24000)
    }
    assert result.ratios["delay"] > 5
    assert resample.content(result)["goals"]["delay_ms"] == 2
    assert len(resample.tables(result)) == 1
