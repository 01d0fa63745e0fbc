"""What a new session is told of a long conversation."""

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.conversation.history import HistoryItem, Notice, Picture, Speaker, Utterance
from crossfade.conversation.seed import seed
from crossfade.conversation.tokens import LARGEST_PICTURE_TOKENS, estimate
from crossfade.conversation.tools import ToolCall, ToolResult

CALL = ToolCall(id="c", name="look", arguments={})
OTHER = ToolCall(id="d", name="look", arguments={})
RESULT = ToolResult(call_id="c", output="done")
OTHER_RESULT = ToolResult(call_id="d", output="done")
NOTICE = Notice(text="They spoke of the weather.")


def said(text: str) -> Utterance:
    return Utterance(speaker=Speaker.USER, text=text)


def one_each(item: HistoryItem) -> int:
    return 1


def test_the_newest_is_kept_as_far_as_the_budget_goes() -> None:
    items = [said("one"), said("two"), said("three")]
    assert seed(items, budget_tokens=2, count=one_each) == tuple(items[1:])
    assert seed(items, budget_tokens=9, count=one_each) == tuple(items)


def test_the_newest_stays_in_any_case() -> None:
    assert seed([said("one"), said("two")], budget_tokens=0, count=one_each) == (said("two"),)


def test_a_notice_at_the_front_stays_and_counts() -> None:
    items: list[HistoryItem] = [NOTICE, said("one"), said("two")]
    assert seed(items, budget_tokens=2, count=one_each) == (NOTICE, said("two"))
    assert seed([NOTICE], budget_tokens=0, count=one_each) == (NOTICE,)
    assert seed([], budget_tokens=0) == ()


def test_a_tool_round_is_never_split() -> None:
    items: list[HistoryItem] = [said("one"), CALL, OTHER, RESULT, OTHER_RESULT, said("two")]
    assert seed(items, budget_tokens=4, count=one_each) == (said("two"),)
    assert seed(items, budget_tokens=5, count=one_each) == tuple(items[1:])


def test_a_call_that_is_open_stands_alone() -> None:
    assert seed([said("one"), CALL], budget_tokens=1, count=one_each) == (CALL,)


def test_pictures_are_counted() -> None:
    picture = Picture(data=b"", media_type="image/png")
    items: list[HistoryItem] = [said("old"), picture, said("new")]
    assert seed(items, budget_tokens=LARGEST_PICTURE_TOKENS) == (said("new"),)
    assert seed(items, budget_tokens=LARGEST_PICTURE_TOKENS + 40) == tuple(items)


@st.composite
def histories(draw: st.DrawFn) -> list[HistoryItem]:
    """Rounds whose calls and results stand in any order that a conversation can have."""
    items: list[HistoryItem] = [NOTICE] if draw(st.booleans()) else []
    open_calls: list[str] = []
    for number in range(draw(st.integers(0, 15))):
        kind = draw(st.sampled_from(["say", "show", "call", "answer"]))
        if kind == "answer" and open_calls:
            call_id = open_calls.pop(draw(st.integers(0, len(open_calls) - 1)))
            items.append(ToolResult(call_id=call_id, output="x" * number))
        elif kind == "call":
            open_calls.append(f"c{number}")
            items.append(ToolCall(id=f"c{number}", name="look", arguments={}))
        elif kind == "show":
            items.append(Picture(data=bytes(number), media_type="image/jpeg"))
        else:
            items.append(said("word " * draw(st.integers(0, 200))))
    return items


@given(items=histories(), budget_tokens=st.integers(0, 4000))
@settings(max_examples=200, deadline=None)
def test_whatever_was_said_a_seed_holds_its_rules(
    items: list[HistoryItem], budget_tokens: int
) -> None:
    kept = seed(items, budget_tokens=budget_tokens)
    front = items[:1] if items and isinstance(items[0], Notice) else []
    newest = list(kept[len(front) :])
    assert list(kept[: len(front)]) == front
    rest = items[len(front) :]
    assert newest == rest[len(rest) - len(newest) :]
    assert bool(newest) == bool(rest)
    answers = {item.call_id for item in items if isinstance(item, ToolResult)}
    kept_calls = {item.id for item in kept if isinstance(item, ToolCall)}
    kept_answers = {item.call_id for item in kept if isinstance(item, ToolResult)}
    assert kept_calls & answers == kept_answers
    # All but what stays in any case is within the budget.
    more = seed(items, budget_tokens=budget_tokens + 1)
    assert len(more) >= len(kept)
    least = seed(items, budget_tokens=0)
    assert kept == least or sum(estimate(item) for item in kept) <= budget_tokens
