"""Whether a call goes on whatever befalls its connection: every fault in every state of a call.

A cell holds if the call goes on to its end without a long pause; if each turn of the caller that
was answered, by the last connection that did, has all samples of the caller's line, once and in
order; and if the transcript is that of a call that nothing disturbed: the same turns of the caller,
the same rounds with tools, and of the agent the same words, none twice and all of them heard.
"""

import functools
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from crossfade.emulators.faults import RefuseHandshake
from crossfade.errors import SettingsError
from crossfade.providers.continuity.settings import Continuity

from .continuity_call import FIRST_ANSWER, IN_RATES_HZ, SPEED, CallTaken, set_up, take_call
from .continuity_cells import ROTATE_AFTER_S, CallState, Cell, cells, chosen
from .continuity_check import check_conversation, check_sound

WIRES = ("openai", "gemini")
PROCESSES = 2
LONGEST_PAUSE_S = 15.0
"""So much longer a call may last: to notice that a line is dead, and to begin anew."""
_IDLE_MS = 400.0
"""After the answer has sounded; the caller speaks again 1.2 s after it."""
_FIRST_ANSWER_MS = 5070.0
_USUAL = Continuity()
_LONG_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What became of a call with a fault in it."""

    wire: str
    fault: str
    state: str
    held: bool
    lost_ms: float
    doubled_ms: float
    why: str
    """Why it did not hold; empty where it did."""
    duration_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All cells that were run."""

    cells: Sequence[CellResult]

    @property
    def held(self) -> int:
        return sum(cell.held for cell in self.cells)


def matrix(wires: Sequence[str]) -> list[Cell]:
    """The cells of some wires, in order.

    Raises:
        SettingsError: A wire is not one of `WIRES`.
    """
    if unknown := set(wires) - set(WIRES):
        raise SettingsError(
            f"{', '.join(sorted(unknown))}: no such wire; name {' or '.join(WIRES)}"
        )
    return [cell for wire in wires for cell in cells(wire, idle_ms=_idle_ms(wire))]


def _idle_ms(wire: str) -> float:
    """From the end of generation to the middle of the silence behind the first answer."""
    plays_on_ms = _FIRST_ANSWER_MS * (1 - 1 / SPEED) if wire == "openai" else 0.0
    return plays_on_ms + _IDLE_MS


def measure(
    *,
    count: int | None = None,
    wires: Sequence[str] = WIRES,
    tell: Callable[[CellResult], None] = lambda _: None,
) -> Matrix:
    """Run cells in two processes.

    Args:
        count: So many, spread evenly over all; None is all.
        wires: Of these.
        tell: Told of each cell that is done, in order.

    Raises:
        SettingsError: A wire is not known.
    """
    wanted = chosen(matrix(wires), count)
    spawn = multiprocessing.get_context("spawn")
    done: list[CellResult] = []
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=set_up) as pool:
        for result in pool.map(run_cell, wanted, chunksize=1):
            tell(result)
            done.append(result)
    return Matrix(cells=done)


def run_cell(cell: Cell, continuity: Continuity | None = _USUAL) -> CellResult:
    """Make a cell's call and compare it with one that nothing disturbed.

    Args:
        cell: What goes wrong.
        continuity: How the session outlives its connections; None: it does not.
    """
    if continuity is not None and cell.rotates:
        continuity = Continuity(rotate_after_s=ROTATE_AFTER_S)
    session_s = _LONG_S
    if continuity is not None and cell.forced_s is not None:
        # A session is not replaced in the first half of its life, and ends at a whole second.
        session_s = float(int(2 * cell.forced_s))
        before_s = session_s - cell.forced_s
        continuity = Continuity(rotate_before_s=before_s, force_before_s=before_s)
    started_s = time.process_time()
    taken = take_call(cell.wire, cell.faults, continuity=continuity, session_seconds=session_s)
    cpu_s = time.process_time() - started_s
    return judged(cell, taken, undisturbed(cell.wire), cpu_s=cpu_s)


@functools.cache
def undisturbed(wire: str) -> CallTaken:
    """A call of which nothing goes wrong."""
    taken = take_call(wire)
    assert taken.failure is None, f"an undisturbed call on {wire} failed: {taken.failure}"
    return taken


def judged(cell: Cell, taken: CallTaken, plain: CallTaken, *, cpu_s: float = 0.0) -> CellResult:
    """Whether a cell holds."""
    sound = check_sound(taken.said, taken.lines, taken.sessions)
    why = [] if taken.failure is None else [taken.failure]
    if taken.struck < sum(not isinstance(fault, RefuseHandshake) for fault in cell.faults):
        why.append("not every fault struck")
    if cell.needs_more and len(taken.sessions) < 2:
        why.append("no second connection was served")
    late_s = taken.duration_s - plain.duration_s
    if late_s > LONGEST_PAUSE_S:
        why.append(f"the call stood still for {late_s:.0f} s")
    why += [*sound.why, *check_conversation(taken.transcript, plain.transcript)]
    samples_a_ms = IN_RATES_HZ[cell.wire] / 1000
    return CellResult(
        wire=cell.wire,
        fault=cell.fault,
        state=cell.state.value,
        held=not why and not sound.lost and not sound.doubled,
        lost_ms=round(sound.lost / samples_a_ms, 3),
        doubled_ms=round(sound.doubled / samples_a_ms, 3),
        why="; ".join(why),
        duration_s=round(taken.duration_s, 2),
        cpu_s=round(cpu_s, 2),
    )


def table(result: Matrix) -> Table:
    """How many cells hold, by fault and state, and wire."""
    shown = Table(
        title=f"Calls that went on as if nothing had happened: {result.held} of {len(result.cells)}"
    )
    for heading in ("wire", "fault"):
        shown.add_column(heading, no_wrap=True)
    states = [state.value for state in CallState]
    for state in states:
        shown.add_column(state, justify="right", min_width=5)
    rows: dict[tuple[str, str], dict[str, CellResult]] = {}
    for cell in result.cells:
        rows.setdefault((cell.wire, cell.fault), {})[cell.state] = cell
    for (wire, fault), found in rows.items():
        shown.add_row(wire, fault, *(_mark(found.get(state)) for state in states))
    return shown


def _mark(cell: CellResult | None) -> str:
    if cell is None:
        return ""
    if cell.held:
        return "yes"
    return f"NO -{cell.lost_ms:g} +{cell.doubled_ms:g}" if cell.lost_ms or cell.doubled_ms else "NO"


def problems(result: Matrix) -> list[str]:
    """A line for each cell that did not hold."""
    return [
        f"{cell.wire}, {cell.fault}, {cell.state}: {cell.why}"
        for cell in result.cells
        if not cell.held
    ]


def content(result: Matrix) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "calls over the whole chain on the virtual clock, each with a fault of its "
        "connection: the caller's samples in the turns that were answered, and the transcript, "
        "beside those of a call that nothing disturbed",
        "held": result.held,
        "of": len(result.cells),
        "first_answer": FIRST_ANSWER,
        "cells": [asdict(cell) for cell in result.cells],
    }
