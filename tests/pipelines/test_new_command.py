"""What `crossfade new` writes works, and destroys nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.errors import SettingsError
from crossfade.pipelines.new_command import SKELETONS, names_of, new, write


def test_all_that_is_written_passes_its_tests_and_the_linter(tmp_path: Path) -> None:
    for kind in SKELETONS:
        write(kind, f"my-own {kind}", tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lint = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,B,UP"]
    checked = subprocess.run(
        [*lint, "--line-length", "100", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_command_tells_what_it_wrote_and_what_comes_next(tmp_path: Path) -> None:
    told = CliRunner().invoke(new, ["agent", "front-desk", "--in", str(tmp_path)])
    assert told.exit_code == 0
    assert "cd front_desk && python agent.py" in told.output
    assert (tmp_path / "front_desk" / "README.md").read_text().startswith("# Front desk")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "test_loudness.py").write_text("mine")
    told = CliRunner().invoke(new, ["processor", "loudness", "--in", str(tmp_path)])
    assert told.exit_code == 2
    assert "is there already" in told.output
    assert not (tmp_path / "loudness.py").exists()
    assert (tmp_path / "test_loudness.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "3d", "class", "../up", "a.b", "schön", "a/b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="Python module"):
        names_of(name)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="choose another --in"):
        write("processor", "loudness", tmp_path / "file")
