"""The folders at the root are one package, imported in one way, each floor from those below."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project import ROOT, files, modules, parts, settings

# One breach for each contract in pyproject.toml, by its name.
BREACHES = {
    "Floors: each imports only from those below it": (
        "audio",
        "import crossfade.conversation",
    ),
    "Sound, conversation and providers know no pipecat": (
        "providers",
        "import pipecat.frames.frames",
    ),
    "Emulators share no code with what they test": (
        "emulators",
        "import crossfade.providers.events",
    ),
    "Offline speech knows sound only": (
        "offline",
        "import crossfade.conversation",
    ),
    "Observability reads the floors up to frames": (
        "observability",
        "import crossfade.processors",
    ),
    "Only pipelines import observability": (
        "transports",
        "import crossfade.observability",
    ),
    "Only pipelines import the store": (
        "processors",
        "import crossfade.conversation.store",
    ),
}


def imported(path: Path) -> Iterator[str]:
    """Top-level names that the file imports absolutely."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def lint_imports(tree: Path) -> str:
    """What import-linter says of the package in `tree`."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as lint; lint()",
            "--no-cache",
            "--no-logo",
        ],
        cwd=tree,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    ).stdout


def broken(report: str) -> set[str]:
    return set(re.findall(r"^(.+) BROKEN", report, re.MULTILINE))


def test_each_folder_is_linked_into_the_package_for_tools() -> None:
    links = {p.name: os.readlink(p) for p in (ROOT / "crossfade").iterdir() if p.is_symlink()}
    assert links == {part: f"../{part}" for part in parts()}


def test_the_folders_are_imported_only_as_crossfade() -> None:
    wrong = [
        f"{path}: {name}"
        for path in files()
        if path.suffix == ".py"
        for name in imported(path)
        if name in parts()
    ]
    assert not wrong, "import crossfade.<folder>; the bare name would be another class"


def test_no_module_shadows_the_standard_library_or_a_dependency() -> None:
    """`python pipelines/native.py` puts pipelines/ first on sys.path."""
    taken = sys.stdlib_module_names | packages_distributions().keys() - {"crossfade"}
    clashes = [str(p) for p in modules() if len(p.parts) == 2 and p.stem in taken - {"__init__"}]
    assert not clashes


def test_what_is_imported_is_declared() -> None:
    project = settings()["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = {
        canonicalize_name(Requirement(line).name) for line in project["dependencies"] + extras
    }
    owners = packages_distributions()
    undeclared = {
        f"{path}: {name}"
        for path in modules()
        for name in imported(path)
        if name not in sys.stdlib_module_names and name != "crossfade"
        if declared.isdisjoint(canonicalize_name(owner) for owner in owners.get(name, [name]))
    }
    assert not undeclared


def test_the_package_alone_is_light_to_import(tmp_path: Path) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, crossfade; print(*sys.modules)"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "crossfade" in loaded
    assert not {"pipecat", "numpy", "pydantic", "asyncio"}.intersection(loaded)


def test_the_floors_hold() -> None:
    report = lint_imports(ROOT)
    assert "0 broken" in report, report


def test_each_contract_catches_a_breach(tmp_path: Path) -> None:
    for path in modules():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    for part in parts():
        (tmp_path / "crossfade" / part).symlink_to(f"../{part}")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder, breach in BREACHES.values():
        (tmp_path / folder / "breach.py").write_text(breach + "\n")

    contracts = {contract["name"] for contract in settings()["tool"]["importlinter"]["contracts"]}
    assert broken(lint_imports(tmp_path)) == contracts == BREACHES.keys()
