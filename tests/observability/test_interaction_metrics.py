import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.observability.interaction_metrics import (
    InteractionMetrics,
    Metric,
    Segment,
    SegmentKind,
    interaction_metrics,
    spans_of,
    turns_of,
)
from crossfade.observability.sound_spans import Span


def measure(
    caller: list[tuple[float, float]],
    agent: list[tuple[float, float]],
    kind: SegmentKind = SegmentKind.TURN,
) -> InteractionMetrics:
    return interaction_metrics(
        [Segment(start_s=start_s, end_s=end_s, kind=kind) for start_s, end_s in caller],
        [Span(start_s=start_s, end_s=end_s) for start_s, end_s in agent],
    )


def value(metric: Metric) -> tuple[float | None, int]:
    return metric.value if metric.value is None else round(metric.value, 6), metric.events


def test_a_turn_that_is_answered_counts_its_latency() -> None:
    told = measure([(0, 1), (4, 5)], [(1.4, 3), (5.8, 7)])
    assert value(told.response_latency) == (0.6, 2)
    assert value(told.response_rate) == (1.0, 2)
    assert value(told.yield_rate) == (None, 0)


def test_a_caller_who_has_to_speak_again_was_not_answered() -> None:
    told = measure([(0, 1), (4, 5)], [(5.5, 7)])
    assert value(told.response_rate) == (0.5, 2)
    assert value(told.response_latency) == (0.5, 1)


def test_a_last_turn_after_which_nothing_comes_is_no_event() -> None:
    assert value(measure([(0, 1)], []).response_rate) == (None, 0)


def test_an_agent_that_falls_silent_within_two_seconds_yields() -> None:
    told = measure([(1, 4), (11, 15)], [(0, 1.5), (10, 13.5)])
    assert value(told.yield_rate) == (0.5, 2)
    assert value(told.yield_latency) == (0.5, 1)


def test_a_turn_over_which_the_agent_talks_to_the_end_is_not_to_be_answered() -> None:
    assert value(measure([(1, 2), (20, 21)], [(0, 5), (21.5, 23)]).response_rate) == (1.0, 1)


def test_an_agent_that_begins_over_the_caller_interrupts() -> None:
    told = measure([(0, 3), (6, 7)], [(1, 2), (2.5, 2.8), (7.5, 8)])
    assert value(told.agent_interruptions) == (1.0, 2)


@pytest.mark.parametrize(("agent_end_s", "right"), [(1.9, 0.0), (2.1, 1.0)])
def test_a_backchannel_is_to_be_talked_through(agent_end_s: float, right: float) -> None:
    told = measure([(1, 1.4)], [(0, agent_end_s)], SegmentKind.BACKCHANNEL)
    assert value(told.selectivity_backchannel) == (right, 1)
    assert value(told.yield_rate) == (None, 0)
    assert value(told.response_rate) == (None, 0)


@pytest.mark.parametrize(("agent_start_s", "right"), [(3.3, 0.0), (3.5, 1.0)])
def test_a_cough_in_silence_is_not_to_be_answered(agent_start_s: float, right: float) -> None:
    told = measure([(1, 1.4)], [(agent_start_s, 9)], SegmentKind.VOCAL_TIC)
    assert value(told.selectivity_vocal_tic) == (right, 1)
    told = measure([(1, 1.4)], [(agent_start_s, 9)], SegmentKind.NON_DIRECTED)
    assert value(told.selectivity_non_directed) == (right, 1)


def test_what_stands_on_fewer_than_ten_events_is_not_shown() -> None:
    turns = [(4.0 * n, 4.0 * n + 1) for n in range(10)]
    answers = [(4.0 * n + 1.5, 4.0 * n + 3) for n in range(10)]
    assert measure(turns, answers).response_rate.shown == 1.0
    assert measure(turns[:9], answers[:9]).response_rate.shown is None


def test_ticks_become_spans() -> None:
    assert spans_of([True, True, False, True], tick_s=0.5) == [
        Span(start_s=0, end_s=1),
        Span(start_s=1.5, end_s=2),
    ]
    assert spans_of([]) == []


@given(st.lists(st.booleans(), max_size=80), st.lists(st.booleans(), max_size=80))
def test_shares_lie_between_nothing_and_all(caller: list[bool], agent: list[bool]) -> None:
    told = interaction_metrics(turns_of(spans_of(caller)), spans_of(agent))
    for metric in (told.response_rate, told.yield_rate):
        assert metric.value is None or 0 <= metric.value <= 1
        assert (metric.value is None) == (metric.events == 0)
    for metric in (told.response_latency, told.yield_latency):
        assert metric.value is None or metric.value >= 0


def test_who_is_cut_off_while_speaking_again_was_answered_by_what_cut_them_off() -> None:
    """The benchmark asks whether a turn that is to be answered came before the answer, and one
    that ends with a speaking agent is none."""
    told = measure([(0, 1), (2, 4)], [(3, 6)])
    assert value(told.response_rate) == (1.0, 1)
    assert value(told.response_latency) == (2.0, 1)
    assert value(told.agent_interruptions) == (1.0, 1)


def by_ticks(caller: list[bool], agent: list[bool]) -> dict[str, tuple[float | None, int]]:
    """The benchmark's rules, asked of each tick."""
    length = len(caller)
    agent = [*agent, *([False] * 20)]
    begins = [at for at in range(length) if caller[at] and (at == 0 or not caller[at - 1])]
    ends = [
        at for at in range(1, length + 1) if caller[at - 1] and (at == length or not caller[at])
    ]
    starts = [at for at in range(length) if agent[at] and (at == 0 or not agent[at - 1])]
    turns = [(a, b) for a, b in zip(begins, ends, strict=True) if not agent[b]]
    waited: list[int | None] = []
    for number, (_, end) in enumerate(turns):
        answer = min((at for at in starts if at >= end), default=None)
        again = turns[number + 1][0] if number + 1 < len(turns) else None
        if answer is not None and (again is None or answer <= again):
            waited.append(answer - end)
        elif again is not None:
            waited.append(None)
    cuts = [agent[begin:].index(False) for begin in begins if agent[begin]]
    in_time = [cut for cut in cuts if cut < 10]
    waits = [wait for wait in waited if wait is not None]
    return {
        "response_latency": mean(waits),
        "yield_latency": mean(in_time),
        "response_rate": share(len(waits), len(waited)),
        "yield_rate": share(len(in_time), len(cuts)),
        "agent_interruptions": share(sum(caller[at] for at in starts), len(waited)),
    }


def mean(ticks: list[int]) -> tuple[float | None, int]:
    return (round(0.2 * sum(ticks) / len(ticks), 6) if ticks else None), len(ticks)


def share(part: int, whole: int) -> tuple[float | None, int]:
    return (round(part / whole, 6) if whole else None), whole


RUNS = st.lists(st.tuples(st.booleans(), st.integers(1, 12)), min_size=1, max_size=20)


@given(RUNS, RUNS)
def test_the_figures_are_those_of_ticks(
    caller: list[tuple[bool, int]], agent: list[tuple[bool, int]]
) -> None:
    sides = [[on for on, count in side for _ in range(count)] for side in (caller, agent)]
    length = max(map(len, sides))
    said, spoken = (side + [False] * (length - len(side)) for side in sides)
    told = interaction_metrics(turns_of(spans_of(said)), spans_of(spoken))
    for name, expected in by_ticks(said, spoken).items():
        assert value(getattr(told, name)) == expected, name
