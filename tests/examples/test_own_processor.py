"""The example does what it says."""

from pathlib import Path

from crossfade.examples.own_processor import main
from tests.clock import run


def test_the_call_is_made_and_the_caller_was_heard_by_the_processor(tmp_path: Path) -> None:
    told = run(main(tmp_path))
    turns, rest = told.split(" turns in ")
    assert turns == "4"
    level_dbfs = int(rest.partition("the caller at ")[2].partition(" ")[0])
    assert -30 < level_dbfs < 0
