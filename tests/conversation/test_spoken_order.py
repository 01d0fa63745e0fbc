"""The user's turns stand where they were spoken, whichever of them get a name, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.conversation.history import Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall
from crossfade.conversation.turns import UserTurn


def users(conversation: Conversation) -> list[UserTurn]:
    return [entry for entry in conversation.entries if isinstance(entry, UserTurn)]


def told(conversation: Conversation) -> list[str]:
    return [item.text for item in conversation.history() if isinstance(item, Utterance)]


def speak(conversation: Conversation, at_s: float, for_s: float = 1.0) -> None:
    conversation.user_started(None, at_s)
    conversation.user_stopped(at_s + for_s)


def name(conversation: Conversation, number: int) -> None:
    conversation.user_committed(f"u{number}")
    conversation.user_transcript(f"u{number}", f"question {number}", final=True)


def answer(conversation: Conversation, number: int, at_s: float) -> None:
    conversation.response_started(f"r{number}", False, at_s)
    conversation.agent_text(f"r{number}", f"a{number}", f"answer {number}")
    conversation.response_ended(f"r{number}", "completed")
    conversation.agent_played(f"a{number}", 500.0, 500.0)


def test_a_noise_that_gets_no_name_shifts_no_turn() -> None:
    conversation = Conversation()
    speak(conversation, 5.0, 0.3)
    for number, at_s in ((1, 10.0), (2, 20.0), (3, 30.0)):
        speak(conversation, at_s)
        name(conversation, number)
        answer(conversation, number, at_s + 2)
    assert told(conversation) == [
        f"{what} {number}" for number in (1, 2, 3) for what in ("question", "answer")
    ]
    assert [turn.started_at_s for turn in users(conversation)] == [5.0, 10.0, 20.0, 30.0]


def test_what_was_spoken_before_an_answer_gets_no_later_name() -> None:
    conversation = Conversation()
    speak(conversation, 1.0)
    name(conversation, 1)
    speak(conversation, 3.0)
    answer(conversation, 1, 8.0)
    name(conversation, 2)
    assert told(conversation) == ["question 1", "answer 1", "question 2"]


def test_what_is_said_in_two_parts_begins_with_the_first() -> None:
    conversation = Conversation()
    speak(conversation, 1.0)
    speak(conversation, 3.0)
    name(conversation, 1)
    answer(conversation, 1, 5.0)
    assert [(t.item_id, t.started_at_s) for t in users(conversation)] == [("u1", 1.0), (None, 3.0)]


def test_who_speaks_as_an_answer_begins_is_not_answered_by_it() -> None:
    conversation = Conversation()
    speak(conversation, 1.0)
    name(conversation, 1)
    conversation.user_started(None, 3.0)
    answer(conversation, 1, 3.5)
    conversation.user_stopped(4.0)
    name(conversation, 2)
    assert [(t.text, t.started_at_s) for t in users(conversation)] == [
        ("question 1", 1.0),
        ("question 2", 3.0),
    ]


def test_an_answer_that_is_only_announced_may_overtake_the_name() -> None:
    conversation = Conversation()
    speak(conversation, 1.0)
    conversation.response_started("r1", False, 3.0)
    name(conversation, 1)
    assert [turn.started_at_s for turn in users(conversation)] == [1.0]


def test_what_is_typed_meanwhile_ends_no_spoken_turn() -> None:
    conversation = Conversation()
    conversation.user_started(None, 1.0)
    conversation.user_text("typed", 1.5)
    conversation.user_stopped(2.0)
    name(conversation, 1)
    spoken, typed = users(conversation)
    assert (spoken.text, spoken.stopped_at_s, typed.text) == ("question 1", 2.0, "typed")


def test_a_turn_that_is_told_by_its_words_begins_when_it_was_heard() -> None:
    conversation = Conversation()
    answer(conversation, 0, 2.0)
    conversation.speech_heard(8.5)
    conversation.speech_over(9.5)
    name(conversation, 1)
    answer(conversation, 1, 11.0)
    turn = users(conversation)[0]
    assert (turn.started_at_s, turn.stopped_at_s) == (8.5, 9.5)


def test_words_that_come_while_they_are_spoken_learn_later_when_it_ends() -> None:
    conversation = Conversation()
    conversation.speech_heard(8.5)
    name(conversation, 1)
    assert users(conversation)[0].stopped_at_s is None
    conversation.speech_over(9.5)
    conversation.speech_heard(9.8)
    conversation.speech_over(10.0)
    turn = users(conversation)[0]
    assert (turn.started_at_s, turn.stopped_at_s) == (8.5, 9.5)


@pytest.mark.parametrize(("second_s", "started_at_s"), [(3.0, 1.0), (6.0, 6.0)])
def test_a_short_pause_is_part_of_a_turn(second_s: float, started_at_s: float) -> None:
    conversation = Conversation()
    for at_s in (1.0, second_s):
        conversation.speech_heard(at_s)
        conversation.speech_over(at_s + 1)
    name(conversation, 1)
    turn = users(conversation)[0]
    assert (turn.started_at_s, turn.stopped_at_s) == (started_at_s, second_s + 1)


def test_a_false_start_begins_no_turn() -> None:
    conversation = Conversation()
    conversation.speech_heard(1.0)
    conversation.speech_over(2.0)
    conversation.speech_heard(6.0)
    conversation.speech_dropped()
    conversation.speech_over(6.1)
    name(conversation, 1)
    turn = users(conversation)[0]
    assert (turn.started_at_s, turn.stopped_at_s) == (1.0, 2.0)


def test_what_was_heard_before_an_answer_is_not_the_turn_after_it() -> None:
    conversation = Conversation()
    conversation.speech_heard(1.0)
    conversation.speech_over(2.0)
    answer(conversation, 0, 5.0)
    conversation.tool_called(ToolCall(id="c", name="n", arguments={}, response_id="r0"), 6.0)
    name(conversation, 1)
    assert users(conversation)[0].started_at_s == 6.0


class Said(Enum):
    """What becomes of an utterance."""

    IGNORED = "a noise: it gets no name, and no answer"
    NAMED = "its name comes when it has ended"
    NAMED_EARLY = "its name comes while it is spoken"
    NAMED_LATE = "its name comes with the answer"
    IN_TWO = "it is said in two parts and named behind the second"
    IN_TWO_EARLY = "it is said in two parts and named behind the first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    said: Said
    pause_s: float
    """Before it; longer than within a turn."""
    into_answer: bool
    """It is begun before the answer to the one before it has ended."""
    noise_after: bool
    """Before the answer there is a noise that gets no name."""


class Call:
    """Tells a ledger a call, and what is to be in it."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.now_s = 0.0
        self.told: list[str] = []
        self.starts: dict[str, float] = {}
        self.ends: str | None = None

    def tell(self, number: int, turn: Turn) -> None:
        ledger = self.conversation
        if not turn.into_answer:
            self.end_answer()
        self.now_s += turn.pause_s
        start_s = self.now_s
        ledger.user_started(None, start_s)
        self.end_answer()
        if turn.said is Said.NAMED_EARLY:
            name(ledger, number)
        self.now_s += 1
        ledger.user_stopped(self.now_s)
        if turn.said is Said.IGNORED:
            return
        if turn.said in (Said.NAMED, Said.IN_TWO_EARLY):
            name(ledger, number)
        if turn.said in (Said.IN_TWO, Said.IN_TWO_EARLY):
            self.noise(1.0)
        if turn.said in (Said.IN_TWO, Said.NAMED_LATE):
            name(ledger, number)
        if turn.noise_after:
            self.noise(turn.pause_s)
        self.now_s += 0.5
        ledger.response_started(f"r{number}", False, self.now_s)
        ledger.agent_text(f"r{number}", f"a{number}", f"answer {number}")
        self.ends = f"r{number}"
        self.told += [f"question {number}", f"answer {number}"]
        self.starts[f"u{number}"] = start_s

    def noise(self, pause_s: float) -> None:
        speak(self.conversation, self.now_s + pause_s, 0.2)
        self.now_s += pause_s + 0.2

    def end_answer(self) -> None:
        if self.ends is not None:
            self.conversation.response_ended(self.ends, "completed")
            self.ends = None


