"""Whether a call goes on whatever befalls its connection: every fault in every state of a call.

A cell holds if the call goes on to its end without a long pause; if each turn of the caller that
was answered, by the last connection that did, has all samples of the caller's line, once and in
order; if the caller was played what the agent's connections said, all of it and once but for a
little at a cut; and if the transcript is that of a call that nothing disturbed: the same turns of
the caller, the same rounds with tools, and of the agent the same words, none twice and all of them
heard.
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

from crossfade.emulators.faults import RefuseHandshake
from crossfade.emulators.moshi.ogg_opus import check_available
from crossfade.errors import SettingsError
from crossfade.offline.voice import sentences
from crossfade.providers.continuity.settings import Continuity

from .continuity_call import FIRST_ANSWER, IN_RATES_HZ, SPEED, CallTaken, set_up, take_call
from .continuity_cells import (
    ROTATE_AFTER_S,
    CallState,
    Cell,
    cells,
    chosen,
    late_cells,
    lossy_cells,
)
from .continuity_check import check_conversation, check_sound, without_words
from .continuity_lossy import check_likeness
from .continuity_nodes import NODES, NodeCell, node_cells
from .continuity_played import LONGEST_HOLE_MS, LONGEST_REPEAT_MS, Played, check_played
from .swaps import run_cell as run_swap

WIRES = ("openai", "gemini")
LOSSY = "moshi"
"""Its sound is compared by likeness, and nothing else."""
ALL_WIRES = (*WIRES, LOSSY, NODES)
PROCESSES = 2
LONGEST_PAUSE_S = 15.0
"""So much longer a call may last: to notice that a line is dead, and to begin anew."""
_IDLE_MS = 400.0
"""After the answer has sounded; the caller speaks again 1.2 s after it."""
_FIRST_ANSWER_MS = 5070.0
_USUAL = Continuity()
# As short as 80 columns ask.
_HEADINGS = {
    CallState.IDLE: "idle",
    CallState.USER_SPEAKING: "user",
    CallState.THINKING: "think",
    CallState.AGENT_SPEAKING: "agent",
    CallState.TOOL_PENDING: "tool",
    CallState.ROTATING: "rotate",
    CallState.RECONNECTING: "reconn",
}
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
    repeated_ms: float
    """Of the agent's sound, said again at cuts."""
    missing_ms: float
    """Of the agent's sound, never said at cuts."""
    wordless: int
    """So many turns of the caller have no words in the transcript, for the wire cannot tell them
    any more; in all other cells, and in more turns, that is a failure."""
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


def matrix(wires: Sequence[str], *, late: bool = False) -> list[Cell | NodeCell]:
    """The cells of some wires, in order.

    Args:
        wires: Of these.
        late: Those in which the caller's words come late, instead of all others.

    Raises:
        SettingsError: A wire is not one of `ALL_WIRES`, the library of Moshi's is missing, or
            late words are asked of no wire that tells them.
    """
    if unknown := set(wires) - set(ALL_WIRES):
        raise SettingsError(
            f"{', '.join(sorted(unknown))}: no such wire; name {' or '.join(ALL_WIRES)}"
        )
    if LOSSY in wires:
        check_available()
    exact = [wire for wire in wires if wire in WIRES]
    if late and not exact:
        raise SettingsError(
            f"{' and '.join(wires)}: no words of the caller come late there; name another wire"
        )
    if late:
        return [cell for wire in exact for cell in late_cells(wire)]
    lossy = lossy_cells() if LOSSY in wires else ()
    nodes = node_cells() if NODES in wires else ()
    of_lines = (cell for wire in exact for cell in cells(wire, idle_ms=_idle_ms(wire)))
    return [*of_lines, *lossy, *nodes]


def _idle_ms(wire: str) -> float:
    """From the end of generation to the middle of the silence behind the first answer."""
    plays_on_ms = _FIRST_ANSWER_MS * (1 - 1 / SPEED) if wire == "openai" else 0.0
    return plays_on_ms + _IDLE_MS


def measure(
    *,
    count: int | None = None,
    wires: Sequence[str] = ALL_WIRES,
    late: bool = False,
    tell: Callable[[CellResult], None] = lambda _: None,
) -> Matrix:
    """Run cells in two processes.

    Args:
        count: So many, spread evenly over all; None is all.
        wires: Of these.
        late: Of those instead in which the caller's words come late.
        tell: Told of each cell that is done, in order.

    Raises:
        SettingsError: A wire is not known.
    """
    wanted = chosen(matrix(wires, late=late), count)
    spawn = multiprocessing.get_context("spawn")
    done: list[CellResult] = []
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn, initializer=set_up) as pool:
        for result in pool.map(run_cell, wanted, chunksize=1):
            tell(result)
            done.append(result)
    return Matrix(cells=done)


