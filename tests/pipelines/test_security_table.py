"""The threat model names tests that there are."""

import re

from tests.project import ROOT


def test_each_line_has_a_test_that_there_is() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    table = text.partition("| Somebody |")[2].partition("\n\n")[0]
    lines = table.splitlines()[2:]
    assert len(lines) > 15
    for line in lines:
        files = re.findall(r"(test_\w+\.py)", line)
        assert files, line
        found = "".join(
            path.read_text()
            for name in set(files)
            for path in (ROOT / "tests").rglob(name)
            if path.parent.name in ("pipelines", "transports")
        )
        assert found, line
        for name in re.findall(r"::(test_\w+)", line):
            assert f"def {name}(" in found, name
