"""The continuity matrix: its cells are what they say, and fail where nothing keeps the call."""

from collections import Counter
from dataclasses import replace

import pytest

from crossfade.benchmarks.continuity import (
    WIRES,
    Matrix,
    content,
    judged,
    matrix,
    problems,
    run_cell,
    table,
    undisturbed,
)
from crossfade.benchmarks.continuity_cells import CallState, Cell, chosen
from crossfade.benchmarks.continuity_long import scenario, take_long_call, transcript
from crossfade.errors import SettingsError

CELLS = {(cell.wire, cell.fault, cell.state): cell for cell in matrix(WIRES)}


def cell(wire: str, fault: str, state: CallState) -> Cell:
    return CELLS[wire, fault, state]


def test_every_state_of_every_wire_has_cells_and_each_cell_its_own_name() -> None:
    assert len(CELLS) == len(matrix(WIRES)) >= 300
    counted = Counter((wire, state) for wire, _, state in CELLS)
    assert all(counted[wire, state] >= 17 for wire in WIRES for state in CallState)


def test_fewer_cells_are_spread_over_all() -> None:
    some = chosen(matrix(WIRES), 100)
    assert len({(each.wire, each.fault, each.state) for each in some}) == 100
    assert {(each.wire, each.state) for each in some} == {
        (wire, state) for wire in WIRES for state in CallState
    }
    assert len(chosen(matrix(WIRES), 10_000)) == len(CELLS)
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
    keys = {"wire", "fault", "state", "held", "lost_ms", "doubled_ms"}
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
