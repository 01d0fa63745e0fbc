"""What a session owes when its line dies."""

import pytest

from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.providers.commands import (
    EndTurn,
    Interrupt,
    Respond,
    RespondAside,
    Say,
    SendText,
    SendToolResult,
    StartTurn,
)
from crossfade.providers.continuity.owed import Debt, Owed
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SpeechDone,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCallCancelled,
    UserTurnCommitted,
)

STARTED = ResponseStarted(response_id="r")
WORDS = TextDelta(response_id="r", item_id="i", text="Hello out there.", spoken=True)
CALL = ToolCall(id="c", name="look_up", arguments={}, response_id="r")
DONE = ResponseDone(response_id="r", status=ResponseStatus.COMPLETED)
TURN: tuple[Event, ...] = (
    SpeechStarted(item_id="u", at_ms=0),
    SpeechStopped(item_id="u", at_ms=500),
    UserTurnCommitted(item_id="u"),
)


def told(*events: Event, owed: Owed | None = None) -> Owed:
    owed = owed or Owed()
    for event in events:
        owed.told(event)
    return owed


def speak(owed: Owed, ms: float) -> bool:
    return owed.speech(AudioChunk(response_id="r", item_id="i", pcm=b"\0\0"), ms)


def debt(owed: Owed) -> Debt:
    return owed.debt


def statuses(events: list[Event]) -> list[ResponseStatus]:
    return [event.status for event in events if isinstance(event, ResponseDone)]


@pytest.mark.parametrize("upto", [1, 2, 3])
def test_the_answer_to_a_turn_is_owed_until_it_begins(upto: int) -> None:
    owed = told(*TURN[:upto])
    assert debt(owed) is Debt.TURN
    assert owed.user_speaks is (upto == 1)
    assert owed.cut() == []
    assert debt(owed) is Debt.TURN


def test_a_response_of_which_nothing_came_counts_as_not_begun() -> None:
    owed = told(*TURN, STARTED)
    assert statuses(owed.cut()) == [ResponseStatus.CUT]
    assert debt(owed) is Debt.TURN


def test_with_its_first_sound_the_turn_is_answered_and_its_rest_owed() -> None:
    owed = told(*TURN, STARTED)
    assert speak(owed, 100)
    assert debt(owed) is Debt.NOTHING
    owed.told(WORDS)
    assert not speak(owed, 3000), "told once"
    assert statuses(owed.cut()) == [ResponseStatus.CUT]
    assert debt(owed) is Debt.REST


def test_of_what_was_hardly_begun_all_is_asked_for_again() -> None:
    owed = told(*TURN, STARTED, WORDS)
    assert statuses(owed.cut()) == [ResponseStatus.CUT]
    assert debt(owed) is Debt.REQUEST


def test_of_an_answer_that_was_all_spoken_only_the_end_is_missing() -> None:
    owed = told(*TURN, STARTED, WORDS)
    speak(owed, 3000)
    owed.told(SpeechDone(response_id="r", item_id="i"))
    assert statuses(owed.cut()) == [ResponseStatus.COMPLETED]
    assert debt(owed) is Debt.NOTHING


def test_a_response_that_is_done_owes_nothing() -> None:
    owed = told(*TURN, STARTED, WORDS, DONE)
    assert owed.settled
    assert owed.cut() == []
    assert debt(owed) is Debt.NOTHING


@pytest.mark.parametrize("how", [Interrupt(played_ms={}), Interruption(response_id="r")])
def test_an_interrupted_answer_owes_nothing(how: Interrupt | Interruption) -> None:
    owed = told(*TURN, STARTED, WORDS)
    speak(owed, 3000)
    if isinstance(how, Interrupt):
        owed.asked(how)
    else:
        owed.told(how)
    assert statuses(owed.cut()) == [ResponseStatus.INTERRUPTED]
    assert debt(owed) is Debt.NOTHING


def test_a_rest_that_was_hardly_begun_is_still_a_rest() -> None:
    owed = told(*TURN, STARTED, WORDS)
    speak(owed, 3000)
    owed.cut()
    told(STARTED, TextDelta(response_id="r", item_id="j", text="And", spoken=True), owed=owed)
    owed.cut()
    assert debt(owed) is Debt.REST


def test_who_speaks_into_the_rest_has_heard_enough() -> None:
    owed = told(STARTED, WORDS)
    speak(owed, 3000)
    owed.cut()
    assert debt(owed) is Debt.REST
    told(TURN[0], owed=owed)
    assert debt(owed) is Debt.TURN
    told(*TURN[1:], STARTED, WORDS, DONE, owed=owed)
    assert debt(owed) is Debt.NOTHING


def test_calls_of_a_response_that_was_cut_are_taken_back() -> None:
    owed = told(*TURN, STARTED, CALL)
    events = owed.cut()
    assert events[0] == ToolCallCancelled(call_id="c")
    assert statuses(events) == [ResponseStatus.CUT]
    assert debt(owed) is Debt.REQUEST
    assert not owed.calls


def test_a_call_stays_open_until_it_is_answered() -> None:
    owed = told(*TURN, STARTED, CALL, DONE)
    assert not owed.settled
    owed.cut()
    assert set(owed.calls) == {"c"}
    owed.asked(SendToolResult(result=ToolResult(call_id="c", output=1)))
    assert owed.settled


@pytest.mark.parametrize("command", [Respond(), SendText(text="Hi", respond=True)])
def test_a_request_is_owed_until_its_answer_begins(command: Respond | SendText) -> None:
    owed = Owed()
    owed.asked(command)
    assert debt(owed) is Debt.REQUEST
    assert owed.expects
    told(STARTED, WORDS, owed=owed)
    assert debt(owed) is Debt.NOTHING


def test_turns_that_the_caller_marks() -> None:
    owed = Owed()
    owed.asked(StartTurn())
    assert (debt(owed), owed.user_speaks) == (Debt.TURN, True)
    owed.asked(EndTurn())
    assert (debt(owed), owed.user_speaks) == (Debt.TURN, False)
    told(STARTED, WORDS, owed=owed)
    assert debt(owed) is Debt.NOTHING


def test_an_answer_that_ran_before_the_turn_was_over_is_not_its_answer() -> None:
    owed = told(TURN[0], STARTED)
    assert not speak(owed, 100)
    assert debt(owed) is Debt.TURN


def test_phrases_wait_until_they_begin_or_somebody_interrupts() -> None:
    owed = Owed()
    aside = RespondAside(instructions="Sum up.", label="a")
    owed.asked(Say(text="One moment.", label="p"))
    owed.asked(aside)
    assert not owed.settled
    told(ResponseStarted(response_id="x", injected=True, label="p"), owed=owed)
    assert list(owed.asides) == [aside]
    assert statuses(owed.cut()) == [ResponseStatus.FAILED]
    owed.asked(Say(text="Again."))
    owed.asked(Interrupt(played_ms={}))
    assert list(owed.asides) == [aside]


def test_who_tells_of_no_turns_has_answered_with_its_first_sound() -> None:
    owed = told(STARTED)
    assert not speak(owed, 100)
    owed = Owed(tells_speech=False)
    owed.tells_turns = False
    owed.told(STARTED)
    assert speak(owed, 100)
    assert not speak(owed, 100)
