"""Reads the lines of a log that may still grow."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from crossfade.errors import SettingsError

EVENTS = "events.jsonl"
LAST = "log.closed"
"""The type of a log's last line."""
QUIET_S = 10.0
"""A call that runs writes more often."""
_BLOCK_BYTES = 2**16

Line = dict[str, Any]


def find_log(place: Path) -> Path:
    """The event log of a call: of its folder, or of the newest call in a folder of calls.

    Raises:
        SettingsError: There is none.
    """
    if place.is_file():
        return place
    if (place / EVENTS).is_file():
        return place / EVENTS
    logs = sorted(place.glob(f"*/{EVENTS}"), key=lambda path: (path.stat().st_mtime, path))
    if not logs:
        raise SettingsError(
            f"{place} holds no {EVENTS}; give the folder of a call, or of calls, such as runs/"
        )
    return logs[-1]


class LogReader:
    """Reads whole lines, and keeps the beginning of one that is not whole yet.

    Args:
        path: The log.

    Raises:
        SettingsError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
        self._begun = b""
        self.unreadable = 0
        """Lines that are none of a log."""

    @property
    def cut(self) -> bool:
        """Whether the last line is not whole: still being written, or cut off by a crash."""
        return bool(self._begun)

    def more(self) -> Iterator[Line]:
        """The lines that were finished since."""
        while block := self._file.read(_BLOCK_BYTES):
            *whole, self._begun = (self._begun + block).split(b"\n")
            for text in whole:
                line = _parsed(text)
                if line is None:
                    self.unreadable += 1
                else:
                    yield line

    def close(self) -> None:
        self._file.close()


def follow(
    reader: LogReader,
    wait: Callable[[float], None] = time.sleep,
    *,
    every_s: float = 0.2,
    quiet: Callable[[], None] = lambda: None,
) -> Iterator[Line]:
    """All lines, and those to come, until the log is closed.

    Args:
        reader: Of the log.
        wait: Sleeps for so many seconds.
        every_s: So often it is looked.
        quiet: Called once, when nothing has come for `QUIET_S`: a killed call's log has no end.
    """
    waited_s, told = 0.0, False
    while True:
        for line in reader.more():
            waited_s = 0.0
            yield line
            if line["type"] == LAST:
                return
        wait(every_s)
        waited_s += every_s
        if waited_s >= QUIET_S and not told:
            told = True
            quiet()


def _parsed(text: bytes) -> Line | None:
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(line, dict):
        return None
    known = isinstance(line.get("dir"), str) and isinstance(line.get("type"), str)
    return line if known and isinstance(line.get("t"), int | float) else None


__all__ = ["LAST", "QUIET_S", "Line", "LogReader", "find_log", "follow"]
