"""Deciding about calls: pure, by what happens and what time it is."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.conversation.tools import ToolCall
from crossfade.frames.tools import ToolPhase
from crossfade.processors.tool_actions import (
    Action,
    Begin,
    Cancel,
    Drop,
    Note,
    Run,
    Stop,
    Tell,
    ToolWire,
)
from crossfade.processors.tool_calls import MOST_CALLS, ToolCalls
from crossfade.processors.tool_consent import VALID_MS
from crossfade.processors.tool_floor import ANSWER_DUE_MS, UserSound
from crossfade.processors.tool_runs import MOST_WAITING, RunningTool
from crossfade.processors.tool_words import MOST_ERROR_CHARACTERS
from crossfade.processors.tools import OnDuplicate, OnInterruption, Tool, tool


def make(name: str, **policy: Any) -> Tool:
    @tool(name=name, **{"acknowledge": ("Wait.",), **policy})
    async def do(what: str = "") -> str:
        """Do."""
        return what

    return do


def calls_of(*names: str, **arguments: Any) -> list[ToolCall]:
    return [ToolCall(id=name, name=name.split()[0], arguments=arguments) for name in names]


def decider(*tools: Tool, wire: ToolWire = ToolWire.PARTS) -> ToolCalls:
    return ToolCalls({each.name: each for each in tools}, wire)


def of(actions: Sequence[Action], kind: type[Any]) -> list[Any]:
    return [action for action in actions if isinstance(action, kind)]


def brief(actions: Sequence[Action]) -> list[Any]:
    """What is told, as (call, output, final, ask)."""
    return [(a.call.id, a.output, a.final, a.ask) for a in of(actions, Tell)]


def test_a_call_begins_runs_and_is_told() -> None:
    calls = decider(make("a"))
    actions: list[Any] = calls.called(calls_of("a", what="x"), 0)
    assert [type(action) for action in actions] == [Begin, Note, Run]
    begin, started, run = actions
    assert started == Note(call=begin.call, phase=ToolPhase.STARTED, phrases=("Wait.",))
    assert (run.tool.name, run.arguments) == ("a", {"what": "x"})
    over: list[Any] = calls.returned(run.run_id, "r", 100)
    tell, ended = over
    assert (tell.output, tell.final, tell.ask) == ("r", True, True)
    assert ended.phase is ToolPhase.ENDED
    assert calls.wake_at_ms is None


def test_a_call_told_of_twice_is_one_call() -> None:
    calls = decider(make("a"))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    assert calls.called(calls_of("a"), 5) == []
    calls.returned(run.run_id, 1, 10)
    assert calls.called(calls_of("a"), 20) == []


def test_the_clocks_of_a_call() -> None:
    calls = decider(make("a", timeout_ms=1000, deadline_ms=4000, acknowledge_after_ms=300))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    assert calls.wake_at_ms == 300
    (slow,) = of(calls.wake(300), Note)
    assert (slow.phase, slow.phrases) == (ToolPhase.SLOW, ("Wait.",))
    assert calls.wake_at_ms == 1000
    ((_, placeholder, final, ask),) = brief(calls.wake(1000))
    assert placeholder.startswith("a is still running.")
    assert (final, ask) == (False, False)
    assert calls.wake_at_ms == 4000
    given_up = calls.wake(4000)
    assert of(given_up, Stop) == [Stop(run_id=run.run_id)]
    assert brief(given_up) == [("a", "a gave no answer within 4 seconds.", True, True)]
    assert calls.wake_at_ms is None


def test_a_tool_that_answers_after_all_is_dropped_as_stale() -> None:
    calls = decider(make("a", timeout_ms=10, deadline_ms=20))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    calls.wake(20)
    assert of(calls.returned(run.run_id, "late", 30), Drop)[0].name == "a"


@pytest.mark.parametrize(
    ("wire", "told"),
    [(ToolWire.PARTS, [False]), (ToolWire.ONCE, []), (ToolWire.WAITS, [True])],
)
def test_only_who_waits_speaks_of_a_placeholder(wire: ToolWire, told: list[bool]) -> None:
    calls = decider(make("a"), wire=wire)
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    assert [tell.ask for tell in of(calls.wake(1000), Tell)] == told
    assert brief(calls.returned(run.run_id, "r", 2000)) == [("a", "r", True, True)]


def test_a_tool_that_is_declared_blocking_is_waited_for_on_any_wire() -> None:
    calls = decider(make("a", blocking=True))
    calls.called(calls_of("a"), 0)
    assert [tell.ask for tell in of(calls.wake(1000), Tell)] == [True]


def test_what_comes_late_for_a_model_that_waited_waits_for_silence() -> None:
    calls = decider(make("a"), wire=ToolWire.WAITS)
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    calls.wake(1000)
    calls.response_started("r", 1200)
    assert brief(calls.returned(run.run_id, "r", 1300)) == []
    assert brief(calls.user_speaks(True, 1400)) == []
    assert brief(calls.response_ended("r", 1500)) == []
    assert brief(calls.user_speaks(False, 1600)) == []
    assert calls.wake_at_ms == 1600 + ANSWER_DUE_MS
    assert brief(calls.wake(1600 + ANSWER_DUE_MS)) == [("a", "r", True, True)]


def late_result(calls: ToolCalls) -> None:
    """A result waits to be told as text."""
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    calls.wake(1000)
    calls.user_sounds(UserSound.BEGAN, 1100)
    assert brief(calls.returned(run.run_id, "r", 1300)) == []


def test_what_is_heard_of_the_user_here_has_a_late_result_wait_too() -> None:
    """Not every wire tells of the user's turns."""
    calls = decider(make("a"), wire=ToolWire.WAITS)
    late_result(calls)
    assert brief(calls.user_sounds(UserSound.CONFIRMED, 1400)) == []
    assert brief(calls.user_sounds(UserSound.ENDED, 1600)) == []
    assert calls.wake_at_ms == 1600 + ANSWER_DUE_MS
    calls.response_started("answer", 2000)
    assert brief(calls.response_ended("answer", 2500)) == [("a", "r", True, True)]


