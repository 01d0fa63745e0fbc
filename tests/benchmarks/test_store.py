"""The measurement of calls that are written."""

from pathlib import Path

from crossfade.benchmarks.store import content, measure, table


def test_a_small_run_writes_all_calls_and_holds_the_loop_for_moments(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'calls.db'}"
    none, sqlite = measure({"sqlite": url}, calls=10, seconds=1.0)
    assert (none.store, none.writes) == ("none", 0)
    assert sqlite.writes > 3
    assert sqlite.entries >= 10
    assert sqlite.lost == 0
    # Processor time of one step, which other work of the machine does not lengthen much.
    assert sqlite.step_worst_ms < 20
    assert len(content([none, sqlite])["stores"]) == 2
    assert table([none, sqlite]).row_count == 3
