import random

import pytest

from crossfade.observability import arm_statistics
from crossfade.observability.arms import ArmReport, CallFigures, compare_arms
from crossfade.observability.arms_view import arms_table, findings
from tests.observability.rendered import text_of


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_statistics, "DRAWS", 800)


def calls(
    arm: str,
    count: int,
    seed: int,
    *,
    dearer: float = 1.0,
    slower_ms: float = 0.0,
    fails: float = 0.1,
) -> list[CallFigures]:
    """Calls drawn by lot: of 20 to 60 s, of one to four turns."""
    chance = random.Random(seed)
    drawn = []
    for _ in range(count):
        duration_s, turns = chance.uniform(20, 60), chance.randint(1, 4)
        tools = chance.randint(0, 2)
        call = CallFigures(
            arm=arm,
            duration_s=duration_s,
            user_turns=turns,
            voice_to_voice_ms=chance.gauss(700, 80) + slower_ms,
            interruptions=sum(chance.random() < 0.15 for _ in range(turns)),
            tool_calls=tools,
            tools_answered=sum(chance.random() >= fails for _ in range(tools)),
            usd=duration_s / 60 * 0.04 * chance.uniform(0.6, 1.4) * dearer,
        )
        drawn.append(call)
    return drawn


def found(report: ArmReport) -> set[str]:
    return {each.metric.name for each in report.comparisons if each.found}


def test_planted_differences_are_found_and_no_others() -> None:
    report = compare_arms(
        calls("a", 100, 1) + calls("b", 100, 2, dearer=1.18, slower_ms=60), base="a"
    )
    assert found(report) == {"cost", "voice to voice"}
    cost = next(each for each in report.comparisons if each.metric.name == "cost")
    assert cost.percent == pytest.approx(18, abs=6)
    assert cost.difference.interval.low < 0.04 * 0.18 < cost.difference.interval.high


def test_between_alike_arms_one_report_in_twenty_finds_something() -> None:
    false = 0
    for seed in range(40):
        report = compare_arms(calls("a", 30, 2 * seed) + calls("b", 30, 2 * seed + 1))
        false += bool(found(report))
    assert false <= 5


def test_tools_that_fail_more_often_are_found() -> None:
    report = compare_arms(calls("a", 150, 1, fails=0.02) + calls("b", 150, 2, fails=0.2))
    assert found(report) == {"tool success"}


def test_several_arms_are_each_compared_with_the_base() -> None:
    three = calls("a", 20, 1) + calls("b", 20, 2) + calls("c", 20, 3)
    report = compare_arms(three, base="b")
    assert report.base == "b"
    assert list(report.calls) == ["b", "a", "c"]
    assert {each.arm for each in report.comparisons} == {"a", "c"}


def test_what_is_not_known_is_told_so() -> None:
    unpriced = [
        CallFigures(
            arm=arm,
            duration_s=30,
            user_turns=2,
            voice_to_voice_ms=None,
            interruptions=0,
            tool_calls=0,
            tools_answered=0,
            usd=None if arm == "b" or number else 0.02,
        )
        for arm in "ab"
        for number in range(3)
    ]
    report = compare_arms(unpriced)
    assert {each.metric.name for each in report.comparisons} == {"interruptions"}
    text = text_of(arms_table(report))
    assert "unknown" in text
    assert "of 1 calls" in text


def test_the_report_says_what_differs_and_what_does_not() -> None:
    report = compare_arms(calls("a", 100, 1) + calls("b", 100, 2, dearer=1.5))
    text = text_of(arms_table(report))
    assert "100 calls" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    lines = list(findings(report))
    assert lines[0].startswith("cost: b is 4")
    assert "higher than a" in lines[0]
    assert sum("no difference found between b and a" in line for line in lines) == 3


def test_without_calls_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="no call"):
        compare_arms([])
    with pytest.raises(ValueError, match="no call of c"):
        compare_arms(calls("a", 1, 1), base="c")
