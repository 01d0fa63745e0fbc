"""Whether a call goes on whatever it is doing when its speech node is swapped, there and back, or
is lost and another one stands in.

A cell holds as one of the continuity matrix does: each line of the caller was heard whole, once
and in order, by a node that took it up; the caller was played all that the agent said, once but
for a little at a cut; the transcript is that of a call in which nothing was swapped. And where an
answer was cut, the silence in it is no longer than the incoming node takes to its first sound and
100 ms more.
"""

import functools
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

from crossfade.offline.voice import sentences
from crossfade.processors.node_switch import When

from .continuity_call import IN_RATES_HZ, set_up
from .continuity_check import check_conversation, check_sound
from .continuity_played import check_played
from .swaps_call import CASCADE, LOST_LINES, LOST_SERVICES, SwapCall, SwapState, take_call

PAIRS = (
    ("openai", CASCADE),
    (CASCADE, "openai"),
    ("gemini", CASCADE),
    (CASCADE, "gemini"),
    ("openai", "openai"),
    ("gemini", "gemini"),
)
LOSSES = (
    *(("openai", CASCADE, lost) for lost in LOST_LINES),
    *(("gemini", CASCADE, lost) for lost in LOST_LINES),
    *((CASCADE, CASCADE, lost) for lost in LOST_SERVICES),
)
PROCESSES = 2
LONGEST_GAP_MS = 100.0
"""In an answer that was cut, beyond the incoming node's own time to its first sound."""
LONGEST_PAUSE_S = 3.0
"""So much longer a call may last whose node is swapped."""
LONGEST_LOSS_S = 15.0
"""And one whose node is lost: that a line is dead has to be noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One call with its swaps."""

    first: str
    second: str
    state: SwapState
    when: When = When.NOW
    lost: str = ""
    """How the first node is lost; empty: the swap is asked for."""

    @property
    def wire(self) -> str:
        """The change, as it is shown."""
        return f"{self.first} → {self.second}"

    @property
    def why(self) -> str:
        """What makes the change, as it is shown."""
        if self.lost in LOST_SERVICES:
            return f"{self.lost} lost"
        return self.lost or self.when.value

    @property
    def swaps(self) -> int:
        """There and back; a line that is lost stays so."""
        return 1 if self.lost in LOST_LINES else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What became of a call whose node was swapped."""

    wire: str
    state: str
    why_changed: str
    held: bool
    lost_ms: float
    """Of the caller's sound."""
    doubled_ms: float
    gap_ms: float
    """Silence in an answer that was cut, beyond the incoming node's own time to its first sound."""
    silence_ms: float
    """That silence, all of it."""
    unserved_ms: float
    """For so long no node took the caller's sound, at the most."""
    replayed_ms: float
    repeated_ms: float
    """Of the agent's sound, said again at a cut."""
    missing_ms: float
    why: str
    duration_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All cells that were run."""

    cells: Sequence[CellResult]

    @property
    def held(self) -> int:
        return sum(cell.held for cell in self.cells)


def cells() -> list[Cell]:
    """All of them, in order."""
    return [
        Cell(first=first, second=second, state=state, when=when)
        for first, second in PAIRS
        for when in When
        for state in SwapState
    ] + [
        Cell(first=first, second=second, state=state, lost=lost)
        for first, second, lost in LOSSES
        for state in SwapState
    ]


def measure(*, tell: Callable[[CellResult], None] = lambda _: None) -> Matrix:
    """Run all cells in two processes.

    Args:
        tell: Told of each cell that is done, in order.
    """
    spawn = multiprocessing.get_context("spawn")
    done: list[CellResult] = []
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=set_up) as pool:
        for result in pool.map(run_cell, cells(), chunksize=1):
            tell(result)
            done.append(result)
    return Matrix(cells=done)


def run_cell(cell: Cell) -> CellResult:
    """Make a cell's call and compare it with one in which nothing is swapped."""
    started_s = time.process_time()
    taken = take_call(cell.first, cell.second, cell.state, cell.when, lost=cell.lost)
    cpu_s = time.process_time() - started_s
    return judged(cell, taken, undisturbed(cell.first), cpu_s=cpu_s)


@functools.cache
def undisturbed(first: str) -> SwapCall:
    """A call in which nothing is swapped."""
    taken = take_call(first, first, None)
    assert taken.failure is None, f"an undisturbed call with {first} failed: {taken.failure}"
    return taken


