"""The ledger that a session writes when nobody else does."""

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import AgentTurn, UserTurn
from crossfade.providers.commands import Interrupt, SendText, SendToolResult
from crossfade.providers.continuity.own_ledger import OwnLedger
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    TextDelta,
    UserTranscript,
    UserTurnCommitted,
)

WORDS = "one two three four five six seven eight nine ten"


def answer(ledger: OwnLedger, status: ResponseStatus, ms: float = 2000) -> None:
    ledger.told(ResponseStarted(response_id="r"), 2.0)
    ledger.told(TextDelta(response_id="r", item_id="i", text=WORDS, spoken=True), 2.0)
    ledger.speech(AudioChunk(response_id="r", item_id="i", pcm=b"\0\0"), ms)
    ledger.told(ResponseDone(response_id="r", status=status), 3.0)


def said(ledger: OwnLedger) -> list[tuple[Speaker, str]]:
    history = ledger.conversation.history()
    return [(item.speaker, item.text) for item in history if isinstance(item, Utterance)]


def test_a_turn_of_which_only_the_words_are_told_is_from_when_it_was_heard() -> None:
    ledger = OwnLedger(Conversation())
    ledger.user_speaks(True, 1.0)
    ledger.user_speaks(False, 2.0)
    ledger.told(UserTurnCommitted(item_id="u"), 5.0)
    (turn,) = ledger.conversation.entries
    assert isinstance(turn, UserTurn)
    assert (turn.started_at_s, turn.stopped_at_s) == (1.0, 2.0)


def test_a_turn_an_answer_and_a_tool_round() -> None:
    ledger = OwnLedger(Conversation())
    events: list[Event] = [
        UserTurnCommitted(item_id="u"),
        UserTranscript(item_id="u", text="Hello", final=True),
        ToolCall(id="c", name="look_up", arguments={}, response_id="q"),
    ]
    for event in events:
        ledger.told(event, 1.0)
    ledger.asked(SendToolResult(result=ToolResult(call_id="c", output=1)), 1.5)
    answer(ledger, ResponseStatus.COMPLETED)
    ledger.asked(SendText(text="Thanks"), 4.0)
    assert said(ledger) == [
        (Speaker.USER, "Hello"),
        (Speaker.AGENT, WORDS),
        (Speaker.USER, "Thanks"),
    ]
    assert ToolResult(call_id="c", output=1) in ledger.conversation.history()


def test_of_a_cut_answer_no_more_is_kept_than_came() -> None:
    ledger = OwnLedger(Conversation())
    answer(ledger, ResponseStatus.CUT, ms=1500)
    ((_, text),) = said(ledger)
    assert text
    assert WORDS.startswith(text)
    assert text != WORDS


def test_of_an_interrupted_one_no_more_than_was_played() -> None:
    ledger = OwnLedger(Conversation())
    answer(ledger, ResponseStatus.COMPLETED)
    ledger.asked(Interrupt(played_ms={"i": 1000.0}), 4.0)
    (turn,) = ledger.conversation.entries
    assert isinstance(turn, AgentTurn)
    assert turn.heard != WORDS
