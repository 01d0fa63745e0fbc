"""The threat model names a test for each line, and the tests are there."""

import re

import pytest

from tests.project import ROOT

LINES = [
    [cell.strip() for cell in line.strip("| \n").split(" | ")]
    for line in (ROOT / "docs/security.md").read_text().partition("## Threats")[2].splitlines()
    if line.startswith("| ")
][1:]
NAMED = re.compile(r"\b(test_\w+\.py)\b|(?<=::)(test_\w+)")


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0][:40])
def test_each_line_of_the_threat_model_has_tests(line: list[str]) -> None:
    assert len(line) == 3, line
    texts: list[str] = []
    named = [match.groups() for match in NAMED.finditer(line[2])]
    assert named
    for file, test in named:
        if file:
            texts = [path.read_text() for path in (ROOT / "tests").rglob(file)]
            assert texts, f"there is no {file}"
        else:
            assert any(f"def {test}(" in text for text in texts), f"there is no {test}"
