import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.observability.latency_budget import (
    Hop,
    LatencyBudget,
    LatencyWatch,
    Mark,
    Moment,
    check,
    mark_of,
    slowest_hops,
    waterfall,
)
from crossfade.observability.turns import Answer

ANSWER = Answer(caller_end_s=10.0, agent_start_s=11.6)


def marks(**at_s: float) -> list[Mark]:
    found = [Mark(moment=Moment[name], at_s=at) for name, at in at_s.items()]
    return sorted(found, key=lambda mark: mark.at_s)


def took(*found: Mark, answer: Answer = ANSWER) -> list[tuple[Hop, float]]:
    return [(hop.hop, round(hop.took_ms)) for hop in waterfall(answer, found).hops]


WHOLE = marks(TURN_ENDED=10.5, COMMITTED=10.6, RESPONSE=10.65, FIRST_BYTE=11.2, PLAYOUT=11.3)


def test_every_hop_has_its_place() -> None:
    assert took(*WHOLE) == [
        (Hop.END_OF_TURN, 500),
        (Hop.COMMIT, 100),
        (Hop.RESPONSE, 50),
        (Hop.MODEL, 550),
        (Hop.PLAYOUT, 100),
        (Hop.SILENCE, 300),
    ]


def test_what_is_unknown_is_the_models() -> None:
    assert took() == [(Hop.MODEL, 1600)]


def test_a_cascade_has_no_first_byte_on_a_line() -> None:
    assert took(*marks(TURN_ENDED=10.5, COMMITTED=10.6, RESPONSE=10.6, PLAYOUT=11.3)) == [
        (Hop.END_OF_TURN, 500),
        (Hop.COMMIT, 100),
        (Hop.MODEL, 700),
        (Hop.SILENCE, 300),
    ]


def test_a_word_while_the_tool_runs_ends_the_wait_for_the_tool() -> None:
    found = marks(TURN_ENDED=10.5, RESPONSE=10.5, CALLED=10.9, PLAYOUT=11.4)
    assert took(*found) == [
        (Hop.END_OF_TURN, 500),
        (Hop.MODEL, 400),
        (Hop.TOOL, 500),
        (Hop.SILENCE, 200),
    ]


def test_behind_a_tools_result_the_model_answers_again() -> None:
    found = [
        *marks(TURN_ENDED=10.3, RESPONSE=10.3, CALLED=10.5, RESULT=11.0),
        *marks(RESPONSE=11.1, FIRST_BYTE=11.4, PLAYOUT=11.5),
    ]
    assert took(*found)[1:] == [
        (Hop.MODEL, 200),
        (Hop.TOOL, 500),
        (Hop.RESPONSE, 100),
        (Hop.MODEL, 300),
        (Hop.PLAYOUT, 100),
        (Hop.SILENCE, 100),
    ]


def test_what_belongs_to_other_answers_is_passed_over() -> None:
    before = marks(TURN_ENDED=5.0, RESPONSE=5.1, FIRST_BYTE=5.4, PLAYOUT=5.5)
    after = marks(TURN_ENDED=15.0, RESPONSE=15.1)
    assert took(*before, *WHOLE, *after) == took(*WHOLE)
    assert took(*marks(PLAYOUT=10.1), *WHOLE) == took(*WHOLE)


@given(
    st.lists(st.builds(Mark, moment=st.sampled_from(Moment), at_s=st.floats(9, 13)), max_size=20)
)
def test_hops_lie_end_to_end_from_speech_to_sound(found: list[Mark]) -> None:
    hops = waterfall(ANSWER, sorted(found, key=lambda mark: mark.at_s)).hops
    assert (hops[0].start_s, hops[-1].end_s) == (10.0, 11.6)
    assert all(one.end_s == other.start_s for one, other in itertools.pairwise(hops))
    assert all(hop.took_ms >= 0 for hop in hops)


def test_an_answer_out_of_budget_blames_the_hop_that_went_furthest_beyond_its_own() -> None:
    slow = check(waterfall(ANSWER, WHOLE), LatencyBudget(total_ms=1500))
    assert slow is not None
    assert (slow.hop, round(slow.took_ms), slow.budget_ms) == (Hop.SILENCE, 300, 200)
    assert check(waterfall(ANSWER, WHOLE), LatencyBudget(total_ms=1700)) is None


