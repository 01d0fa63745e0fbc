"""What a server tells whoever runs it: one line each of what goes wrong, and no word of a call.

Our own warnings are shown. The words of other libraries may quote what is said in a call; of their
errors only the place is shown, and of exceptions only the kind and the places they went through.
"""

import logging
import sys
import traceback
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from loguru import logger

from crossfade.observability.redaction import without_secrets

if TYPE_CHECKING:
    from loguru import Message

MOST_A_MINUTE = 30
"""Lines from one place of the program: a client may cause them, and the disk is finite."""
_MINUTE_S = 60.0
_MOST_CHARACTERS = 1000
_MOST_PLACES = 5
_OWN = "crossfade"


class ServeLog:
    """Writes a server's log to the error output."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], tuple[float, int]] = {}
        """Of each place: since when lines are counted, and how many came."""

    def sink(self, message: "Message") -> None:
        """Take what loguru has."""
        record = message.record
        found = record["exception"]
        self.tell(
            record["message"],
            at=record["time"],
            level=record["level"].name,
            place=(record["name"] or "", record["line"]),
            error=None if found is None else found.value,
        )

    def tell(
        self,
        words: str,
        *,
        at: datetime,
        level: str,
        place: tuple[str, int],
        error: BaseException | None = None,
    ) -> None:
        """Write a line, if the place that tells it has not told too many.

        Args:
            words: What the program says.
            at: When.
            level: How bad it is; of others' libraries, errors alone are of interest.
            place: Module and line that say it.
            error: What was caught.
        """
        module, number = place
        own = module.partition(".")[0] == _OWN
        if not own and level not in ("ERROR", "CRITICAL"):
            return
        said = words if own else f"an error at {module}:{number}"
        if error is not None:
            said += f" ({_kind(error)})"
        if (more := self._room(place, at.timestamp())) is None:
            return
        shown = without_secrets(_in_one_line(said))[:_MOST_CHARACTERS]
        _write(f"{at.isoformat(timespec='milliseconds')} {level} {shown}{more}\n")

    def _room(self, place: tuple[str, int], now_s: float) -> str | None:
        """What is added to the line about others of its place; None if it is left out."""
        since_s, count = self._told.get(place, (now_s, 0))
        left_out = 0
        if now_s - since_s >= _MINUTE_S:
            left_out = max(0, count - MOST_A_MINUTE)
            since_s, count = now_s, 0
        count += 1
        self._told[place] = since_s, count
        if count > MOST_A_MINUTE:
            return None
        if count == MOST_A_MINUTE:
            return " [more like it are left out for a minute]"
        return f" [{left_out} like it were left out]" if left_out else ""


class _FromLogging(logging.Handler):
    """Takes what the standard library's logging has: the emulators', and other libraries'."""

    def __init__(self, log: ServeLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.tell(
            record.getMessage(),
            at=datetime.fromtimestamp(record.created).astimezone(),
            level=record.levelname,
            place=(record.name, record.lineno),
            error=record.exc_info[1] if record.exc_info else None,
        )


def log_to_stderr() -> None:
    """Show what goes wrong from now on, on the error output."""
    log = ServeLog()
    logger.remove()
    # Its own tracebacks would show the values of variables.
    logger.add(log.sink, level="WARNING", format="{message}", backtrace=False, diagnose=False)
    # For loggers that nobody has given a handler: it would show whole tracebacks.
    logging.lastResort = _FromLogging(log)


def _kind(error: BaseException) -> str:
    """An exception without its words, which may quote what somebody sent."""
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in _frames(error)]
    return " < ".join([type(error).__name__, *reversed(places[-_MOST_PLACES:])])


def _frames(error: BaseException) -> traceback.StackSummary:
    passed: TracebackType | None = error.__traceback__
    return traceback.StackSummary.extract(traceback.walk_tb(passed), lookup_lines=False)


def _in_one_line(text: str) -> str:
    """Without line ends, and without what a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _write(line: str) -> None:
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (OSError, ValueError):
        # Nobody reads it any more: calls go on without.
        pass


__all__ = ["MOST_A_MINUTE", "ServeLog", "log_to_stderr"]
