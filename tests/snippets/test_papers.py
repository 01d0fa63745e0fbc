"""Each page is followed from its first block to its last, as far as that takes no time."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.faults.script import parse_faults
from crossfade.observability.prices_file import read_prices
from crossfade.pipelines.route_file import read_route
from crossfade.transports.websocket_messages import Unknown, read_message, read_object
from tests.project import ROOT
from tests.snippets.blocks import LANGUAGES, MARKS, PAPERS, Block, blocks_of
from tests.snippets.commands import How, rule_for
from tests.snippets.given import GIVEN
from tests.snippets.place import demo_call, furnish
from tests.snippets.python_blocks import run_python
from tests.snippets.test_commands import ALL

FOLLOWED = [page for page in PAPERS if any(block.language for block in blocks_of(page))]
BLOCKS = [block for page in PAPERS for block in blocks_of(page)]
_DEMO = ("make demo", "crossfade native --demo")
_SKIPPED = {"not run"} if ALL else {"not run", "by CI"}
_COMMAND = re.compile(r"^(\$ )?(\.venv/bin/|python |make |pip |crossfade [a-z]|docker |kubectl )")


def _is_of_the_client(text: str) -> None:
    for line in text.splitlines():
        assert not isinstance(read_message(line), Unknown)


def _is_of_the_server(text: str) -> None:
    for line in text.splitlines():
        assert read_object(line)["type"]


READERS: Mapping[str, Callable[[str], object]] = {
    "scenario": parse_scenario,
    "faults": parse_faults,
    "prices": lambda text: read_prices(_written("prices.yaml", text)),
    "arms": lambda text: read_route(_written("arms.yaml", text)),
    "words of the client": _is_of_the_client,
    "words of the server": _is_of_the_server,
    "JSON lines": lambda text: [json.loads(line) for line in text.splitlines()],
}


def _written(name: str, text: str) -> Path:
    Path(name).write_text(text, "utf-8")
    return Path(name)


@pytest.mark.realtime
@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_can_be_followed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "CROSSFADE_TOKEN"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CROSSFADE_STORE", str(tmp_path / "calls.db"))
    monkeypatch.setenv("CROSSFADE_CACHE", str(tmp_path / "cache"))
    furnish(tmp_path, page.read_text("utf-8"))
    names: dict[str, Any] = {}
    for block in blocks_of(page):
        if not block.language or not _SKIPPED.isdisjoint(block.marks):
            continue
        if kind := block.marks.get("read as", ""):
            READERS[kind](block.text)
        if name := block.marks.get("file", ""):
            _written(name, block.text)
        elif name := block.marks.get("append to", ""):
            with Path(name).open("a", encoding="utf-8") as file:
                file.write(block.text)
        elif block.language == "python":
            names = names if "continues" in block.marks else {"__name__": "__main__"}
            with pytest.MonkeyPatch.context() as patch:
                run_python(block, names, patch, request)
        elif block.language == "sh":
            for line in block.commands:
                _obey(line, str(block))


def _obey(line: str, where: str) -> None:
    if line in _DEMO:
        demo_call(Path("runs/of-the-demo"))
        return
    rule = rule_for(line)
    assert rule is not None
    if rule.how is not How.IN_PROCESS:
        return
    command = line.partition("crossfade")[2]
    if "<time>" in command:
        command = command.replace("runs/<time>", str(max(Path("runs").iterdir())))
    done = CliRunner().invoke(app, shlex.split(command), catch_exceptions=False)
    assert done.exit_code == rule.code, f"{where}: {line}\n{done.output}"


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_each_block_says_how_it_is_run(block: Block) -> None:
    assert block.language in LANGUAGES
    assert block.marks.keys() <= MARKS
    assert "" not in (block.marks.get("not run"), block.marks.get("by CI")), "say why"
    assert set(block.given) <= GIVEN.keys()
    if block.language in ("yaml", "json") and "not run" not in block.marks:
        assert block.marks.get("read as") in READERS
    if block.language == "sh" and "not run" not in block.marks:
        unknown = [line for line in block.commands if rule_for(line) is None]
        assert not unknown, "no rule of commands.py fits"


@pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_command_hides_in_another_form(page: Path) -> None:
    text = page.read_text("utf-8")
    indented = [line for line in re.findall(r"^ {4,}(.*)$", text, re.M) if _COMMAND.match(line)]
    pictures = [block.text for block in blocks_of(page) if not block.language]
    assert not [
        line
        for line in indented
        if f"    {line}" not in "".join(block.text for block in blocks_of(page))
    ]
    assert not [text for text in pictures if re.search(_COMMAND.pattern, text, re.M)]
