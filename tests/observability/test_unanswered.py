"""Silence behind the caller's turns: whose it is."""

import pytest

from crossfade.observability.sound_spans import Span
from crossfade.observability.turns import RecordedTurns
from crossfade.observability.unanswered import Edge, TurnEdge, dead_air, unanswered_turns

Times = list[tuple[float, float]]


def silences(
    caller: Times, agent: Times, edges: list[tuple[Edge, float]], duration_s: float = 20.0
) -> Times:
    """Start and end of each, and how many turns have no answer, as a last pair."""
    heard = RecordedTurns(
        duration_s=duration_s,
        caller=tuple(Span(start_s=start_s, end_s=end_s) for start_s, end_s in caller),
        agent=tuple(Span(start_s=start_s, end_s=end_s) for start_s, end_s in agent),
        answers=(),
        barge_ins=(),
    )
    found = dead_air(heard, [TurnEdge(edge=edge, at_s=at_s) for edge, at_s in edges])
    return [(each.start_s, each.end_s) for each in found] + [(unanswered_turns(found), 0)]


def turn(start_s: float, end_s: float) -> list[tuple[Edge, float]]:
    return [
        (Edge.BEGAN, start_s + 0.1),
        (Edge.ENDED, end_s + 0.5),
        (Edge.COMMITTED, end_s + 0.5),
    ]


def test_a_turn_after_which_the_caller_speaks_next_is_unanswered() -> None:
    edges = [*turn(1, 2), *turn(5, 6), *turn(12, 13)]
    found = silences([(1, 2), (5, 6), (12, 13)], [(3, 4), (14, 16)], edges)
    assert found == [(6, 12), (1, 0)]


def test_several_turns_may_be() -> None:
    edges = [*turn(1, 2), *turn(5, 6), *turn(10, 11)]
    found = silences([(1, 2), (5, 6), (10, 11)], [(12, 13)], edges)
    assert found == [(2, 5), (6, 10), (2, 0)]


def test_a_noise_in_the_silence_makes_it_no_second_turn() -> None:
    found = silences([(1, 2), (5, 5.1), (10, 11)], [(12, 13)], [*turn(1, 2), *turn(10, 11)])
    assert found == [(2, 5), (5.1, 10), (1, 0)]


def test_the_last_turn_counts_too() -> None:
    assert silences([(1, 2)], [], turn(1, 2)) == [(2, 20), (1, 0)]
    assert silences([(1, 2)], [], turn(1, 2), duration_s=3.4) == [(0, 0)]


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([], id="nothing was taken for a turn"),
        pytest.param([(Edge.BEGAN, 5.1)], id="a pause in a turn"),
        pytest.param([(Edge.BEGAN, 5.1), (Edge.ENDED, 6.5)], id="taken for no turn"),
        pytest.param(turn(5, 11.4), id="committed just as the caller went on"),
        pytest.param([*turn(1, 2), (Edge.BEGAN, 5.1)], id="the turn before was answered"),
        pytest.param([*turn(5, 5.2), (Edge.BEGAN, 5.9)], id="in the next turn already"),
    ],
)
def test_what_is_the_callers_own_silence(edges: list[tuple[Edge, float]]) -> None:
    assert silences([(1, 2), (5, 6), (12, 13)], [(3, 4), (14, 16)], edges) == [(0, 0)]


def test_silence_after_the_agent_is_the_callers() -> None:
    found = silences([(1, 2), (4, 4.2), (12, 13)], [(3, 8), (14, 15)], [*turn(1, 2), *turn(4, 4.2)])
    assert found == [(0, 0)]


def test_an_agent_that_cuts_in_has_answered_if_it_speaks_on() -> None:
    assert silences([(1, 2), (8, 9)], [(1.8, 2.3), (10, 11)], turn(1, 2)) == [(0, 0)]
    found = silences([(1, 2), (8, 9)], [(1.5, 1.6), (10, 11)], turn(1, 2))
    assert found == [(2, 8), (1, 0)]


def test_a_short_word_that_stopped_the_agent_waits_for_an_answer() -> None:
    found = silences([(4, 4.2), (12, 13)], [(3, 4.5), (14, 15)], turn(4, 4.2))
    assert found == [(4.2, 12), (1, 0)]
