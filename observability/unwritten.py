"""The record of a call that leaves nothing behind: its figures are those of any other."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crossfade.providers.tap import WireDirection

from .alignment import Heard
from .call import CallRecord
from .call_files import CallFiles
from .cost_meter import Budget, CostMeter
from .event_log import EventLog
from .prices import PriceBook
from .prices_file import standard_prices
from .tool_secrets import SecretArguments
from .wire import AudioMessage, AudioReader

_NOWHERE = Path(os.devnull)


class UnwrittenLog(EventLog):
    """Keeps the time, and tells what is sound on the wire."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        # Not as a log that is written: there is no file, and no thread for it.
        self._clock, self._start_s, self._closed = clock, clock(), True
        self._readers = {direction: AudioReader() for direction in WireDirection}
        self.secret_arguments = SecretArguments()
        self.dropped_lines = 0

    @property
    def failure(self) -> None:
        return None

    @property
    def dropped_audio_lines(self) -> int:
        return 0

    def read(self, direction: WireDirection, message: str | bytes) -> AudioMessage | None:
        """Tell what a message of the wire is if it carries sound."""
        return self._readers[direction].read(message)


class UnwrittenFiles(CallFiles):
    """Writes none."""

    def __init__(self) -> None:
        super().__init__(_NOWHERE, content=False)

    def transcript(self, transcript: Mapping[str, Any], heard: Heard) -> None:
        """It is not kept."""

    def json(self, name: str, content: Mapping[str, Any]) -> None:
        """It is not kept."""


def unwritten_record(
    *,
    details: Mapping[str, Any] | None = None,
    prices: PriceBook | None = None,
    budgets: Sequence[Budget] = (),
) -> CallRecord:
    """Begin the record of a call that starts now, such as where no disk takes one.

    Turns, latencies, cost and budgets are known while it runs and in its summary, as `CallRecord`
    has them; there is no log, no recording, no transcript and no capture.

    Args:
        details: As `CallRecord.open` has them.
        prices: As there.
        budgets: As there.
    """
    started_at = datetime.fromtimestamp(time.time(), UTC)
    record = CallRecord(
        _NOWHERE,
        UnwrittenLog(clock=asyncio.get_running_loop().time),
        None,
        content=False,
        started_at=started_at,
        details=details or {},
        costs=CostMeter(prices or standard_prices(), started_at=started_at, budgets=budgets),
        files=UnwrittenFiles(),
    )
    record.written = False
    return record


__all__ = ["UnwrittenFiles", "UnwrittenLog", "unwritten_record"]
