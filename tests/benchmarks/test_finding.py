"""What commands of `crossfade bench` do around what they measure."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from rich.table import Table

from crossfade.benchmarks.finding import MISSED, Finding, Tell, present
from crossfade.errors import SettingsError
from crossfade.pipelines.command_line import MISTAKE

FOUND = Finding(
    name="dice",
    content={"thrown": 6},
    tables=[Table("die", title="Dice"), "thrown [6] times"],
    problems=["one is [red]"],
    missing=["a peer", "a peer"],
)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))


def measured(found: Finding) -> Callable[[Tell], Finding]:
    def measure(tell: Tell) -> Finding:
        tell("throwing")
        return found

    return measure


@pytest.mark.parametrize("doing", ["throwing", None])
def test_what_was_found_is_shown_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], doing: str | None
) -> None:
    kept, folder = tmp_path / "dice.json", tmp_path / "results"
    present(measured(FOUND), json=kept, results=folder, doing=doing)
    told = capsys.readouterr().out
    lines = ("Dice", "thrown [6] times", "one is [red]", "a peer is not installed: left out")
    assert all(told.count(line) == 1 for line in lines)
    (dated,) = folder.glob("dice-*.json")
    for path in (kept, dated):
        assert json.loads(path.read_text())["thrown"] == 6
        assert f"written to {path}\n" in told


def test_what_does_not_hold_is_kept_before_it_ends_with_1(tmp_path: Path) -> None:
    kept = tmp_path / "dice.json"
    with pytest.raises(typer.Exit) as ended:
        present(measured(replace(FOUND, held=False)), json=kept, results=None)
    assert ended.value.exit_code == MISSED
    assert kept.exists()


def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(_: Tell) -> Finding:
        raise SettingsError("there are no dice; buy some")

    with pytest.raises(typer.Exit) as ended:
        present(measure, json=None, results=None)
    assert ended.value.exit_code == MISTAKE
    assert capsys.readouterr().err == "error: there are no dice; buy some\n"