def test_no_answer_is_waited_for_to_what_was_no_speech_or_was_answered_already() -> None:
    calls = decider(make("a"), wire=ToolWire.WAITS)
    late_result(calls)
    assert brief(calls.user_sounds(UserSound.DROPPED, 1400)) == [("a", "r", True, True)]
    calls = decider(make("a"), wire=ToolWire.WAITS)
    late_result(calls)
    # The provider was quicker than local voice activity.
    calls.response_started("answer", 1500)
    assert brief(calls.response_ended("answer", 1600)) == []
    assert brief(calls.user_sounds(UserSound.ENDED, 1700)) == [("a", "r", True, True)]


def test_an_answer_that_begins_ends_the_wait_for_it() -> None:
    calls = decider(make("a"), wire=ToolWire.WAITS)
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    calls.wake(1000)
    calls.user_speaks(True, 1100)
    calls.returned(run.run_id, "r", 1300)
    calls.user_speaks(False, 1600)
    calls.response_started("answer", 2000)
    assert brief(calls.response_ended("answer", 2500)) == [("a", "r", True, True)]


def test_parts_wait_for_silence_and_only_the_newest_is_told() -> None:
    calls = decider(make("a"))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    calls.agent_speaks(True, 10)
    for number in range(3):
        assert brief(calls.part(run.run_id, number, 100 + number)) == []
    assert brief(calls.agent_speaks(False, 200)) == [("a", 2, False, True)]
    # The answer to it is awaited now.
    assert brief(calls.part(run.run_id, 3, 300)) == []
    calls.response_started("r", 400)
    assert brief(calls.response_ended("r", 500)) == [("a", 3, False, True)]
    # It was spoken of already.
    assert brief(calls.returned(run.run_id, 3, 600)) == [("a", 3, True, False)]


