"""The user's words come in the order of the conversation."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.events import UserTranscript
from crossfade.providers.transcript_order import TranscriptOrder


def final(item_id: str) -> UserTranscript:
    return UserTranscript(item_id=item_id, text=f"{item_id}.", final=True)


def partial(item_id: str, text: str = "so far") -> UserTranscript:
    return UserTranscript(item_id=item_id, text=text, final=False)


def test_a_later_turn_waits_for_the_one_before() -> None:
    order = TranscriptOrder()
    order.announce("a")
    order.announce("b", after="a")
    assert order.put(partial("b")) == []
    assert order.put(final("b")) == []
    assert order.put(partial("a")) == [partial("a")]
    assert order.put(final("a")) == [final("a"), final("b")]


def test_the_latest_partial_comes_out_when_its_turn_is_first() -> None:
    order = TranscriptOrder()
    order.announce("a")
    order.announce("b")
    order.put(partial("b", "one"))
    order.put(partial("b", "one two"))
    assert order.put(final("a")) == [final("a"), partial("b", "one two")]
    assert order.put(final("b")) == [final("b")]


def test_a_turn_announced_late_takes_its_place() -> None:
    order = TranscriptOrder()
    order.announce("a")
    order.announce("c", after="a")
    order.announce("b", after="a")
    assert order.put(final("c")) == []
    assert order.put(final("b")) == []
    assert order.put(final("a")) == [final("a"), final("b"), final("c")]


def test_words_that_never_come_hold_the_others_back_for_three_turns() -> None:
    order = TranscriptOrder()
    for item_id in ("lost", "b", "c", "d"):
        order.announce(item_id)
    assert order.put(final("b")) == []
    assert order.put(final("c")) == []
    assert order.put(final("d")) == [final("b"), final("c"), final("d")]
    assert order.put(final("lost")) == [final("lost")], "late, but not dropped"


def test_an_item_that_left_holds_nothing_back() -> None:
    order = TranscriptOrder()
    order.announce("a")
    order.announce("b")
    order.put(final("b"))
    assert order.forget("a") == [final("b")]


def test_what_was_never_announced_waits_for_what_was() -> None:
    order = TranscriptOrder()
    assert order.put(final("w")) == [final("w")]
    order.announce("a")
    assert order.put(partial("x")) == [partial("x")]
    assert order.put(final("x")) == []
    assert order.put(final("a")) == [final("a"), final("x")]
    assert order.put(final("")) == order.put(final("")) == [final("")]


def test_what_is_announced_after_its_words_takes_its_place() -> None:
    order = TranscriptOrder()
    order.announce("a")
    assert order.put(final("c")) == []
    order.announce("b", after="a")
    order.announce("c", after="b")
    assert order.put(final("a")) == [final("a")]
    assert order.put(final("b")) == [final("b"), final("c")]


def test_early_words_are_not_held_back_by_words_that_never_come() -> None:
    order = TranscriptOrder()
    order.announce("lost")
    assert order.put(final("x")) == order.put(final("y")) == []
    assert order.put(final("z")) == [final("x"), final("y"), final("z")]


def test_nothing_follows_a_final_transcript() -> None:
    order = TranscriptOrder()
    order.announce("a")
    order.announce("b")
    order.put(final("b"))
    assert order.put(partial("b")) == []
    assert order.put(final("a")) == [final("a"), final("b")]
    assert order.put(final("a")) == order.put(partial("a")) == []
    assert order.announce("a") == [], "and it is not waited for again"
    order.announce("c")
    assert order.put(final("c")) == [final("c")]


@given(st.permutations(range(8)))
def test_every_order_of_arrival_loses_none_and_repeats_none(arrival: list[int]) -> None:
    order = TranscriptOrder()
    items = [f"item{number}" for number in range(8)]
    for item_id in items:
        order.announce(item_id)
    out = [event for number in arrival for event in order.put(final(items[number]))]
    assert sorted(event.item_id for event in out) == items


@given(st.permutations(range(3)))
def test_three_turns_are_put_in_order_however_they_come(arrival: list[int]) -> None:
    order = TranscriptOrder()
    for number in range(3):
        order.announce(str(number))
    out = [event for number in arrival for event in order.put(final(str(number)))]
    assert [event.item_id for event in out] == ["0", "1", "2"]


def test_it_forgets_in_the_end() -> None:
    order = TranscriptOrder()
    for number in range(1000):
        order.announce(f"item{number}")
    assert len(order._items) <= 64


def test_at_the_end_of_the_line_what_waits_comes_out_in_order() -> None:
    order = TranscriptOrder()
    for item_id in ("lost", "b", "c"):
        order.announce(item_id)
    for item_id in ("x", "c"):
        order.put(final(item_id))
    order.put(partial("b"))
    assert order.flush() == [partial("b"), final("c"), final("x")]
    assert order.flush() == []