def judged(cell: Cell, taken: SwapCall, plain: SwapCall, *, cpu_s: float = 0.0) -> CellResult:
    """Whether a cell holds."""
    kinds = [kind for kind in (cell.first, cell.second) if kind != CASCADE]
    rate_hz = IN_RATES_HZ[kinds[0]] if kinds else 16000
    sound = check_sound(taken.said, taken.lines, taken.heard)
    script = [
        sentence
        for entry in plain.transcript
        if entry["role"] == "agent"
        for sentence in sentences(entry["text"])
    ]
    played = check_played(taken.played, taken.rendered, script)
    why = [] if taken.failure is None else [taken.failure]
    if len(taken.swaps) != cell.swaps:
        why.append(f"{len(taken.swaps)} swaps were made")
    late_s = taken.duration_s - plain.duration_s
    if late_s > (LONGEST_LOSS_S if cell.lost else LONGEST_PAUSE_S):
        why.append(f"the call stood still for {late_s:.1f} s")
    asked = cell.when is When.NOW and not cell.lost
    cuts = asked and cell.state is SwapState.AGENT_SPEAKING
    silence_ms, gap_ms = gap(taken) if cuts else (0.0, 0.0)
    if gap_ms > LONGEST_GAP_MS:
        why.append(f"the answer broke off for {gap_ms:.0f} ms more than the node needs")
    why += [*sound.why, *played.why, *check_conversation(taken.transcript, plain.transcript)]
    samples_a_ms = rate_hz / 1000
    return CellResult(
        wire=cell.wire,
        state=cell.state.value,
        why_changed=cell.why,
        held=not why and not sound.lost and not sound.doubled,
        lost_ms=round(sound.lost / samples_a_ms, 3),
        doubled_ms=round(sound.doubled / samples_a_ms, 3),
        gap_ms=round(gap_ms, 1),
        silence_ms=round(silence_ms, 1),
        unserved_ms=round(max((swap.told.gap_ms for swap in taken.swaps), default=0.0), 3),
        replayed_ms=round(sum(swap.told.replayed_ms for swap in taken.swaps), 1),
        repeated_ms=played.repeated_ms,
        missing_ms=played.missing_ms,
        why="; ".join(why),
        duration_s=round(taken.duration_s, 2),
        cpu_s=round(cpu_s, 2),
    )


def gap(taken: SwapCall) -> tuple[float, float]:
    """The longest silence between a swap and the end of the answer that it cut, in ms: all of it,
    and what of it is beyond the node's own time to its first sound."""
    if not taken.swaps or taken.swaps[0].first_sound_s is None:
        return 0.0, 0.0
    first = taken.swaps[0]
    assert first.first_sound_s is not None
    silence_s, ended_s = 0.0, None
    for at_s, length_s in taken.writes:
        if ended_s is not None and first.at_s <= at_s <= first.first_sound_s + 1.0:
            silence_s = max(silence_s, at_s - ended_s)
        ended_s = at_s + length_s
    needs_s = first.first_sound_s - first.at_s
    return silence_s * 1000, max(0.0, silence_s - needs_s) * 1000


def table(result: Matrix) -> Table:
    """What held, by change and state."""
    shown = Table(
        title=f"Swaps that nobody noticed: {result.held} of {len(result.cells)}",
        box=box.SIMPLE_HEAD,
        padding=0,
    )
    for heading in ("change", "by", *(state.value for state in SwapState)):
        shown.add_column(heading)
    rows: dict[tuple[str, str], dict[str, CellResult]] = {}
    for cell in result.cells:
        rows.setdefault((cell.wire, cell.why_changed), {})[cell.state] = cell
    for (wire, by), found in rows.items():
        marks = [_mark(found.get(state.value)) for state in SwapState]
        shown.add_row(wire, by, *marks)
    return shown


def _mark(cell: CellResult | None) -> str:
    if cell is None:
        return ""
    return "held" if cell.held else "[red]failed[/]"


def problems(result: Matrix) -> list[str]:
    """A line for each cell that did not hold."""
    return [
        f"{cell.wire}, {cell.state}, {cell.why_changed}: {cell.why or 'sound was lost or doubled'}"
        for cell in result.cells
        if not cell.held
    ]


def content(result: Matrix) -> dict[str, Any]:
    """The result as JSON can hold it."""
    return {"held": result.held, "cells": [asdict(cell) for cell in result.cells]}


__all__ = [
    "Cell",
    "CellResult",
    "Matrix",
    "cells",
    "content",
    "judged",
    "measure",
    "problems",
    "run_cell",
    "table",
    "undisturbed",
]
