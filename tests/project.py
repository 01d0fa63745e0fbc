"""The project's own files, as the guards of its layout see them."""

import ast
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def parts() -> tuple[str, ...]:
    """Names of the folders that setup.py maps into the package."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARTS":
            names: tuple[str, ...] = ast.literal_eval(node.value)
            return names
    raise AssertionError("setup.py assigns no PARTS")


def files() -> list[Path]:
    """What is or would be committed, but for links: paths relative to ROOT."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [Path(name) for name in listed.split("\0") if name]
    return [p for p in paths if (ROOT / p).is_file() and not (ROOT / p).is_symlink()]


def modules() -> list[Path]:
    """The Python files among them that ship."""
    return [p for p in files() if p.suffix == ".py" and p.parts[0] in (*parts(), "crossfade")]


def settings() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
