"""The judge of the continuity matrix sees what it is there to see."""

import copy
from typing import Any

import numpy as np
import pytest

from crossfade.benchmarks.continuity_check import (
    Heard,
    Said,
    Sound,
    check_conversation,
    check_sound,
    runs_in,
)

MS = 24 * 2
"""Bytes."""
_NOISE = np.random.default_rng(1)
SAID = _NOISE.integers(-9, 10, 10_000 * 24).astype("<i2").tobytes()
LINES = [(1000 * 24, 2000 * 24), (5000 * 24, 6500 * 24)]


def said(begin_ms: int, end_ms: int) -> bytes:
    return SAID[begin_ms * MS : end_ms * MS]


def session(*turns: bytes, before: bytes = b"", answered: bool = True) -> Heard:
    return Heard(pcm=before + b"".join(turns), turns=[(turn, answered) for turn in turns])


def checked(*sessions: Heard) -> Sound:
    return check_sound(SAID, LINES, sessions)


FIRST, SECOND = said(700, 2500), said(4700, 7000)


def test_turns_that_hold_all_of_their_lines_are_whole() -> None:
    assert checked(session(FIRST, SECOND)) == Sound(lost=0, doubled=0, why=[])
    assert checked(session(FIRST), session(SECOND)) == Sound(lost=0, doubled=0, why=[])


def test_a_turn_that_was_found_in_two_pieces_is_whole() -> None:
    pieces = said(4700, 5600), said(5600, 7000)
    assert checked(session(FIRST, *pieces)) == Sound(lost=0, doubled=0, why=[])


@pytest.mark.parametrize("at_ms", [5000, 5700, 6480])
def test_twenty_lost_ms_are_seen(at_ms: int) -> None:
    cut = said(4700, at_ms) + said(at_ms + 20, 7000)
    found = checked(session(FIRST, cut))
    assert found.lost >= 20 * 24
    assert found.doubled == 0
    assert "line 2" in found.why[0]


def test_twenty_lost_ms_in_the_silence_of_a_turn_are_seen() -> None:
    assert checked(session(FIRST, said(4700, 4800) + said(4820, 7000))).lost == 20 * 24


def test_a_line_that_begins_late_or_ends_early_is_seen() -> None:
    assert checked(session(said(1020, 2500), SECOND)).lost == 20 * 24
    assert checked(session(FIRST, said(4700, 6480))).lost == 20 * 24


@pytest.mark.parametrize("at_ms", [4800, 5700, 6500])
def test_twenty_doubled_ms_are_seen(at_ms: int) -> None:
    found = checked(session(FIRST, said(4700, at_ms + 20) + said(at_ms, 7000)))
    assert found.lost == 0
    assert found.doubled >= 20 * 24


def test_sound_that_is_given_again_between_turns_is_seen() -> None:
    whole = session(FIRST, SECOND)
    again = Heard(pcm=FIRST + said(2400, 2500) + SECOND, turns=whole.turns)
    assert checked(again).doubled == 100 * 24


def test_sound_that_nobody_said_is_seen() -> None:
    other = np.random.default_rng(2).integers(-9, 10, 480).astype("<i2").tobytes()
    assert checked(session(FIRST, said(4700, 5500) + other + said(5500, 7000))).doubled >= 480
    assert checked(session(FIRST, said(4700, 5500) + bytes(960) + said(5500, 7000))).doubled >= 480


def test_a_line_that_nothing_answered_is_lost() -> None:
    assert checked(session(FIRST)).lost == 1500 * 24
    assert checked(session(FIRST), session(SECOND, answered=False)).lost == 1500 * 24
    assert checked().lost == 2500 * 24


def test_the_last_connection_that_answered_a_line_counts() -> None:
    stump = session(FIRST, said(4700, 5500))
    assert checked(stump, session(SECOND)) == Sound(lost=0, doubled=0, why=[])
    assert checked(session(FIRST, SECOND), session(said(5500, 7000))).lost == 500 * 24


def test_what_another_connection_is_told_again_is_not_doubled() -> None:
    found = checked(session(FIRST, before=said(0, 700)), session(SECOND, before=said(2000, 4700)))
    assert found == Sound(lost=0, doubled=0, why=[])


def test_runs_are_where_they_were_said() -> None:
    (one,) = runs_in(said(100, 200), Said(SAID))
    assert (one.at, one.said_at, one.count) == (0, 2400, 2400)
    first, second = runs_in(said(100, 200) + said(50, 60), Said(SAID))
    assert (first.count, second.at, second.said_at, second.count) == (2400, 2400, 1200, 240)


USER = {"role": "user", "text": "how warm is it", "final": True}
TOOL = {
    "role": "tool",
    "name": "look_up",
    "arguments": {"city": "Tokyo"},
    "result": {"degrees": 18},
}
AGENT = {"role": "agent", "text": "It is eighteen degrees.", "heard": "It is eighteen degrees."}
CALL: list[dict[str, Any]] = [USER, TOOL, AGENT, {**USER, "text": "goodbye"}]


def agent(text: str, heard: str | None = None) -> dict[str, Any]:
    return {"role": "agent", "text": text, "heard": text if heard is None else heard}


def changed(at: int, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    entries_now = copy.deepcopy(CALL)
    entries_now[at : at + 1] = entries
    return entries_now


def test_the_same_call_is_the_same() -> None:
    assert check_conversation(CALL, CALL) == []


def test_an_answer_that_came_in_two_parts_is_the_same() -> None:
    assert check_conversation(changed(2, agent("It is"), agent("eighteen degrees.")), CALL) == []
    empty = changed(2, agent("It is"), agent(""), agent("eighteen degrees."))
    assert check_conversation(empty, CALL) == []


@pytest.mark.parametrize(
    "now",
    [
        changed(0),
        changed(0, USER, USER),
        changed(0, {**USER, "text": "how warm is"}),
        changed(0, {**USER, "final": False}),
        changed(1),
        changed(1, TOOL, TOOL),
        changed(1, {**TOOL, "result": None}),
        changed(1, {**TOOL, "arguments": {}}),
        changed(2),
        changed(2, AGENT, AGENT),
        changed(2, agent("It is"), agent("is eighteen degrees.")),
        changed(2, agent("It is"), agent("degrees.")),
        changed(2, agent("It is eighteen degrees.", heard="It is")),
        changed(2, agent("eighteen degrees."), agent("It is")),
        [*CALL, AGENT],
        [TOOL, USER, *CALL[2:]],
    ],
    ids=[
        "a turn of the caller is missing",
        "one is there twice",
        "a word of it is missing",
        "its transcript never came",
        "a round with a tool is missing",
        "one is there twice",
        "its result is missing",
        "its arguments are others",
        "an answer is missing",
        "an answer is there twice",
        "a word is repeated",
        "a word is missing",
        "a part was not heard",
        "the parts are in the wrong order",
        "an answer too much",
        "another order",
    ],
)
def test_what_differs_is_told(now: list[dict[str, Any]]) -> None:
    (why, *_) = check_conversation(now, CALL)
    assert "instead of" in why