def test_the_same_part_is_not_told_twice() -> None:
    calls = decider(make("a"))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    assert len(brief(calls.part(run.run_id, {"found": 1}, 100))) == 1
    calls.response_started("r", 200)
    calls.part(run.run_id, {"found": 1}, 300)
    assert brief(calls.response_ended("r", 400)) == []


def test_two_calls_whose_result_is_shared_are_spoken_of_once() -> None:
    calls = decider(make("a"))
    (run,) = of(calls.called(calls_of("a 1", what="x"), 0), Run)
    assert of(calls.called(calls_of("a 2", what="x"), 10), Run) == []
    assert brief(calls.returned(run.run_id, 1, 50)) == [
        ("a 1", 1, True, False),
        ("a 2", 1, True, True),
    ]


def test_a_shared_run_goes_on_while_one_call_waits_for_it() -> None:
    calls = decider(make("a"))
    (run,) = of(calls.called(calls_of("a 1", "a 2"), 0), Run)
    assert not of(calls.taken_back("a 1", 10), Stop)
    assert of(calls.taken_back("a 2", 20), Stop) == [Stop(run_id=run.run_id)]


def test_the_rest_of_a_response_is_spoken_of_when_its_last_call_is_taken_back() -> None:
    calls = decider(make("a"), make("b"))
    first, _ = of(calls.called(calls_of("a", "b"), 0), Run)
    assert brief(calls.returned(first.run_id, 1, 10)) == [("a", 1, True, False)]
    (cancel,) = of(calls.taken_back("b", 20), Cancel)
    assert (cancel.ask, cancel.tell) == (True, False)


def test_nobody_is_asked_to_speak_over_the_user_when_a_call_is_taken_back() -> None:
    calls = decider(make("a"), make("b"))
    first, _ = of(calls.called(calls_of("a", "b"), 0), Run)
    calls.returned(first.run_id, 1, 10)
    calls.user_sounds(UserSound.BEGAN, 15)
    (cancel,) = of(calls.taken_back("b", 20), Cancel)
    assert (cancel.ask, cancel.tell) == (False, False)


def test_a_run_that_nobody_stopped_and_is_cancelled_has_failed() -> None:
    calls = decider(make("a", deadline_ms=4000))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    calls.wake(1000)
    assert brief(calls.stopped(run.run_id, 1500)) == [("a", "a was cancelled.", True, True)]
    assert calls.wake_at_ms is None


def test_a_run_that_is_quoted_quotes_no_argument() -> None:
    run = RunningTool(id=1, tool=make("a"), arguments={"pin": "4711"}, signature='{"pin": "4711"}')
    assert "4711" not in repr(run)


def test_what_is_told_of_an_error_is_bounded() -> None:
    calls = decider(make("a"))
    (run,) = of(calls.called(calls_of("a 1"), 0), Run)
    ((_, failed, _, _),) = brief(calls.failed(run.run_id, "x" * 1_000_000, 10))
    unknown = ToolCall(id="u", name="y" * 1_000_000, arguments={})
    ((_, refused, _, _),) = brief(calls.called([unknown], 20))
    for told in (failed, refused):
        assert len(told) < MOST_ERROR_CHARACTERS + 200


def test_an_interruption_cancels_by_policy_and_tells() -> None:
    calls = decider(make("a", on_interruption=OnInterruption.CANCEL), make("b"))
    calls.called(calls_of("a", "b"), 0)
    actions = calls.interrupted(10)
    assert [(cancel.call.id, cancel.tell) for cancel in of(actions, Cancel)] == [("a", True)]
    assert len(of(actions, Stop)) == 1


def test_places_are_limited_and_so_are_those_who_wait_for_one() -> None:
    calls = decider(make("a", max_concurrency=2, on_duplicate=OnDuplicate.RUN))
    names = [f"a {number}" for number in range(2 + MOST_WAITING + 1)]
    actions = calls.called(calls_of(*names), 0)
    one, _ = of(actions, Run)
    ((refused, why, _, _),) = brief(actions)
    assert (refused, why) == (names[-1], "a is busy with other calls. Try again in a while.")
    assert len(of(calls.returned(one.run_id, 1, 10), Run)) == 1


