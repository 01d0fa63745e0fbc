"""What of an agent's turn reached the user."""

from dataclasses import replace

from crossfade.conversation.turns import AgentItem, AgentTurn

TEXT = "One two three four five."
PLAYED = AgentItem(item_id="a", text=TEXT, played_ms=4000.0, received_ms=4000.0)
CUT = AgentItem(item_id="b", text=TEXT, played_ms=2000.0, received_ms=4000.0, interrupted=True)


def turn(*items: AgentItem, status: str | None = "completed") -> AgentTurn:
    return AgentTurn(response_id="r", started_at_s=0.0, items=items, status=status)


def test_an_item_played_to_its_end_was_heard_whole() -> None:
    assert turn(PLAYED).heard == TEXT
    assert not turn(PLAYED).interrupted


def test_a_cut_item_was_heard_up_to_the_cut() -> None:
    assert turn(CUT).heard == "One two"
    assert turn(CUT).interrupted


def test_an_item_cut_behind_its_last_sample_was_heard_whole() -> None:
    cut_at_end = replace(PLAYED, interrupted=True)
    assert turn(cut_at_end).heard == TEXT


def test_an_item_that_is_still_playing_was_not_heard_yet() -> None:
    assert turn(AgentItem(item_id="a", text=TEXT)).heard == ""


def test_of_an_interrupted_response_only_the_last_item_is_in_doubt() -> None:
    cut = replace(CUT, played_ms=1400.0, received_ms=1400.0)
    both = turn(replace(PLAYED, interrupted=True), cut, status="interrupted")
    # 1.2 s at ten characters a second.
    assert both.heard == f"{TEXT} One two"


def test_nothing_is_heard_behind_an_item_that_was_cut() -> None:
    assert turn(CUT, PLAYED).heard == "One two"


def test_writing_is_read_at_once() -> None:
    written = AgentItem(item_id="w", text=TEXT, spoken=False)
    assert turn(written, status="interrupted").heard == TEXT


def test_items_of_a_turn_are_joined_by_spaces() -> None:
    assert turn(replace(PLAYED, text=" One. "), replace(PLAYED, item_id="b")).text == f"One. {TEXT}"
