"""The continuity matrix: its cells are what they say, and fail where nothing keeps the call."""

from collections import Counter
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from crossfade.benchmarks.continuity import (
    ALL_WIRES,
    LOSSY,
    WIRES,
    CellResult,
    Matrix,
    content,
    judged,
    matrix,
    problems,
    run_cell,
    table,
    undisturbed,
)
from crossfade.benchmarks.continuity_call import take_call
from crossfade.benchmarks.continuity_cells import (
    LATE_MS,
    CallState,
    Cell,
    chosen,
)
from crossfade.benchmarks.continuity_long import scenario, take_long_call, transcript
from crossfade.benchmarks.continuity_nodes import NODES, NodeCell
from crossfade.errors import SettingsError
from crossfade.providers.continuity.settings import Continuity

CELLS = {
    (cell.wire, cell.fault, cell.state): cell for cell in matrix(WIRES) if isinstance(cell, Cell)
}
NODE_CELLS = {
    (cell.fault, cell.state): cell for cell in matrix([NODES]) if isinstance(cell, NodeCell)
}


def cell(wire: str, fault: str, state: CallState) -> Cell:
    return CELLS[wire, fault, state]


def test_every_state_of_every_wire_has_cells_and_each_cell_its_own_name() -> None:
    assert len(CELLS) == len(matrix(WIRES)) >= 300
    counted = Counter((wire, state) for wire, _, state in CELLS)
    assert all(counted[wire, state] >= 17 for wire in WIRES for state in CallState)


def test_fewer_cells_are_spread_over_all() -> None:
    some = chosen(matrix(WIRES), 100)
    assert len({(each.wire, each.fault, each.state) for each in some}) == 100
    by_wire = Counter(each.wire for each in some)
    assert abs(by_wire["openai"] - by_wire["gemini"]) <= 20
    by_state = Counter((each.wire, each.state) for each in some)
    assert all(by_state[wire, state] >= 4 for wire in WIRES for state in CallState)
    faults = {(each.wire, each.fault) for each in some}
    assert faults == {(wire, fault) for wire, fault, _ in CELLS}
    assert len(chosen(matrix(WIRES), 10_000)) == len(CELLS)
    assert {each.wire for each in chosen(matrix(WIRES), 2)} == set(WIRES)
    with pytest.raises(SettingsError, match="sip: no such wire"):
        matrix(["sip"])


@pytest.mark.parametrize("wire", WIRES)
def test_a_cell_of_which_nothing_goes_wrong_holds(wire: str) -> None:
    plain = undisturbed(wire)
    calm = Cell(wire=wire, fault="none", state=CallState.IDLE, faults=())
    result = judged(calm, plain, plain)
    assert (result.held, result.why) == (True, "")


def test_a_fault_that_does_not_strike_and_a_rotation_that_does_not_come_are_told() -> None:
    plain = undisturbed("openai")
    never = cell("openai", "reset", CallState.THINKING)
    assert judged(never, plain, plain).why == "not every fault struck"
    rotating = cell("openai", "deadline", CallState.THINKING)
    assert judged(rotating, plain, plain).why == "no second connection was served"


@pytest.mark.parametrize(
    ("wire", "fault", "state"),
    [
        ("openai", "reset", CallState.USER_SPEAKING),
        ("gemini", "close_1011", CallState.THINKING),
        ("gemini", "reset", CallState.IDLE),
    ],
)
def test_a_call_goes_on_and_without_continuity_it_does_not(
    wire: str, fault: str, state: CallState
) -> None:
    struck = cell(wire, fault, state)
    result = run_cell(struck)
    assert (result.held, result.why) == (True, "")
    alone = run_cell(struck, None)
    assert not alone.held
    assert alone.why
    shown = Matrix(cells=[result, alone])
    assert table(shown).row_count == 1
    assert len(problems(shown)) == 1
    told = content(shown)
    assert (told["held"], told["of"]) == (1, 2)
    keys = {"wire", "fault", "state", "held", "lost_ms", "doubled_ms", "repeated_ms"}
    assert all(keys <= each.keys() for each in told["cells"])


def test_sound_that_is_lost_is_told_in_ms() -> None:
    plain = undisturbed("gemini")
    first, *others = plain.sessions
    (pcm, answered), *turns = first.turns
    cut = pcm[:16_000] + pcm[16_000 + 640 :]
    shorter = replace(first, turns=[(cut, answered), *turns])
    calm = Cell(wire="gemini", fault="none", state=CallState.IDLE, faults=())
    result = judged(calm, replace(plain, sessions=[shorter, *others]), plain)
    assert not result.held
    assert result.lost_ms >= 20