def test_a_stopped_run_holds_its_place_until_it_is_over() -> None:
    calls = decider(make("a", max_concurrency=1))
    (run,) = of(calls.called(calls_of("a 1", what="1"), 0), Run)
    calls.called(calls_of("a 2", what="2"), 0)
    assert of(calls.taken_back("a 1", 10), Run) == []
    assert len(of(calls.stopped(run.run_id, 20), Run)) == 1


def test_an_idempotent_tool_is_run_again_after_it_failed_and_no_more_often_than_allowed() -> None:
    calls = decider(make("a", idempotent=True, retries=2))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    waits = []
    for _ in range(2):
        (again,) = of(calls.failed(run.run_id, "a failed.", 10), Run)
        waits.append(again.after_ms)
    assert waits == [200, 400]
    assert brief(calls.failed(run.run_id, "a failed.", 20)) == [("a", "a failed.", True, True)]


def test_what_gave_a_part_of_its_result_is_not_run_again() -> None:
    calls = decider(make("a", idempotent=True, retries=2))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    calls.part(run.run_id, 1, 5)
    assert not of(calls.failed(run.run_id, "a failed.", 10), Run)


def agent_asks(calls: ToolCalls, now_ms: float) -> None:
    """A response that is heard."""
    calls.response_started(f"question {now_ms}", now_ms)
    calls.agent_speaks(True, now_ms)
    calls.response_ended(f"question {now_ms}", now_ms)
    calls.agent_speaks(False, now_ms)


def user_says(calls: ToolCalls, now_ms: float) -> None:
    """What the caller says is heard on this machine alone."""
    calls.user_sounds(UserSound.BEGAN, now_ms)
    calls.user_sounds(UserSound.CONFIRMED, now_ms)
    calls.user_sounds(UserSound.ENDED, now_ms)


def user_takes_a_turn(calls: ToolCalls, now_ms: float) -> None:
    calls.user_speaks(True, now_ms)
    calls.user_speaks(False, now_ms)


def user_says_without_confirmation(calls: ToolCalls, now_ms: float) -> None:
    calls.user_sounds(UserSound.BEGAN, now_ms)
    calls.user_sounds(UserSound.ENDED, now_ms)


@pytest.mark.parametrize("answer", [user_says, user_takes_a_turn, user_says_without_confirmation])
def test_a_call_that_needs_consent_runs_when_the_caller_has_answered(
    answer: Callable[[ToolCalls, float], None],
) -> None:
    calls = decider(make("pay", confirm=True))
    asked = calls.called(calls_of("pay 1", what="5"), 0)
    assert not of(asked, Run)
    assert "caller's consent" in brief(asked)[0][1]
    agent_asks(calls, 5)
    # Nobody said anything: the model asks itself.
    assert not of(calls.called(calls_of("pay 2", what="5"), 10), Run)
    answer(calls, 20)
    # Something else was asked about.
    assert not of(calls.called(calls_of("pay 3", what="500"), 30), Run)
    assert of(calls.called(calls_of("pay 4", what="5"), 40), Run)
    # It holds once.
    assert not of(calls.called(calls_of("pay 5", what="5"), 50), Run)


def test_what_the_caller_says_before_they_are_asked_is_no_consent() -> None:
    calls = decider(make("pay", confirm=True))
    calls.agent_speaks(True, 0)
    calls.called(calls_of("pay 1"), 5)
    # The agent was interrupted before it could ask.
    user_says(calls, 10)
    calls.agent_speaks(False, 11)
    calls.response_started("question", 20)
    user_says(calls, 30)
    assert not of(calls.called(calls_of("pay 2"), 40), Run)
    calls.agent_speaks(True, 50)
    user_says(calls, 60)
    assert of(calls.called(calls_of("pay 3"), 70), Run)


