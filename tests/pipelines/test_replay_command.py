"""The command: a captured call run again, its exit codes, and a test made of it."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.errors import SettingsError
from crossfade.pipelines.replay_command import tools_named
from crossfade.pipelines.replay_regression import write_test
from tests.clock import run
from tests.pipelines.captures import captured_call, question

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a captured call."""
    made = tmp_path_factory.mktemp("call")
    run(captured_call(made, script=question()))
    return made


def invoked(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["replay", *arguments])
    return result.exit_code, result.output


def test_a_call_that_goes_as_it_went_ends_with_0(folder: Path, tmp_path: Path) -> None:
    code, said = invoked(str(folder), "--virtual", "--keep", str(tmp_path / "again"))
    assert (code, said.strip()) == (0, "The call went as it was captured.")
    assert (tmp_path / "again" / "summary.json").exists()


def test_what_diverges_is_named_and_ends_with_1(folder: Path) -> None:
    code, said = invoked(str(folder / "capture.jsonl"), "--silence-ms", "700")
    assert code == 1
    assert "setting config.silence_ms: expected 500; got 700" in said
    assert "2 divergences" in said


def test_without_a_capture_it_says_so_and_ends_with_2(tmp_path: Path) -> None:
    code, said = invoked(str(tmp_path))
    assert code == 2
    assert "holds no capture" in said


@pytest.mark.parametrize("held", ["events.jsonl", "capture.jsonl"])
def test_the_record_of_a_call_is_not_replaced(folder: Path, tmp_path: Path, held: str) -> None:
    (tmp_path / held).write_text("kept")
    code, said = invoked(str(folder), "--keep", str(tmp_path))
    assert code == 2
    assert "holds the record of a call" in said
    assert len(said.strip().splitlines()) == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(held, "kept")]


def test_a_call_is_not_replaced_by_its_own_replay(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert invoked(str(folder), "--keep", str(folder))[0] == 2
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_call_can_be_watched_at_another_speed(folder: Path) -> None:
    code, said = invoked(str(folder), "--speed", "20", "--tools", f"{__name__}:TOOLS")
    assert code == 2
    assert "cannot be found" in said
    code, said = invoked(
        str(folder), "--speed", "20", "--tools", "crossfade.pipelines.sample_tools:get_weather"
    )
    assert "what is the weather in Tokyo" in said
    assert code == 0


def test_two_paces_are_refused(folder: Path) -> None:
    assert invoked(str(folder), "--virtual", "--speed", "2")[0] == 2


@pytest.mark.realtime
def test_a_failed_call_becomes_a_test_in_one_command(folder: Path, tmp_path: Path) -> None:
    test = tmp_path / "test_call_x.py"
    code, _ = invoked(str(folder), "--write-test", str(test))
    assert code == 0
    copy = tmp_path / "call_x.capture.jsonl"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=50, check=False)
    assert made.returncode == 0, made.stdout.decode()


def test_a_written_test_replaces_nothing_and_has_the_name_of_a_test(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="no name of a test"):
        write_test(folder, tmp_path / "call.py")
    write_test(folder, tmp_path / "test_x.py")
    with pytest.raises(SettingsError, match="exists"):
        write_test(folder, tmp_path / "test_x.py")


def test_tools_of_a_module_in_the_working_directory_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from crossfade.pipelines.sample_tools import get_weather\n"
    (tmp_path / "tools_of_today.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    assert [each.name for each in tools_named("tools_of_today:get_weather")] == ["get_weather"]


@pytest.mark.parametrize("place", ["nowhere:tools", "json", "json:dumps", "json:missing"])
def test_tools_that_cannot_be_found_are_told_of(place: str) -> None:
    with pytest.raises(SettingsError, match=place):
        tools_named(place)