TURNS = st.builds(
    Turn,
    said=st.sampled_from(Said),
    pause_s=st.floats(2.5, 60.0),
    into_answer=st.booleans(),
    noise_after=st.booleans(),
)


@given(turns=st.lists(TURNS, max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_call_with_turns_that_get_no_name_is_told_in_spoken_order(turns: Sequence[Turn]) -> None:
    call = Call()
    for number, turn in enumerate(turns):
        call.tell(number, turn)
    assert told(call.conversation) == call.told
    named = [turn for turn in users(call.conversation) if turn.item_id is not None]
    assert {turn.item_id: turn.started_at_s for turn in named} == call.starts
    starts = [turn.started_at_s for turn in users(call.conversation)]
    assert starts == sorted(starts)


@pytest.mark.parametrize("pause_s", [0.5, 3.0, 60.0])
def test_a_name_that_comes_late_is_for_the_turn_that_we_called_so(pause_s: float) -> None:
    conversation = Conversation()
    for number, at_s in ((1, 1.0), (2, 2.0 + pause_s), (3, 3.0 + 2 * pause_s)):
        conversation.user_started(None, at_s, turn_id=f"t{number}")
        conversation.user_stopped(at_s + 1)
    for number in (1, 3, 2):
        conversation.user_committed(f"u{number}", turn_id=f"t{number}")
        conversation.user_transcript(f"u{number}", f"question {number}", final=True)
    assert [turn.item_id for turn in users(conversation)] == ["u1", "u2", "u3"]
    assert all(turn.committed for turn in users(conversation))


def test_what_we_called_a_turn_counts_once_and_only_without_another_name() -> None:
    conversation = Conversation()
    conversation.user_started("u1", 1.0, turn_id="t1")
    conversation.user_stopped(2.0)
    conversation.user_committed("u1", turn_id="t1")
    speak(conversation, 10.0)
    conversation.user_committed("u2", turn_id="t1")
    conversation.user_committed("u3", turn_id="t1")
    assert [turn.item_id for turn in users(conversation)] == ["u1", "u2", "u3"]
