"""What is installed is what is committed."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.project import ROOT, files, parts, settings


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel built by way of an sdist from the committed files alone, without network."""
    tree = tmp_path_factory.mktemp("tree")
    for path in files():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tree / path)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", "."],
        cwd=tree,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = (tree / "dist").glob("*.whl")
    return zipfile.Path(found)


def packaged(path: Path) -> bool:
    """Whether the committed file belongs into the wheel."""
    return path.parts[0] in (*parts(), "crossfade") and path.parts[:2] != ("benchmarks", "results")


def test_the_wheel_holds_exactly_the_committed_files(wheel: zipfile.Path) -> None:
    expected = {
        path.as_posix() if path.parts[0] == "crossfade" else f"crossfade/{path.as_posix()}"
        for path in files()
        if packaged(path)
    }
    held = {
        name
        for name in wheel.root.namelist()
        if ".dist-info/" not in name and not name.endswith("/")
    }
    assert sorted(expected - held) == []
    assert sorted(held - expected) == []


def test_the_wheel_carries_licence_types_marker_and_command(wheel: zipfile.Path) -> None:
    version = settings()["project"]["version"]
    info = wheel / f"crossfade-{version}.dist-info"
    assert (wheel / "crossfade" / "py.typed").is_file()
    assert (info / "licenses" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "crossfade = crossfade.cli:main" in (info / "entry_points.txt").read_text()
