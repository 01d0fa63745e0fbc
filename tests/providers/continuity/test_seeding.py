"""What a new session is told before it serves."""

from crossfade.conversation.history import HistoryItem, Notice, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.providers.commands import Command, SendText, SendToolResult
from crossfade.providers.continuity.seeding import GO_ON, Seed, as_text, compose

HELLO = Utterance(speaker=Speaker.USER, text="Hello")
CALL = ToolCall(id="c", name="look_up", arguments={"word": "heron"})
RESULT = ToolResult(call_id="c", output="a bird")


def seed(history: list[HistoryItem], held: list[Command], *, rest: bool = False) -> Seed:
    return compose(history, held, {"c": CALL}, rest=rest, budget_tokens=1000)


def test_what_the_history_tells_is_not_said_again() -> None:
    told = seed([HELLO, CALL, RESULT], [SendText(text="Hello "), SendToolResult(result=RESULT)])
    assert list(told.items) == [HELLO, CALL, RESULT]
    assert told.commands == []


def test_what_it_does_not_tell_follows() -> None:
    other = SendText(text="Are you there?")
    assert seed([HELLO], [other]).commands == [other]


def test_a_result_whose_call_is_open_answers_it() -> None:
    answer = SendToolResult(result=RESULT)
    assert seed([HELLO, CALL], [answer]).commands == [answer]


def test_a_result_whose_call_the_history_lacks_brings_it_along() -> None:
    told = seed([HELLO], [SendToolResult(result=RESULT)])
    assert list(told.items) == [HELLO, CALL, RESULT]


def test_a_rest_is_asked_for_last() -> None:
    told = seed([HELLO, Utterance(speaker=Speaker.AGENT, text="I was")], [], rest=True)
    assert told.items[-1] == Notice(text=GO_ON)


def test_a_result_in_words() -> None:
    text = '[The tool call look_up({"word":"heron"}) of before has its result now: a bird]'
    assert as_text(RESULT, CALL) == text
    failed = ToolResult(call_id="c", output={"why": "no net"}, is_error=True)
    assert as_text(failed, None) == '[The tool call of before failed: {"why":"no net"}]'
