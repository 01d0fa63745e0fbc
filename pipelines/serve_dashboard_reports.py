"""The calls of a server that have ended, and their reports."""

import asyncio
import os
import re
import sys
from heapq import nlargest
from pathlib import Path
from typing import Any

from loguru import logger

from crossfade.errors import SettingsError
from crossfade.observability.report import REPORT
from crossfade.observability.summary_file import SUMMARY, read_summary

MOST_LISTED = 50
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(-\d{1,3})?", re.ASCII)
_MAKE_S = 60.0
_MAKE = """
import os, sys
if hasattr(os, "nice"):
    os.nice(10)
from crossfade.cli import app
app(["report", sys.argv[1]])
"""


class Reports:
    """Reads the folders of calls.

    A report is made in a process of its own, one at a time and behind the calls: it may take a
    second of a core.

    Args:
        runs: Where the folders are.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._known: dict[str, dict[str, Any]] = {}
        self._making = asyncio.Lock()

    async def ended(self) -> list[dict[str, Any]]:
        """The calls that ended last, the newest first."""
        return await asyncio.to_thread(self._ended)

    async def report(self, name: str) -> bytes | None:
        """The page of a call; None if there is no such call that has ended.

        Args:
            name: Of its folder.
        """
        folder = self._runs / name
        if not _NAME.fullmatch(name) or not (folder / SUMMARY).is_file():
            return None
        path = folder / REPORT
        async with self._making:
            if not path.is_file() and not await _made(folder):
                return None
        return await asyncio.to_thread(path.read_bytes)

    def _ended(self) -> list[dict[str, Any]]:
        names = [each.name for each in self._folders() if _NAME.fullmatch(each.name)]
        found: list[dict[str, Any]] = []
        for name in nlargest(2 * MOST_LISTED, names):
            if len(found) < MOST_LISTED and (call := self._call(name)) is not None:
                found.append(call)
        self._known = {each["name"]: each for each in found}
        return found

    def _folders(self) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(self._runs) as entries:
                return list(entries)
        except OSError:
            return []

    def _call(self, name: str) -> dict[str, Any] | None:
        if (known := self._known.get(name)) is not None:
            return known
        try:
            summary = read_summary(self._runs / name)
        except SettingsError:
            # It runs, or was killed.
            return None
        latencies_ms = sorted(summary.voice_to_voice_ms)
        return {
            "name": name,
            "started_at": summary.started_at,
            "call": str(summary.details.get("call", "")),
            "model": str(summary.details.get("model", "")),
            "duration_s": summary.duration_s,
            "turns": summary.user_turns,
            "median_ms": latencies_ms[(len(latencies_ms) - 1) // 2] if latencies_ms else None,
            "usd": summary.cost.usd,
            "complete": summary.cost.complete,
            "errors": len(summary.errors),
        }


async def _made(folder: Path) -> bool:
    """Have the report of a call written into its folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _MAKE, str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_MAKE_S):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
    if process.returncode:
        logger.warning("no report of {}: {}", folder.name, said.decode(errors="replace").strip())
    return not process.returncode


__all__ = ["MOST_LISTED", "Reports"]
