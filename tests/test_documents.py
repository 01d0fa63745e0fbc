"""The papers agree with the project: versions, locks, links and commands."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

import crossfade
from crossfade.cli import app
from tests.project import ROOT, files, settings

LOCKS = ("requirements.txt", "requirements-offline.txt", "requirements-serve.txt")
PAPERS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
]
# A package index or mirror, and a home or working directory of somebody's machine.
ELSEWHERE = re.compile(
    r"\b(pypi|pythonhosted)\.org|\b(deb|registry|proxy)\.(debian|npmjs|golang)\.org"
    r"|file:/{3}|(?<![\w.~-])/(root|home|Users|work)/\w"
)


def locked(name: str) -> dict[str, list[Requirement]]:
    """Requirements that the lock pins, by canonical name."""
    pins: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^\w[^\\\n]*", (ROOT / name).read_text(), re.MULTILINE):
        pin = Requirement(line)
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def shell_lines() -> set[str]:
    """Commands that the papers tell their reader to type."""
    blocks = [
        block
        for paper in PAPERS
        for block in re.findall(
            r"^```(?:sh|bash|console)\n(.*?)^```", paper.read_text(), re.M | re.S
        )
    ]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return {line.partition(" #")[0].removeprefix("$ ").strip() for line in lines} - {""}


def test_one_version_everywhere() -> None:
    version = settings()["project"]["version"]
    assert crossfade.__version__ == version
    assert CliRunner().invoke(app, ["--version"]).output == f"crossfade {version}\n"
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_extra_all_names_every_other_extra() -> None:
    extras = settings()["project"]["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    assert everything.extras == extras.keys() - {"all"}


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_pins_with_hashes_and_names_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.findall(r"://|^\s*-(?!-hash=)\S.*| @ |/(?:tmp|opt|root|home)/", text, re.M)
    entries = re.split(r"^(?=\w)", text, flags=re.M)[1:]
    unpinned = [e.splitlines()[0] for e in entries if "==" not in e or "--hash=sha256:" not in e]
    assert entries
    assert not unpinned


def test_what_is_declared_is_locked() -> None:
    project = settings()["project"]
    groups = settings()["dependency-groups"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = [
        Requirement(line)
        for line in (*project["dependencies"], *extras, *groups["dev"], *groups["recogniser"])
    ]
    pins = locked("requirements.txt") | locked("requirements-offline.txt")
    stale = [
        str(wanted)
        for wanted in declared
        if wanted.name != "crossfade"
        if not any(
            pin.specifier and wanted.specifier.contains(next(iter(pin.specifier)).version)
            for pin in pins.get(canonicalize_name(wanted.name), [])
        )
    ]
    assert not stale, "make lock"


def test_a_container_has_the_versions_tested_here_and_no_tools_of_developers() -> None:
    tested, served = locked("requirements.txt"), locked("requirements-serve.txt")
    for name, pins in served.items():
        assert {pin.specifier for pin in pins} <= {pin.specifier for pin in tested[name]}
    assert not served.keys() & {"hypothesis", "mypy", "playwright", "pytest", "ruff"}


def test_the_recogniser_locked_apart_is_the_one_of_the_offline_extra() -> None:
    offline = set(settings()["project"]["optional-dependencies"]["offline"])
    recogniser = set(settings()["dependency-groups"]["recogniser"])
    assert recogniser == {line for line in offline if line.startswith("pocketsphinx")}
    assert "pocketsphinx" not in locked("requirements.txt")


def test_no_file_names_an_index_or_a_place_on_somebodys_machine() -> None:
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path in files()
        if path.suffix not in {".wav", ".onnx"}
        for number, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), 1)
        if ELSEWHERE.search(line) or f"{ROOT}/" in line
    ]
    assert not found


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_links_between_papers_lead_somewhere(paper: Path) -> None:
    targets = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", paper.read_text())
    missing = [target for target in targets if not (paper.parent / target).exists()]
    assert not missing


def test_modules_in_the_architecture_exist() -> None:
    told = set(re.findall(r"[\w/*]+\.py\b", (ROOT / "docs" / "architecture.md").read_text()))
    assert told
    there = [Path("/", path) for path in files()]
    assert not [name for name in told if not any(path.match(f"*/{name}") for path in there)]


def test_make_commands_in_the_papers_exist() -> None:
    told = {line.split()[1] for line in shell_lines() if line.startswith("make ")}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert told
    assert told <= targets


def test_commands_and_options_in_the_papers_exist() -> None:
    told: dict[tuple[str, ...], set[str]] = {}
    for line in shell_lines():
        command = re.search(r"\bcrossfade((?: [a-z]+\b)*)|\bpython pipelines/([a-z]+)\.py", line)
        if command:
            words = tuple((command[1] or command[2] or "").split())
            told.setdefault(words, set()).update(re.findall(r" (--[a-z-]+)", line))
    assert told
    for words, options in told.items():
        plain = {"COLUMNS": "200", "NO_COLOR": "1"}
        shown = CliRunner().invoke(app, [*words, "--help"], env=plain)
        assert shown.exit_code == 0, f"{words}: {shown.output}"
        assert options <= set(re.findall(r"--[a-z-]+", shown.output)), words