def test_where_no_hop_is_beyond_its_budget_the_slowest_is_named() -> None:
    budget = LatencyBudget(total_ms=1000, hops_ms={})
    slow = check(waterfall(ANSWER, WHOLE), budget)
    assert slow is not None
    assert slow.hop is Hop.MODEL


def test_the_running_call_is_judged_by_the_same_frames() -> None:
    watch = LatencyWatch(LatencyBudget(total_ms=1000))
    for kind, at_s in (
        ("UserStoppedSpeakingFrame", 10.5),
        ("UserTurnCommittedFrame", 10.6),
        ("ResponseStartFrame", 10.65),
    ):
        watch.frame(kind, {"injected": False}, at_s)
    watch.first_byte(11.2)
    watch.frame("BotStartedSpeakingFrame", {}, 11.3)
    slow = watch.answered(ANSWER)
    assert slow is not None
    assert slow.hop is Hop.SILENCE
    assert watch.answered(Answer(caller_end_s=10.0, agent_start_s=10.9)) is None


def asked(watch: LatencyWatch, at_s: float, end_s: float | None = 10.0) -> float | None:
    """For how long the caller has waited, if that is told."""
    overdue = watch.overdue(
        at_s, lambda _, due_s: end_s if end_s is not None and end_s < due_s else None
    )
    return None if overdue is None else round(overdue.waited_ms)


def committed(*after: tuple[str, float]) -> LatencyWatch:
    watch = LatencyWatch(LatencyBudget(total_ms=1000))
    edges = ("UserStoppedSpeakingFrame", 10.5), ("UserTurnCommittedFrame", 10.6)
    for kind, at_s in (("UserStartedSpeakingFrame", 9.0), *edges, *after):
        watch.frame(kind, {}, at_s)
    return watch


def test_a_turn_that_nobody_answers_is_told_once_when_the_budget_passes() -> None:
    watch = committed()
    assert [asked(watch, at_s) for at_s in (10.7, 10.9, 11.1, 11.3, 20.0)] == [
        None,
        None,
        1100,
        None,
        None,
    ]
    watch.frame("UserTurnCommittedFrame", {}, 20.0)
    assert asked(watch, 21.5) is None, "the same silence again"
    watch.frame("UserTurnCommittedFrame", {}, 31.0)
    assert asked(watch, 32.0, 30.5) == 1500


def test_what_is_waited_for_is_named() -> None:
    watch = committed(("ResponseStartFrame", 10.6), ("ToolCallsFrame", 10.9))
    overdue = watch.overdue(11.5, lambda *_: 10.0)
    assert overdue is not None
    assert overdue.hop is Hop.TOOL


def test_a_turn_that_was_answered_or_goes_on_is_not_overdue() -> None:
    watch = committed()
    watch.answered(Answer(caller_end_s=10.0, agent_start_s=10.9))
    assert asked(watch, 12.0) is None
    assert asked(committed(("UserStartedSpeakingFrame", 10.8)), 12.0) is None
    watch = LatencyWatch()
    watch.frame("UserStoppedSpeakingFrame", {}, 10.5)
    assert asked(watch, 20.0) is None, "it was taken for no turn"


def test_an_agent_that_is_heard_already_is_asked_for_no_longer() -> None:
    watch = committed()
    assert [asked(watch, at_s, None) for at_s in (11.1, 12.3)] == [None, None]
    assert asked(watch, 12.5) is None


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("ResponseStartFrame", {"injected": True}),
        ("FunctionCallResultFrame", {"final": False}),
        ("SpokenTextFrame", {}),
    ],
)
def test_phrases_of_ours_and_placeholders_are_no_moments(
    kind: str, fields: dict[str, object]
) -> None:
    assert mark_of(kind, fields, 1.0) is None


def test_the_hop_with_the_largest_sum_comes_first() -> None:
    falls = [waterfall(ANSWER, WHOLE), waterfall(ANSWER, ())]
    (first, times), *_ = slowest_hops(falls)
    assert first is Hop.MODEL
    assert [round(ms) for ms in times] == [550, 1600]