def test_a_cough_is_no_consent() -> None:
    calls = decider(make("pay", confirm=True))
    calls.called(calls_of("pay 1"), 0)
    agent_asks(calls, 5)
    for sound in (UserSound.BEGAN, UserSound.DROPPED, UserSound.ENDED):
        calls.user_sounds(sound, 10)
    assert not of(calls.called(calls_of("pay 2"), 20), Run)


def test_an_old_question_is_asked_again() -> None:
    calls = decider(make("pay", confirm=True))
    calls.called(calls_of("pay 1"), 0)
    agent_asks(calls, 10)
    user_says(calls, 20)
    late_ms = VALID_MS + 1
    assert not of(calls.called(calls_of("pay 2"), late_ms), Run)
    agent_asks(calls, late_ms + 1)
    user_says(calls, late_ms + 2)
    assert of(calls.called(calls_of("pay 3"), late_ms + 3), Run)


def test_too_many_open_calls_are_refused() -> None:
    names = [f"a {number}" for number in range(MOST_CALLS + 1)]
    calls = decider(make("a"))
    told = brief(calls.called(calls_of(*names), 0))
    assert [why for _, why, _, _ in told] == [
        "Too many calls are open. Wait for their results, and call again."
    ] * len(told)
    assert told


def test_each_slow_call_brings_what_may_be_said_of_it() -> None:
    calls = decider(make("a", acknowledge=None), make("b", acknowledge=("B.",)), make("c"))
    calls.called(calls_of("a", "b", "c"), 0)
    slow = of(calls.wake(300), Note)
    assert [note.phase for note in slow] == [ToolPhase.SLOW] * 3
    assert [note.phrases for note in slow] == [(), ("B.",), ("Wait.",)]


def test_nothing_happens_any_more_when_the_conversation_is_over() -> None:
    calls = decider(make("a"))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    (stop,) = of(calls.hung_up(), Stop)
    assert stop.run_id == run.run_id
    assert calls.wake_at_ms is None
    assert calls.called(calls_of("b"), 10) == []
    assert of(calls.returned(run.run_id, 1, 20), Tell) == []


class Story:
    """What may happen to a conversation, step by step, and what was done about it."""

    def __init__(self, wire: ToolWire) -> None:
        tools = [
            make("finish", max_concurrency=2),
            make("cancel", on_interruption=OnInterruption.CANCEL, on_duplicate=OnDuplicate.RUN),
        ]
        self.calls = decider(*tools, wire=wire)
        self.now_ms = 0.0
        self.made = 0
        self.running: list[int] = []
        self.ends: list[str] = []
        self.results = 0
        self.asked = False

    def take(self, actions: Sequence[Action]) -> None:
        self.running += [run.run_id for run in of(actions, Run)]
        for tell in of(actions, Tell):
            # Nothing is told of what is over.
            assert tell.call.id not in self.ends
            self.results += tell.final
            self.ends += [tell.call.id] * tell.final
        self.ends += [cancel.call.id for cancel in of(actions, Cancel)]
        self.asked |= any(action.ask for action in [*of(actions, Tell), *of(actions, Cancel)])

    def call(self, number: int) -> None:
        names = [f"{('finish', 'cancel')[i % 2]} {self.made + i}" for i in range(number)]
        self.made += number
        self.take(self.calls.called(calls_of(*names, what=str(number)), self.now_ms))

    def run_goes_on(self, number: int) -> None:
        if self.running:
            run_id = self.running[number % len(self.running)]
            self.take(self.calls.part(run_id, number, self.now_ms))

    def run_returns(self, number: int) -> None:
        if self.running:
            run_id = self.running.pop(number % len(self.running))
            self.take(self.calls.returned(run_id, "result", self.now_ms))

    def run_fails(self, number: int) -> None:
        if self.running:
            run_id = self.running.pop(number % len(self.running))
            self.take(self.calls.failed(run_id, "It failed.", self.now_ms))

    def taken_back(self, number: int) -> None:
        self.take(self.calls.taken_back(f"finish {number}", self.now_ms))

    def interrupted(self, number: int) -> None:
        self.take(self.calls.interrupted(self.now_ms))

    def user(self, number: int) -> None:
        self.take(self.calls.user_speaks(number % 2 == 0, self.now_ms))

    def sound(self, number: int) -> None:
        sound = list(UserSound)[number % len(UserSound)]
        self.take(self.calls.user_sounds(sound, self.now_ms))

    def agent(self, number: int) -> None:
        self.take(self.calls.agent_speaks(number % 2 == 0, self.now_ms))

    def response(self, number: int) -> None:
        self.take(self.calls.response_started(str(number), self.now_ms))

    def response_over(self, number: int) -> None:
        self.take(self.calls.response_ended(str(number), self.now_ms))

    def wait(self, number: int) -> None:
        self.now_ms += 500 * number
        self.take(self.calls.wake(self.now_ms))

    def everybody_falls_silent_and_every_tool_hangs(self) -> None:
        for number in range(6):
            self.response_over(number)
        self.user(1)
        self.take(self.calls.user_sounds(UserSound.ENDED, self.now_ms))
        self.agent(1)
        while (wake_at_ms := self.calls.wake_at_ms) is not None:
            assert self.now_ms < 1e6, "it never comes to an end"
            self.now_ms = max(self.now_ms, wake_at_ms)
            self.take(self.calls.wake(self.now_ms))


