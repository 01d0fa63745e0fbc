"""Follows a page's commands as they stand, in a shell of its own."""

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.project import ROOT
from tests.snippets.blocks import Block
from tests.snippets.commands import How, rule_for
from tests.snippets.place import demo_call, furnish

LONGEST_S = 240.0
_LISTENS = re.compile(r"listening on |talk at ")
_STATE = 'code=$?; pwd >"$STATE"; env -0 >>"$STATE"; exit $code'


class Shell:
    """A folder, an environment, and what is run there, line by line.

    Args:
        folder: Empty; the page's own.
        text: Of the page.
    """

    def __init__(self, folder: Path, text: str) -> None:
        furnish(folder, text)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self._folder = folder
        self._state = folder / ".state"
        hidden = {name for name in os.environ if re.search("KEY|TOKEN|SECRET|PYTEST", name)}
        self._environment = {k: v for k, v in os.environ.items() if k not in hidden} | {
            "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
            "STATE": str(self._state),
            "CROSSFADE_STORE": str(folder / "calls.db"),
            "CROSSFADE_CACHE": str(folder / "cache"),
            "HOME": str(folder),
            "COLUMNS": "200",
        }
        self._at = folder

    def follow(self, blocks: Sequence[Block]) -> list[str]:
        """Run what the blocks tell; gives what went wrong, and where."""
        for block in blocks:
            if "not run" in block.marks:
                continue
            if name := block.marks.get("file"):
                (self._folder / name).write_text(block.text, "utf-8")
            elif name := block.marks.get("append to"):
                with (self._folder / name).open("a", encoding="utf-8") as file:
                    file.write(block.text)
            elif block.language == "sh":
                for line in block.commands:
                    if wrong := self._run(line):
                        # What follows builds on it.
                        return [f"{block}: {line}\n{wrong}"]
        return []

    def _run(self, line: str) -> str:
        if line == "make demo":
            demo_call(self._folder / "runs" / "of-the-demo")
            return ""
        rule = rule_for(line)
        assert rule is not None
        if rule.how is How.NOT:
            return ""
        if "<time>" in line:
            latest = max((self._folder / "runs").iterdir())
            line = line.replace("runs/<time>", shlex.quote(str(latest)))
        return self._serve(line) if rule.how is How.SERVES else self._obey(line, rule.code)

    def _obey(self, line: str, code: int) -> str:
        done = subprocess.run(
            ["bash", "-c", f"{line}\n{_STATE}"],
            cwd=self._at,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        if done.returncode != code:
            return done.stdout
        place, _, variables = self._state.read_text("utf-8").partition("\n")
        self._at = Path(place)
        self._environment = dict(
            each.split("=", 1) for each in variables.split("\0") if "=" in each
        )
        return ""

    def _serve(self, line: str) -> str:
        # Whatever has the usual port here, the command itself is what is tried.
        line = re.sub(r"(--(?:metrics-)?port) \d+", r"\1 0", line)
        if "--port" not in line and "crossfade serve" in line:
            line += " --port 0"
        output = self._folder / "served.txt"
        with output.open("w") as file:
            served = subprocess.Popen(
                # A line may begin with its variables.
                ["bash", "-c", f"exec env {line}"],
                cwd=self._at,
                env=self._environment | {"PYTHONUNBUFFERED": "1"},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + LONGEST_S
        while served.poll() is None and time.monotonic() < until:
            if _LISTENS.search(output.read_text("utf-8")):
                served.send_signal(signal.SIGINT)
                break
            time.sleep(0.1)
        try:
            code = served.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(served.pid, signal.SIGKILL)
            return f"it does not end\n{output.read_text('utf-8')}"
        told = output.read_text("utf-8")
        return "" if _LISTENS.search(told) and code in (0, 130) else f"{told}\nexit code {code}"


__all__ = ["LONGEST_S", "Shell"]
