"""Commands of the papers: each has a rule, and CI runs them as they stand."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.snippets.blocks import PAPERS, blocks_of
from tests.snippets.commands import RULES, How, rule_for
from tests.snippets.place import furnish
from tests.snippets.shell import Shell

ALL = os.environ.get("CROSSFADE_SNIPPETS") == "all"
_AT_ONCE = 4
"""Calls take time and no processor."""


def test_what_is_not_run_says_why() -> None:
    assert all(rule.why for rule in RULES if rule.how is How.NOT)


def test_no_rule_is_for_nothing() -> None:
    lines = [
        line
        for page in PAPERS
        for block in blocks_of(page)
        if block.language == "sh" and "not run" not in block.marks
        for line in block.commands
    ]
    used = {id(rule_for(line)) for line in lines}
    assert not [rule.line for rule in RULES if id(rule) not in used]


def test_what_a_reader_writes_among_the_tests_is_theirs(tmp_path: Path) -> None:
    furnish(tmp_path, "")
    (tmp_path / "tests" / "test_call_x.py").touch()
    assert not (ROOT / "tests" / "test_call_x.py").exists()
    assert (tmp_path / "tests" / "conftest.py").exists()


@pytest.mark.realtime
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not ALL, reason="takes minutes: CROSSFADE_SNIPPETS=all")
def test_every_command_does_what_its_page_says(tmp_path: Path) -> None:
    def follow(page: Path) -> list[str]:
        folder = tmp_path / page.relative_to(page.anchor).as_posix().replace("/", "-")
        folder.mkdir()
        return Shell(folder, page.read_text("utf-8")).follow(blocks_of(page))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        wrong = [each for found in pool.map(follow, PAPERS) for each in found]
    assert not wrong, "\n".join(wrong)