STEPS = st.sampled_from(
    [
        Story.call,
        Story.run_goes_on,
        Story.run_returns,
        Story.run_fails,
        Story.taken_back,
        Story.interrupted,
        Story.user,
        Story.sound,
        Story.agent,
        Story.response,
        Story.response_over,
        Story.wait,
    ]
)


@given(
    steps=st.lists(st.tuples(STEPS, st.integers(0, 5)), max_size=60),
    wire=st.sampled_from(ToolWire),
)
def test_whatever_happens_each_call_ends_once_and_results_are_spoken_of(
    steps: list[tuple[Callable[[Story, int], None], int]], wire: ToolWire
) -> None:
    story = Story(wire)
    for step, number in steps:
        story.now_ms += 100
        step(story, number)
    story.everybody_falls_silent_and_every_tool_hangs()
    assert len(story.ends) == len(set(story.ends)) == story.made
    assert story.asked or not story.results


@pytest.mark.parametrize("ended_ms", [500, 1500])
def test_what_a_successor_does_not_know_waits_for_silence_as_all_text_does(
    ended_ms: float,
) -> None:
    calls = decider(make("a"))
    (run,) = of(calls.called(calls_of("a"), 0), Run)
    calls.succeeded(ToolWire.PARTS, open_calls=False)
    calls.user_sounds(UserSound.BEGAN, 400)
    calls.wake(ended_ms)
    assert brief(calls.returned(run.run_id, "r", ended_ms)) == []
    calls.response_started("answer", 2000)
    assert brief(calls.user_sounds(UserSound.ENDED, 2100)) == []
    assert brief(calls.response_ended("answer", 2500)) == [("a", "r", True, True)]


def test_another_model_is_told_in_its_own_way_from_then_on() -> None:
    calls = decider(make("a"), make("b"), wire=ToolWire.ONCE)
    (first,) = of(calls.called(calls_of("a"), 0), Run)
    assert brief(calls.wake(1000)) == []
    calls.succeeded(ToolWire.WAITS)
    calls.called(calls_of("b"), 1100)
    assert [(tell.call.id, tell.final, tell.ask) for tell in of(calls.wake(2100), Tell)] == [
        ("b", False, True)
    ]
    calls.succeeded(ToolWire.PARTS)
    assert brief(calls.returned(first.run_id, "r", 9000)) == [("a", "r", True, True)]
