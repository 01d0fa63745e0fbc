"""When a conversation is summarised, and what of it."""

from crossfade.conversation.context_budget import ContextBudget
from crossfade.conversation.history import Notice, Speaker, Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import AgentTurn, UserTurn

WORDS = "word " * 30
"""58 tokens with what an item costs by itself."""


def long_talk(rounds: int) -> Conversation:
    conversation = Conversation()
    for number in range(rounds):
        at_s = 10.0 * number
        conversation.user_started(f"u{number}", at_s)
        conversation.user_stopped(at_s + 1)
        conversation.user_transcript(f"u{number}", f"{number} {WORDS}", final=True)
        conversation.response_started(f"r{number}", False, at_s + 2)
        conversation.agent_text(f"r{number}", f"a{number}", f"{number} {WORDS}")
        conversation.response_ended(f"r{number}", "completed")
    return conversation


def test_what_the_provider_counted_decides_else_the_words() -> None:
    budget, talk = ContextBudget(1000), long_talk(4)
    assert not budget.exceeded(talk.entries)
    assert budget.exceeded(talk.entries, input_tokens=1001)
    assert budget.exceeded(long_talk(9).entries)
    assert not budget.exceeded(long_talk(9).entries, input_tokens=999)


def test_the_oldest_are_summarised_and_the_newest_kept_whole() -> None:
    talk = long_talk(10)
    wish = ContextBudget(1000).wish(talk.entries, now_s=100.0)
    assert wish is not None
    first = talk.entries[wish.upto]
    assert isinstance(first, UserTurn)
    assert first.text.startswith("7 ")
    assert wish.text.splitlines()[:2] == [f"User: 0 {WORDS.strip()}", f"Agent: 0 {WORDS.strip()}"]
    talk.summarised("Numbers were said.", wish.upto, 100.0)
    history = talk.history()
    assert history[0] == Notice(text="Numbers were said.")
    assert history[1] == Utterance(speaker=Speaker.USER, text=f"7 {WORDS}".strip())
    assert len(history) == 7


def test_a_summary_is_summarised_with_what_followed_it() -> None:
    talk = long_talk(10)
    talk.summarised("Numbers were said.", 14, 100.0)
    assert ContextBudget(1000).wish(talk.entries, now_s=100.0) is None
    for number in range(20, 26):
        talk.user_text(f"{number} {WORDS}", 200.0)
    wish = ContextBudget(1000).wish(talk.entries, now_s=300.0)
    assert wish is not None
    assert wish.text.splitlines()[:2] == ["Numbers were said.", f"User: 7 {WORDS.strip()}"]


def test_what_may_still_change_is_kept_whole() -> None:
    budget, talk = ContextBudget(1000), Conversation()
    talk.user_text(WORDS, 1.0)
    talk.tool_called(ToolCall(id="c", name="look", arguments={"city": "Rome"}), 2.0)
    for _ in range(20):
        talk.user_text(WORDS, 3.0)
    assert budget.wish(talk.entries, now_s=100.0) is None
    talk.tool_answered(ToolResult(call_id="c", output={"sky": "blue"}), 4.0)
    wish = budget.wish(talk.entries, now_s=100.0)
    assert wish is not None
    assert 'Tool look was called with {"city": "Rome"}.\nIt gave: {"sky": "blue"}' in wish.text


def test_a_turn_whose_transcript_is_awaited_is_kept_for_a_while() -> None:
    budget, talk = ContextBudget(1000), Conversation()
    talk.user_started("u", 1.0)
    talk.user_stopped(2.0)
    for _ in range(20):
        talk.user_text(WORDS, 3.0)
    assert budget.wish(talk.entries, now_s=5.0) is None
    assert budget.wish(talk.entries, now_s=50.0) is not None


def test_an_answer_that_still_comes_is_kept() -> None:
    talk = long_talk(10)
    last = talk.entries[-1]
    assert isinstance(last, AgentTurn)
    talk.response_started("running", False, 99.0)
    for _ in range(20):
        talk.user_text(WORDS, 100.0)
    wish = ContextBudget(1000).wish(talk.entries, now_s=200.0)
    assert wish is not None
    assert wish.upto == len(long_talk(10).entries)
