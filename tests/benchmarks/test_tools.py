"""The measurement of silence while tools run."""

import pytest

from crossfade.benchmarks.tools import GOAL_S, content, measure, silences, table
from crossfade.observability.sound_spans import Span
from crossfade.observability.turns import RecordedTurns


def turns(caller: list[tuple[float, float]], agent: list[tuple[float, float]]) -> RecordedTurns:
    return RecordedTurns(
        duration_s=20.0,
        caller=tuple(Span(start_s=a, end_s=b) for a, b in caller),
        agent=tuple(Span(start_s=a, end_s=b) for a, b in agent),
        answers=(),
        barge_ins=(),
    )


def test_silence_counts_from_the_callers_last_sound_to_their_next() -> None:
    heard = turns([(1, 2), (10, 11)], [(3, 4), (6.5, 9.5), (12, 19.5)])
    assert silences(heard) == [2.5, 1.0]


def test_an_agent_that_says_nothing_is_silent_until_the_end() -> None:
    assert silences(turns([(1, 2)], [])) == [18.0]
    assert silences(turns([(5, 6)], [(1, 2), (8, 12)])) == [8.0]


def test_sound_that_began_while_the_caller_spoke_ends_the_silence() -> None:
    assert silences(turns([(1, 4)], [(3, 19.5)])) == [0.5]


def test_a_small_run_meets_the_goal_and_its_twin_without_acknowledgement_does_not() -> None:
    result = measure(callers=2, turns=2, providers=["openai"])
    told = content(result)
    assert told["calls"] == 4
    assert told["calls_at_once"] == 2
    assert told["longest_silence_s"] < GOAL_S < told["longest_silence_without_s"]
    assert [run["acknowledged"] for run in told["runs"]] == [True, False]
    assert table(result).row_count == 3


def test_gemini_is_measured_likewise() -> None:
    result = measure(callers=1, turns=2, providers=["gemini"])
    assert result.acknowledged.answered == 2
    assert result.acknowledged.longest_s == pytest.approx(1.2, abs=0.3)
