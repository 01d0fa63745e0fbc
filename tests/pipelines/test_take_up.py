"""What another process makes of a stored conversation."""

from dataclasses import replace

import pytest

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.ledger import CUT, Conversation
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import AgentItem, AgentTurn, Entry, ToolRound, UserTurn
from crossfade.pipelines.takeover import Owed, TakenUp, take_up
from crossfade.pipelines.takeover_state import CallState, SpeechPosition
from crossfade.transports.websocket_messages import HeardSpeech

WORDS = "one two three four five six seven eight nine ten"
QUESTION = UserTurn(
    started_at_s=1, stopped_at_s=2, item_id="u1", text="count", final=True, committed=True
)


def answer(
    status: str | None = "completed", *, played_ms: float | None = None, response_id: str = "r1"
) -> AgentTurn:
    item = AgentItem(item_id="i1", text=WORDS, played_ms=played_ms, received_ms=played_ms or 0.0)
    return AgentTurn(response_id=response_id, started_at_s=3, items=(item,), status=status)


def heard(response_ms: float, response_id: str = "r1") -> HeardSpeech:
    return HeardSpeech(stream=1, samples=9, response_id=response_id, response_ms=response_ms)


def state(received_ms: float = 4000, played_ms: float = 0) -> CallState:
    return CallState(speech={"i1": SpeechPosition(received_ms=received_ms, played_ms=played_ms)})


def taken(
    *entries: Entry,
    state: CallState | None = None,
    unfinished: bool = False,
    heard: HeardSpeech | None = None,
    idempotent: frozenset[str] = frozenset(),
) -> TakenUp:
    return take_up(
        entries,
        state or CallState(),
        unfinished=unfinished,
        heard=heard,
        idempotent=idempotent,
        now_s=9,
    )


def test_a_call_at_rest_goes_on_as_it_is() -> None:
    entries = (QUESTION, answer(played_ms=4000))
    assert taken(*entries) == TakenUp(entries=entries, owed=Owed.NOTHING, lost_tools=())


def test_an_answer_is_kept_as_far_as_the_client_heard_it_and_its_rest_is_owed() -> None:
    up = taken(QUESTION, answer(), state=state(), heard=heard(2200))
    (item,) = up.entries[1].items  # type: ignore[union-attr]
    assert up.entries[1].status == CUT  # type: ignore[union-attr]
    # 26 of the 48 characters, to the nearest word.
    assert item.text == "one two three four five six"
    assert up.owed is Owed.REST
    history = Conversation.restored(up.entries).history()
    assert history[-1] == Utterance(speaker=Speaker.AGENT, text=item.text)


def test_without_the_clients_word_the_store_knows_it_by_and_large() -> None:
    up = taken(QUESTION, answer(), state=state(played_ms=2000))
    (item,) = up.entries[1].items  # type: ignore[union-attr]
    assert item.text == "one two three four five"
    assert up.owed is Owed.REST


@pytest.mark.parametrize("ms", [3950, 4000, 5000])
def test_an_answer_that_was_heard_to_its_end_owes_nothing(ms: float) -> None:
    up = taken(QUESTION, answer(), state=state(), heard=heard(ms))
    (item,) = up.entries[1].items  # type: ignore[union-attr]
    assert (item.text, item.played_ms) == (WORDS, 4000)
    assert up.owed is Owed.NOTHING


def test_an_answer_whose_end_was_not_filed_any_more_owes_nothing() -> None:
    assert taken(QUESTION, answer(), heard=heard(4000)).owed is Owed.NOTHING


def test_an_answer_that_still_comes_is_cut_even_if_all_that_came_was_heard() -> None:
    up = taken(QUESTION, answer(None), state=state(1500), heard=heard(1500))
    assert up.entries[1].status == CUT  # type: ignore[union-attr]
    assert up.owed is Owed.REST


def test_of_an_answer_that_still_comes_the_pace_tells_what_was_heard() -> None:
    item = AgentItem(item_id="i0", text=WORDS, played_ms=2400.0, received_ms=2400.0)
    before = replace(answer(response_id="r0"), items=(item,))
    up = taken(before, QUESTION, answer(None), state=state(1500), heard=heard(1200))
    # At 20 characters a second, as in the answer before.
    assert up.entries[-1].text == "one two three four five"  # type: ignore[union-attr]


def test_an_answer_of_which_nothing_was_heard_is_asked_for_again() -> None:
    up = taken(QUESTION, answer(), state=state(), heard=heard(900, "an earlier one"))
    assert up.owed is Owed.REQUEST
    told = Conversation.restored(up.entries).history()
    assert told == (Utterance(speaker=Speaker.USER, text="count"),)


def test_a_question_that_nobody_answered_is_owed_its_answer() -> None:
    assert taken(answer(played_ms=4000), QUESTION).owed is Owed.REQUEST


def test_a_question_whose_sound_is_kept_is_heard_again_and_not_told() -> None:
    up = taken(answer(played_ms=4000), QUESTION, answer_begun(), unfinished=True)
    assert up.entries == (answer(played_ms=4000),)
    assert up.owed is Owed.NOTHING


def answer_begun() -> AgentTurn:
    return AgentTurn(response_id="r9", started_at_s=4)


def test_typed_words_stay() -> None:
    typed = UserTurn(started_at_s=1, text="hello", final=True, committed=True, typed=True)
    assert taken(typed, unfinished=True).entries == (typed,)


@pytest.mark.parametrize(
    ("idempotent", "words"),
    [(frozenset({"look"}), "Calling it again does no harm"), (frozenset(), "Do not call it again")],
)
def test_a_tool_that_ran_is_told_as_lost(idempotent: frozenset[str], words: str) -> None:
    call = ToolCall(id="c1", name="look", arguments={})
    up = taken(QUESTION, ToolRound(call=call, called_at_s=3), idempotent=idempotent)
    assert up.lost_tools == ("look",)
    assert up.owed is Owed.REQUEST
    result = Conversation.restored(up.entries).history()[-1]
    assert isinstance(result, ToolResult)
    assert result.is_error
    assert words in result.output


def test_the_response_that_goes_on_continues_the_cut_one() -> None:
    up = taken(QUESTION, answer(), state=state(), heard=heard(2200))
    ledger = Conversation.restored(up.entries)
    ledger.response_started("r2", False, 10)
    rest = ledger.entries[-1]
    assert isinstance(rest, AgentTurn)
    assert rest.continues == "r1"


def test_a_tools_result_that_was_not_spoken_of_is_owed_its_answer() -> None:
    call = ToolCall(id="c1", name="look", arguments={})
    result = ToolResult(call_id="c1", output="seen")
    round_ = ToolRound(call=call, called_at_s=3, result=result, answered_at_s=4)
    assert taken(QUESTION, answer_done(), round_).owed is Owed.REQUEST
    assert taken(QUESTION, answer_done(), round_, answer(played_ms=4000)).owed is Owed.NOTHING


def answer_done() -> AgentTurn:
    return AgentTurn(response_id="r9", started_at_s=4, status="completed")