def run_cell(cell: Cell | NodeCell, continuity: Continuity | None = _USUAL) -> CellResult:
    """Make a cell's call and compare it with one that nothing disturbed.

    Args:
        cell: What goes wrong.
        continuity: How the session outlives its connections; None: it does not. Where nodes
            change, each has its own.
    """
    if isinstance(cell, NodeCell):
        return _of_swap(cell)
    if continuity is not None and cell.rotates:
        continuity = Continuity(rotate_after_s=ROTATE_AFTER_S)
    session_s = _LONG_S
    if continuity is not None and cell.forced_s is not None:
        # A session is not replaced in the first half of its life, and ends at a whole second.
        session_s = float(int(2 * cell.forced_s))
        before_s = session_s - cell.forced_s
        continuity = Continuity(rotate_before_s=before_s, force_before_s=before_s)
    started_s = time.process_time()
    taken = take_call(
        cell.wire,
        cell.faults,
        continuity=continuity,
        session_seconds=session_s,
        transcript_delay_ms=cell.transcript_delay_ms,
    )
    cpu_s = time.process_time() - started_s
    return judged(cell, taken, undisturbed(cell.wire), cpu_s=cpu_s)


def _of_swap(cell: NodeCell) -> CellResult:
    found = run_swap(cell.swap)
    return CellResult(
        wire=cell.wire,
        fault=cell.fault,
        state=cell.state.value,
        held=found.held,
        lost_ms=found.lost_ms,
        doubled_ms=found.doubled_ms,
        repeated_ms=found.repeated_ms,
        missing_ms=found.missing_ms,
        wordless=0,
        why=found.why,
        duration_s=found.duration_s,
        cpu_s=found.cpu_s,
    )


@functools.cache
def undisturbed(wire: str) -> CallTaken:
    """A call of which nothing goes wrong."""
    taken = take_call(wire)
    assert taken.failure is None, f"an undisturbed call on {wire} failed: {taken.failure}"
    return taken


def judged(cell: Cell, taken: CallTaken, plain: CallTaken, *, cpu_s: float = 0.0) -> CellResult:
    """Whether a cell holds."""
    rate_hz = IN_RATES_HZ[cell.wire]
    if cell.wire == LOSSY:
        sound = check_likeness(taken.said, taken.lines, taken.sessions, rate_hz)
    else:
        sound = check_sound(taken.said, taken.lines, taken.sessions)
    why = [] if taken.failure is None else [taken.failure]
    if taken.struck < sum(not isinstance(fault, RefuseHandshake) for fault in cell.faults):
        why.append("not every fault struck")
    if cell.needs_more and len(taken.sessions) < 2:
        why.append("no second connection was served")
    late_s = taken.duration_s - plain.duration_s
    if late_s > LONGEST_PAUSE_S:
        why.append(f"the call stood still for {late_s:.0f} s")
    why += sound.why
    played = Played(repeated_ms=0.0, missing_ms=0.0, why=[])
    if cell.wire != LOSSY:
        played = check_played(taken.played, taken.rendered, _script(plain))
        expected = without_words(plain.transcript, cell.wordless)
        why += [*played.why, *check_conversation(taken.transcript, expected)]
    samples_a_ms = rate_hz / 1000
    return CellResult(
        wire=cell.wire,
        fault=cell.fault,
        state=cell.state.value,
        held=not why and not sound.lost and not sound.doubled,
        lost_ms=round(sound.lost / samples_a_ms, 3),
        doubled_ms=round(sound.doubled / samples_a_ms, 3),
        repeated_ms=played.repeated_ms,
        missing_ms=played.missing_ms,
        wordless=cell.wordless,
        why="; ".join(why),
        duration_s=round(taken.duration_s, 2),
        cpu_s=round(cpu_s, 2),
    )


def _script(plain: CallTaken) -> list[str]:
    """The sentences that the agent says in a call."""
    texts = [entry["text"] for entry in plain.transcript if entry["role"] == "agent"]
    return [sentence for text in texts for sentence in sentences(text)]


def table(result: Matrix) -> Table:
    """How many cells hold, by fault and state, and wire."""
    held = f"{result.held} of {len(result.cells)}"
    shown = Table(
        title=f"Calls that went on as if nothing had happened: {held}",
        box=box.SIMPLE_HEAD,
        padding=0,
    )
    for heading in ("wire", "fault", *_HEADINGS.values()):
        shown.add_column(heading, no_wrap=True)
    rows: dict[tuple[str, str], dict[str, CellResult]] = {}
    for cell in result.cells:
        rows.setdefault((cell.wire, cell.fault), {})[cell.state] = cell
    for (wire, fault), found in rows.items():
        shown.add_row(wire, fault, *(_mark(found.get(state.value)) for state in _HEADINGS))
    if any(cell.wordless for cell in result.cells):
        shown.caption = "* without the words of one turn, which the wire cannot tell any more"
    return shown


def _mark(cell: CellResult | None) -> str:
    if cell is None:
        return ""
    return ("yes*" if cell.wordless else "yes") if cell.held else "NO"


def problems(result: Matrix) -> list[str]:
    """A line for each cell that did not hold."""
    return [
        f"{cell.wire}, {cell.fault}, {cell.state}: lost {cell.lost_ms:g} ms, doubled "
        f"{cell.doubled_ms:g} ms: {cell.why}"
        for cell in result.cells
        if not cell.held
    ]


def content(result: Matrix) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "calls over the whole chain on the virtual clock, each with a fault of its "
        "connection: the caller's samples in the turns that were answered, the agent's samples "
        "that were played, and the transcript, beside those of a call that nothing disturbed",
        "bounds_at_a_cut": {"repeated_ms": LONGEST_REPEAT_MS, "missing_ms": LONGEST_HOLE_MS},
        "held": result.held,
        "of": len(result.cells),
        "first_answer": FIRST_ANSWER,
        "cells": [asdict(cell) for cell in result.cells],
    }
