"""CPU of importing the providers, against that of what they cannot do without."""

import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

GOAL = 1.5
_NEEDED = "import websockets.asyncio.client, orjson, pydantic"
_OURS = "import crossfade.providers"
_TIMED = "import time; t = time.process_time(); {}; print((time.process_time() - t) * 1000)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """Medians over fresh processes, in ms of CPU."""

    providers_ms: float
    needed_ms: float
    ratio: float
    runs: int


def measure(runs: int) -> ImportResult:
    """Import both in turn, each time in a new process."""
    times: Mapping[str, list[float]] = {_OURS: [], _NEEDED: []}
    # The first runs write the byte code.
    for number in range(runs + 1):
        for statement, measured in times.items():
            cpu_ms = _import_ms(statement)
            if number:
                measured.append(cpu_ms)
    ratios = (ours / needed for ours, needed in zip(times[_OURS], times[_NEEDED], strict=True))
    return ImportResult(
        providers_ms=round(statistics.median(times[_OURS]), 1),
        needed_ms=round(statistics.median(times[_NEEDED]), 1),
        ratio=round(statistics.median(ratios), 2),
        runs=runs,
    )


def _import_ms(statement: str) -> float:
    return float(
        subprocess.run(
            [sys.executable, "-c", _TIMED.format(statement)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )


def content(result: ImportResult) -> dict[str, Any]:
    """The result as it is kept."""
    return {
        "measurement": f"CPU of '{_OURS}' against '{_NEEDED}', medians of fresh processes",
        "goal_ratio": GOAL,
        **asdict(result),
    }