def test_sound_that_the_caller_was_not_played_or_was_played_twice_is_told() -> None:
    plain = undisturbed("openai")
    calm = Cell(wire="openai", fault="none", state=CallState.IDLE, faults=())
    chunks = [plain.played[at : at + 4800] for at in range(0, len(plain.played), 4800)]
    halved = judged(calm, replace(plain, played=b"".join(chunks[::2])), plain)
    doubled = judged(calm, replace(plain, played=b"".join(each * 2 for each in chunks)), plain)
    assert not halved.held
    assert "was not played 100 ms" in halved.why
    assert not doubled.held
    assert "100 ms again" in doubled.why


def test_the_table_is_whole_in_eighty_columns() -> None:
    shown = Matrix(
        cells=[
            CellResult(
                wire=each.wire,
                fault=each.fault,
                state=each.state.value,
                held=each.wire == "openai",
                lost_ms=20,
                doubled_ms=20,
                repeated_ms=0,
                missing_ms=0,
                wordless=each.wordless,
                why="",
                duration_s=1,
                cpu_s=1,
            )
            for each in [*matrix(WIRES), *matrix([NODES]), *matrix(WIRES, late=True)]
        ]
    )
    console = Console(width=80, record=True, file=StringIO())
    console.print(table(shown))
    text = console.export_text()
    assert "…" not in text
    headings = ["wire", "fault", "idle", "user", "think", "agent", "tool", "rotate", "reconn"]
    assert headings in [line.split() for line in text.splitlines()]
    assert text.count("NO") == sum(each.wire != "openai" for each in shown.cells)
    assert all(fault in text for _, fault, _ in CELLS)


def test_a_lossy_wire_is_compared_by_likeness() -> None:
    pytest.importorskip("sphn")
    with pytest.raises(SettingsError, match="no words of the caller"):
        matrix([LOSSY], late=True)
    lossy = [each for each in matrix([LOSSY]) if isinstance(each, Cell)]
    some = chosen(matrix(ALL_WIRES), 140)
    names = {(each.wire, each.fault) for each in some}
    assert names == {(wire, fault) for wire, fault, _ in CELLS} | {
        (each.wire, each.fault) for each in (*lossy, *matrix([NODES]))
    }
    (speaking,) = (
        each for each in lossy if (each.fault, each.state) == ("reset", CallState.USER_SPEAKING)
    )
    taken = take_call(LOSSY, speaking.faults, continuity=Continuity())
    plain = undisturbed(LOSSY)
    whole = judged(speaking, taken, plain)
    assert (whole.held, whole.why) == (True, "")
    begin = taken.lines[1][0] * 2 + 24_000
    end = begin + 20 * 48
    # As if 20 ms had come twice, or had been left out.
    for said in (taken.said[:begin] + taken.said[end:], taken.said[:end] + taken.said[begin:]):
        assert not judged(speaking, replace(taken, said=said), plain).held
    first, second = taken.sessions
    again = replace(second, pcm=second.pcm * 2)
    found = judged(speaking, replace(taken, sessions=[first, again]), plain)
    assert found.doubled_ms > 0


def test_nodes_that_are_swapped_or_lost_have_rows_of_their_own() -> None:
    rows = {fault for fault, _ in NODE_CELLS}
    assert {"oai→casc now", "gem→casc quiet", "casc→oai now", "gem→gem quiet"} <= rows
    assert {"oai→casc reset", "gem→casc half_open", "casc→casc voice lost"} <= rows
    states = {state for _, state in NODE_CELLS}
    assert len(NODE_CELLS) == len(rows) * len(states) == len(rows) * 5


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("oai→casc reset", CallState.AGENT_SPEAKING),
        ("gem→casc stall", CallState.TOOL_PENDING),
        ("casc→casc recogniser lost", CallState.USER_SPEAKING),
        ("casc→casc model lost", CallState.THINKING),
    ],
)
def test_a_call_goes_on_when_its_node_is_lost(fault: str, state: CallState) -> None:
    result = run_cell(NODE_CELLS[fault, state])
    assert (result.held, result.why) == (True, "")
    assert (result.wire, result.fault, result.state) == (NODES, fault, state.value)


def test_late_words_are_cells_of_their_own() -> None:
    late = [each for each in matrix(WIRES, late=True) if isinstance(each, Cell)]
    assert {each.state for each in late} == {CallState.THINKING, CallState.AGENT_SPEAKING}
    assert all(each.transcript_delay_ms == LATE_MS for each in late)
    assert len({(each.wire, each.fault, each.state) for each in late} - set(CELLS)) == len(late)


def test_a_long_call_with_much_going_wrong_is_one_conversation() -> None:
    result = take_long_call("openai", 0.012, fault_each_s=8)
    assert (result.held, result.why) == (True, "")
    assert result.exchanges == 4
    assert result.faults >= 4
    assert result.connections >= 3


def test_the_long_call_is_held_against_what_its_script_says() -> None:
    entries = transcript(5)
    assert [entry["role"] for entry in entries].count("tool") == 1
    said = {text for turn in scenario(5).turns for text in turn.say}
    assert {entry["text"] for entry in entries if entry["role"] == "agent"} == said
