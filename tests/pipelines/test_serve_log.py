"""What a server tells whoever runs it: what goes wrong, and nothing that is said or secret."""

import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from loguru import logger
from websockets.sync.client import connect

from crossfade.pipelines.serve_log import MOST_A_MINUTE, ServeLog, log_to_stderr
from tests.project import ROOT

if TYPE_CHECKING:
    from loguru import Record

KEY = "sk-proj-planted0123456789abcdef"
SAID = "my number is 4711"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (WARNING|ERROR) (.*)")


class Lines:
    """Tells a log as the clock has it."""

    def __init__(self) -> None:
        self.log = ServeLog()

    def tell(
        self, words: str, at_s: float = 0.0, module: str = "crossfade.a", line: int = 1
    ) -> None:
        self.log.tell(
            words,
            at=datetime.fromtimestamp(at_s, UTC),
            level="WARNING",
            place=(module, line),
        )


@pytest.fixture
def logged() -> Iterator[None]:
    """The log of a server, as the tests' own is not."""
    before = logging.lastResort
    log_to_stderr()
    try:
        yield
    finally:
        logging.lastResort = before
        logger.remove()
        logger.add(lambda text: print(text, end="", file=sys.stderr), level="WARNING")  # noqa: T201


def as_ours(line: "Record") -> None:
    """As one of the server's modules logs."""
    line["name"] = "crossfade.pipelines.serve"


def named(module: str) -> None:
    """Log as a module of that name does."""
    code = """
from loguru import logger
def say(words): logger.warning(words)
def fail(words):
    logger.error(words)
    try:
        raise ValueError(words)
    except ValueError:
        logger.exception("it failed")
"""
    space: dict[str, object] = {"__name__": module}
    exec(compile(code, f"/{module}.py", "exec"), space)
    for each in ("say", "fail"):
        told = space[each]
        assert callable(told)
        told(f"{each}: {SAID} {{x}} {KEY}")


@pytest.mark.usefixtures("logged")
def test_our_warnings_are_told_in_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    logger.patch(as_ours).warning("call {} cannot go on:\n\x1b[31m{}", "c1", f"refused {KEY}")
    told = LINE.fullmatch(capsys.readouterr().err.rstrip("\n"))
    assert told is not None
    assert told.groups() == ("WARNING", "call c1 cannot go on: [31mrefused [removed]")


@pytest.mark.usefixtures("logged")
def test_other_libraries_do_not_quote_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    named("pipecat.processors.some")
    errors = [LINE.fullmatch(line) for line in capsys.readouterr().err.splitlines()]
    assert [None if each is None else each.groups() for each in errors] == [
        ("ERROR", "an error at pipecat.processors.some:5"),
        (
            "ERROR",
            "an error at pipecat.processors.some:9 (ValueError < pipecat.processors.some.py:7)",
        ),
    ]


@pytest.mark.usefixtures("logged")
def test_our_exceptions_tell_where_and_not_what(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(SAID)
    except ValueError:
        logger.patch(as_ours).exception("a line ends")
    told = capsys.readouterr().err
    assert "ERROR a line ends (ValueError < test_serve_log.py:" in told
    assert SAID not in told
    assert told.count("\n") == 1


@pytest.mark.usefixtures("logged")
def test_the_standard_log_comes_in_the_same_lines(capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.lastResort
    assert handler is not None
    for name, level, words in (
        ("crossfade.emulators", logging.WARNING, "a turn failed"),
        ("websockets", logging.WARNING, SAID),
        ("websockets", logging.ERROR, SAID),
    ):
        handler.handle(logging.LogRecord(name, level, "x.py", 7, words, None, None))
    told = [LINE.fullmatch(line) for line in capsys.readouterr().err.splitlines()]
    assert [None if each is None else each.groups() for each in told] == [
        ("WARNING", "a turn failed"),
        ("ERROR", "an error at websockets:7"),
    ]


def test_one_place_does_not_fill_the_disk(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    for number in range(MOST_A_MINUTE + 5):
        lines.tell("a phone is not attached", number / 10)
    lines.tell("another", line=2)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == MOST_A_MINUTE + 1
    assert told[-2].endswith("attached [more like it are left out for a minute]")
    assert told[-1].endswith("another")
    lines.tell("a phone is not attached", 61.0)
    assert capsys.readouterr().err.endswith("attached [5 like it were left out]\n")


def test_nobody_need_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with (Path(os.devnull)).open() as closed:
        monkeypatch.setattr(sys, "stderr", closed)
        Lines().tell("it goes on")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_tells_that_a_call_cannot_be_served(workers: int, tmp_path: Path) -> None:
    environment = {**os.environ, "OPENAI_API_KEY": KEY, "NO_PROXY": "*"}
    command = [sys.executable, "-c", "from crossfade.cli import app; app()", "serve", "--port", "0"]
    options = ["--base-url", "ws://127.0.0.1:9", "--runs", str(tmp_path / "runs"), "--no-webrtc"]
    shared = ["--workers", str(workers), "--store", str(tmp_path / "calls.db")]
    error = tmp_path / "stderr"
    with (
        error.open("w") as to,
        subprocess.Popen(
            [*command, *options, *shared],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=to,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        url = next(line.split()[2] for line in process.stdout if line.startswith("listening"))
        with connect(url, proxy=None) as line:
            line.send('{"type": "hello"}')
            assert '"error"' in str(line.recv(20))
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(20) == 0
    told = error.read_text()
    # A machine that is busy may have others told, too.
    assert all(LINE.fullmatch(line) for line in told.splitlines()), told
    assert re.search(r" WARNING call \S+ cannot (be served|begin): ", told)
    assert KEY not in told
