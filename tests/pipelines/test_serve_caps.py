"""What calls may come to in a day."""

import json
from pathlib import Path

import pytest

from crossfade.observability import summary_file
from crossfade.pipelines import serve_caps
from crossfade.pipelines.serve_caps import Caps, Day, DayMeter, day_of, spent_before

NOON = 1_800_000_000.0


def refusal(meter: DayMeter) -> str:
    """Why no new call is taken; empty if one is."""
    return meter.refusal or ""


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def test_calls_of_a_day_are_counted_and_those_that_come_to_nothing_are_not() -> None:
    meter = DayMeter(Caps(calls=2), clock=Clock())
    meter.begins()
    meter.begins()
    assert "calls today" in refusal(meter)
    meter.has_not_begun()
    assert not refusal(meter)
    meter.begins()
    assert "calls today" in refusal(meter)


def test_money_counts_while_calls_run_and_when_they_have_ended() -> None:
    meter, spent = DayMeter(Caps(usd=1.0), clock=Clock()), {"a": 0.0, "b": 0.4}
    meter.costs("a", lambda: spent["a"])
    meter.costs("b", lambda: spent["b"])
    assert not refusal(meter)
    spent["a"] = 0.5
    meter.ended("a")
    assert meter.own.usd == pytest.approx(0.9)
    spent["b"] = 0.5
    assert "cost today" in refusal(meter)


def test_what_others_have_spent_counts_on_their_day() -> None:
    clock = Clock()
    meter = DayMeter(Caps(usd=1.0), Day(date=day_of(NOON), calls=3, usd=1.2), clock=clock)
    assert refusal(meter)
    assert meter.all.calls == 3
    assert meter.own.calls == 0
    clock.now += 86_400
    assert not refusal(meter)


def test_a_new_day_begins_at_nothing_for_a_call_that_runs_on_too() -> None:
    clock, spent = Clock(), {"a": 3.0}
    meter = DayMeter(Caps(usd=1.0), clock=clock)
    meter.begins()
    meter.costs("a", lambda: spent["a"])
    assert refusal(meter)
    clock.now += 86_400
    assert not refusal(meter)
    spent["a"] = 3.5
    assert meter.own == Day(date=day_of(clock.now), calls=0, usd=0.5)
    meter.ended("a")
    assert meter.own.usd == 0.5


def test_without_caps_there_is_no_limit() -> None:
    meter = DayMeter(Caps(), Day(date=day_of(NOON), calls=10**6, usd=1e6), clock=Clock())
    assert not refusal(meter)


def test_the_records_of_the_day_are_added_up(tmp_path: Path) -> None:
    assert serve_caps.SUMMARY == summary_file.SUMMARY
    for name, content in {
        "2026-11-21T10-00-00": json.dumps({"cost": {"usd": 0.25}}),
        "2026-11-21T10-00-01": json.dumps({"cost": {"usd": None}}),
        "2026-11-21T10-00-02": "{",
        "2026-11-20T10-00-00": json.dumps({"cost": {"usd": 9}}),
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / serve_caps.SUMMARY).write_text(content)
    (tmp_path / "2026-11-21T11-00-00").mkdir()
    assert spent_before(tmp_path, "2026-11-21") == Day(date="2026-11-21", calls=2, usd=0.25)
    assert spent_before(tmp_path / "nowhere", "2026-11-21").calls == 0
