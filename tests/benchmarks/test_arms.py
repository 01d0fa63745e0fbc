from crossfade.benchmarks.arms import DEARER, ArmsResult, content, report, tables
from tests.observability.rendered import text_of


def test_a_few_calls_are_dealt_made_and_compared() -> None:
    """The planted price is in the cost of each; whether so few prove it is not asked."""
    planted = report(12, seed=8, dearer=DEARER * 2, slower_ms=0)
    assert sum(planted.calls.values()) == 12
    assert set(planted.calls) == {"first", "second"}
    by_name = {each.metric.name: each for each in planted.comparisons}
    assert by_name["cost"].found
    assert by_name["cost"].difference.absolute > 0
    assert not by_name["voice to voice"].found
    assert planted.figures["voice to voice"]["first"].value > 300
    result = ArmsResult(planted=planted, alike=planted)
    assert not result.held
    assert content(result)["with"]["compared"]["cost"]["found"]
    text = "".join(each if isinstance(each, str) else text_of(each) for each in tables(result))
    assert "Planted: the second is 18% dearer" in text
