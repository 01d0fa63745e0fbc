"""The barge-in benchmark: what this machine hears is cut, and the tables say who was how quick."""

from pathlib import Path

import pytest

from crossfade.benchmarks import bargein, hold, interruption
from crossfade.benchmarks.dated import write_json
from crossfade.benchmarks.points import Order, Point
from crossfade.pipelines.demo import demo_line
from crossfade.transports.script import AfterSilence

from .test_calls import point


def test_a_caller_whom_this_machine_hears_silences_the_agent() -> None:
    (to_silence_ms,) = hold.measure([demo_line("enough", AfterSilence(after_s=0)).sound])
    assert to_silence_ms is not None
    assert 20 <= to_silence_ms <= 250


def test_both_sides_are_measured_idle_and_busy() -> None:
    orders: list[Order] = []

    def take(order: Order) -> Point:
        orders.append(order)
        return point(order.calls, 1, late_ms=0.5)

    found = interruption.silencing(5, take=take)
    assert [(each.side, each.calls) for each in found] == [
        ("crossfade", 1),
        ("pipecat", 1),
        ("crossfade", 50),
        ("pipecat", 16),
    ]
    assert {(each.p95_ms, each.passed_p95_ms) for each in found} == {(0.5, 0.8)}
    assert [order.seconds for order in orders] == [30, 30, 5, 5]
    stale = interruption.stale(5, take=take)
    assert [each.stale_ms for each in stale] == [0, 0]
    assert {(o.speed, o.round_trip_ms) for o in orders[-2:]} == {(4.0, 80.0)}


def test_the_ratio_is_of_one_call_on_both_sides() -> None:
    def side(name: str, calls: int, p50_ms: float) -> interruption.Silencing:
        return interruption.Silencing(
            side=name,
            calls=calls,
            p50_ms=p50_ms,
            p95_ms=9,
            passed_p95_ms=10,
            interruptions=1,
            stale=0,
        )

    result = bargein.BargeInResult(
        to_silence_ms=[],
        endpoint="nobody",
        silencing=[side("crossfade", 1, 0.5), side("pipecat", 1, 1.5), side("pipecat", 16, 8)],
    )
    assert bargein.content(result)["ratios"] == {"trigger_to_silent": 3}
    assert len(bargein.tables(result)) == 2


def test_the_result_is_kept(tmp_path: Path) -> None:
    result = bargein.BargeInResult(
        to_silence_ms=[300.0, None], endpoint="nobody", local_ms=[80.0, 100.0, 140.0]
    )
    content = bargein.content(result)
    assert content["median_ms"] == 300
    assert content["local_p50_ms"] == 100
    assert content["local_p90_ms"] == pytest.approx(132)
    write_json(content, tmp_path / "a" / "result.json")
    assert "version" in (tmp_path / "a" / "result.json").read_text()
    assert len(bargein.tables(result)) == 1
