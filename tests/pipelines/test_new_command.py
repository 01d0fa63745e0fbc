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
    write("agent", "second agent", tmp_path)  # beside the first, in one run
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
    assert (
        "Test it with: cd front_desk && python -m pytest\nThen: python front_desk.py" in told.output
    )
    assert (tmp_path / "front_desk" / "README.md").read_text().startswith("# Front desk")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "test_word_count.py").write_text("mine")
    told = CliRunner().invoke(new, ["processor", "word_count", "--in", str(tmp_path)])
    assert told.exit_code == 2
    assert "is there already" in told.output
    assert not (tmp_path / "word_count.py").exists()
    assert (tmp_path / "test_word_count.py").read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["", "3d", "class", "../up", "a.b", "schön", "a/b", "_", "none", "_3d", "__init__"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="Python module"):
        names_of(name)


@pytest.mark.parametrize("name", ["test_p", "Test room", "testing"])
def test_what_pytest_takes_for_a_test_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="pytest"):
        names_of(name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("agent", "crossfade"),  # the folder would hide the package
        ("processor", "asyncio"),
        ("processor", "packaging"),  # of others, who import it
        ("processor", "processor"),  # the class would hide its base
        ("pipeline", "native-call"),  # the function would hide what it calls
        ("pipeline", "print"),
        ("pipeline", "endpoint"),
    ],
)
def test_what_means_something_else_is_refused(kind: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="something else"):
        write(kind, name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="choose another --in"):
        write("processor", "word_count", tmp_path / "file")


def test_an_agent_is_tested_within_another_project(tmp_path: Path) -> None:
    options = 'addopts = "--import-mode=importlib --strict-config"'
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{options}\n")
    write("agent", "front_desk", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "hours"],
        cwd=tmp_path / "front_desk",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
