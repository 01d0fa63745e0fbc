"""The conversation in spoken order, whatever comes late."""

import json

import pytest

from crossfade.conversation.heard import WordTiming
from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.pace import average_pace
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import AgentTurn, ToolRound, UserTurn
from crossfade.conversation.usage import Usage

CALL = ToolCall(id="call_1", name="get_weather", arguments={"city": "Tokyo"}, response_id="r1")


def users(conversation: Conversation) -> list[UserTurn]:
    return [entry for entry in conversation.entries if isinstance(entry, UserTurn)]


def agents(conversation: Conversation) -> list[AgentTurn]:
    return [entry for entry in conversation.entries if isinstance(entry, AgentTurn)]


def rounds(conversation: Conversation) -> list[ToolRound]:
    return [entry for entry in conversation.entries if isinstance(entry, ToolRound)]


def test_a_late_transcript_is_filed_at_its_turn() -> None:
    conversation = Conversation()
    conversation.user_started("u1", 1.0)
    conversation.user_stopped(2.0)
    conversation.response_started("r1", False, 2.5)
    conversation.agent_text("r1", "a1", "Hello.")
    conversation.user_transcript("u1", "Hi", final=False)
    conversation.user_transcript("u1", "Hi there.", final=True)
    user, agent = conversation.entries
    assert isinstance(user, UserTurn)
    assert (user.text, user.final, user.stopped_at_s) == ("Hi there.", True, 2.0)
    assert isinstance(agent, AgentTurn)


def test_a_transcript_that_comes_in_the_next_turn_is_filed_at_its_own() -> None:
    conversation = Conversation()
    for item_id, at_s in (("u1", 1.0), ("u2", 3.0)):
        conversation.user_started(item_id, at_s)
        conversation.user_stopped(at_s + 1)
    conversation.user_transcript("u2", "second", final=True)
    conversation.user_transcript("u1", "first", final=True)
    assert [turn.text for turn in users(conversation)] == ["first", "second"]


def test_turns_that_wait_for_their_names_get_them_in_spoken_order() -> None:
    conversation = Conversation()
    for at_s in (1.0, 3.0):
        conversation.user_started(None, at_s)
        conversation.user_stopped(at_s + 1)
    conversation.user_committed("u1")
    conversation.user_transcript("u2", "second", final=True)
    conversation.user_transcript("u1", "first", final=True)
    assert [(turn.item_id, turn.text) for turn in users(conversation)] == [
        ("u1", "first"),
        ("u2", "second"),
    ]


def test_a_typed_turn_takes_no_name_of_a_spoken_one() -> None:
    conversation = Conversation()
    conversation.user_text("typed", 1.0)
    conversation.user_transcript("u1", "spoken", final=True)
    assert [(turn.item_id, turn.text) for turn in users(conversation)] == [
        (None, "typed"),
        ("u1", "spoken"),
    ]


def test_a_turn_that_is_told_with_and_without_its_name_is_one_turn() -> None:
    conversation = Conversation()
    conversation.user_started("u1", 1.0)
    conversation.user_started(None, 1.1)
    conversation.user_stopped(2.0)
    conversation.user_started(None, 3.0)
    conversation.user_started("u2", 3.1)
    conversation.user_started("u2", 3.2)
    assert [turn.item_id for turn in users(conversation)] == ["u1", "u2"]


def test_two_names_in_a_row_are_two_turns() -> None:
    conversation = Conversation()
    conversation.user_started("u1", 1.0)
    conversation.user_started("u2", 1.5)
    assert [turn.item_id for turn in users(conversation)] == ["u1", "u2"]


def test_a_partial_transcript_does_not_replace_a_final_one() -> None:
    conversation = Conversation()
    conversation.user_transcript("u1", "final", final=True)
    conversation.user_transcript("u1", "partial", final=False)
    assert users(conversation)[0].text == "final"


def test_words_that_another_session_hears_fill_an_empty_final_transcript() -> None:
    conversation = Conversation()
    for text in ("", "what was said", "something else"):
        conversation.user_transcript("u1", text, final=True)
    assert [user.text for user in users(conversation)] == ["what was said"]


def test_an_empty_final_transcript_keeps_what_was_known() -> None:
    conversation = Conversation()
    conversation.user_transcript("u1", "what was", final=False)
    conversation.user_transcript("u1", "", final=True)
    assert (users(conversation)[0].text, users(conversation)[0].final) == ("what was", True)


def test_an_interrupted_answer_keeps_both_what_was_said_and_what_was_heard() -> None:
    conversation = Conversation()
    conversation.response_started("r1", False, 1.0)
    conversation.agent_text("r1", "a1", "One two ")
    conversation.agent_text("r1", "a1", "three four five.")
    conversation.response_ended("r1", "completed", None)
    conversation.agent_played("a1", 2000.0, 4000.0, True)
    (turn,) = agents(conversation)
    assert turn.text == "One two three four five."
    assert turn.heard == "One two"
    assert conversation.history() == (Utterance(speaker=Speaker.AGENT, text="One two"),)


def test_playout_is_never_beyond_what_was_received() -> None:
    conversation = Conversation()
    conversation.agent_text("r1", "a1", "Hello.")
    conversation.agent_played("a1", 900.0, 500.0, True)
    assert agents(conversation)[0].items[0].played_ms == 500.0


def test_playout_of_an_item_without_text_marks_its_response() -> None:
    conversation = Conversation()
    conversation.agent_played("unknown", 100.0, 200.0, True)
    assert conversation.entries == ()
    conversation.agent_played("a1", 100.0, 200.0, True, response_id="r1")
    assert agents(conversation)[0].interrupted


def test_word_ends_are_preferred_where_they_are_known() -> None:
    conversation = Conversation()
    conversation.agent_text("r1", "a1", "One two three")
    conversation.agent_timed("a1", [WordTiming(end_character=3, end_ms=100.0)])
    conversation.agent_timed("a1", [WordTiming(end_character=7, end_ms=110.0)])
    conversation.agent_played("a1", 120.0, 4000.0, True)
    assert agents(conversation)[0].heard == "One two"


def test_injected_speech_is_no_history() -> None:
    conversation = Conversation()
    conversation.response_started("r0", True, 1.0)
    conversation.agent_text("r0", "a0", "One moment.", injected=True)
    conversation.response_ended("r0", "completed", None)
    conversation.agent_text("r1", "a1", "It is sunny.")
    assert conversation.history() == (Utterance(speaker=Speaker.AGENT, text="It is sunny."),)
    assert agents(conversation)[0].injected


def test_a_call_has_one_result_even_a_falsy_one() -> None:
    conversation = Conversation()
    conversation.tool_called(CALL, 1.0)
    conversation.tool_called(CALL, 1.1)
    conversation.tool_answered(ToolResult(call_id="call_1", output=0), 2.5)
    conversation.tool_answered(ToolResult(call_id="call_1", output="late"), 3.0)
    conversation.tool_answered(ToolResult(call_id="unknown", output=1), 3.0)
    (round_,) = rounds(conversation)
    assert round_.result == ToolResult(call_id="call_1", output=0)
    assert round_.answered_at_s == 2.5
    assert conversation.history() == (CALL, ToolResult(call_id="call_1", output=0))


def test_a_call_without_an_answer_is_no_history() -> None:
    conversation = Conversation()
    conversation.tool_called(CALL, 1.0)
    assert conversation.history() == ()


def test_usage_of_a_response_counts_once() -> None:
    conversation = Conversation()
    conversation.response_ended("r1", "completed", Usage(input_text_tokens=5))
    conversation.response_ended("r1", "failed", Usage(input_text_tokens=5))
    conversation.response_ended("r2", "completed", Usage(output_audio_tokens=7))
    assert conversation.usage == Usage(input_text_tokens=5, output_audio_tokens=7)
    assert agents(conversation)[0].status == "completed"


def test_the_transcript_tells_the_call_in_seconds_from_its_start() -> None:
    conversation = Conversation(started_at_s=100.0)
    conversation.user_started("u1", 101.0)
    conversation.user_stopped(102.5)
    conversation.user_committed("u1")
    conversation.user_transcript("u1", "Weather in Tokyo?", final=True)
    conversation.response_started("r1", False, 103.0)
    conversation.response_ended("r1", "completed", Usage(input_audio_tokens=15))
    conversation.tool_called(CALL, 103.2)
    conversation.tool_answered(ToolResult(call_id="call_1", output={"sky": "clear"}), 104.7)
    conversation.response_started("r2", False, 105.0)
    conversation.agent_text("r2", "a2", "Clear.")
    conversation.response_ended("r2", "completed", None)
    conversation.agent_played("a2", 800.0, 800.0, False)
    conversation.user_started(None, 107.0)

    snapshot = conversation.snapshot()
    transcript = conversation.to_dict()
    assert {**snapshot, "turns": list(snapshot["turns"])} == transcript

    assert transcript == json.loads(json.dumps(transcript))
    assert transcript["version"] == 1
    assert transcript["usage"]["input_audio_tokens"] == 15
    assert transcript["turns"] == [
        {
            "role": "user",
            "text": "Weather in Tokyo?",
            "final": True,
            "typed": False,
            "started_at_s": 1.0,
            "stopped_at_s": 2.5,
        },
        {
            "role": "tool",
            "name": "get_weather",
            "call_id": "call_1",
            "arguments": {"city": "Tokyo"},
            "result": {"sky": "clear"},
            "is_error": False,
            "started_at_s": 3.2,
            "duration_s": 1.5,
        },
        {
            "role": "agent",
            "text": "Clear.",
            "heard": "Clear.",
            "interrupted": False,
            "injected": False,
            "status": "completed",
            "started_at_s": 5.0,
            "items": [
                {
                    "id": "a2",
                    "text": "Clear.",
                    "heard": "Clear.",
                    "played_ms": 800.0,
                    "received_ms": 800.0,
                }
            ],
        },
    ]


def cut_after_some_words() -> Conversation:
    """Of a voice that is not known, 1.4 s are likely to hold 18 characters."""
    conversation = Conversation()
    conversation.user_text("Count.", 0.5)
    conversation.response_started("r1", False, 1.0)
    conversation.agent_text("r1", "a1", "One two three four five six")
    conversation.response_ended("r1", "cut", received_ms={"a1": 1400.0})
    return conversation


def test_a_cut_answer_keeps_what_its_sound_covers_and_the_rest_follows() -> None:
    conversation = cut_after_some_words()
    conversation.response_started("r2", False, 3.0)
    conversation.agent_text("r2", "a2", "four five six")
    conversation.response_ended("r2", "completed")
    conversation.agent_played("a1", 2000.0, 2000.0)
    first, rest = agents(conversation)
    assert (first.text, first.heard, first.status) == (
        "One two three four",
        "One two three four",
        "cut",
    )
    assert rest.continues == "r1"
    told = [item.text for item in conversation.history() if isinstance(item, Utterance)]
    assert told == ["Count.", "One two three four", "four five six"]
    parts = conversation.to_dict()["turns"][1:]
    assert [part.get("continues", False) for part in parts] == [False, True]


def test_an_answer_to_another_turn_continues_nothing() -> None:
    conversation = cut_after_some_words()
    conversation.user_started("u2", 3.0)
    conversation.response_started("r2", False, 4.0)
    assert agents(conversation)[1].continues is None


def test_what_is_injected_meanwhile_is_not_the_rest() -> None:
    conversation = cut_after_some_words()
    conversation.response_started("i1", True, 3.0)
    conversation.agent_text("i2", "a", "One moment.")
    conversation.response_started("i2", True, 3.0)
    conversation.response_started("r2", False, 4.0)
    assert [turn.continues for turn in agents(conversation)] == [None, None, None, "r1"]


def test_a_turn_that_is_told_in_another_way_can_be_left_out() -> None:
    conversation = Conversation()
    conversation.user_text("typed", 1.0)
    conversation.user_transcript("u1", "spoken", final=True)
    assert conversation.history(without={"u1"}) == (Utterance(speaker=Speaker.USER, text="typed"),)


def test_a_voice_that_is_known_is_cut_at_its_own_pace() -> None:
    conversation = Conversation()
    conversation.response_started("r0", False, 0.1)
    conversation.agent_text("r0", "a0", "x" * 59 + " ")
    conversation.response_ended("r0", "completed")
    conversation.agent_played("a0", 3000.0, 3000.0)
    conversation.response_started("r1", False, 1.0)
    conversation.agent_text("r1", "a1", "One two three four five six seven eight nine ten")
    conversation.response_ended("r1", "cut", received_ms={"a1": 2000.0})
    # 20 characters a second for 2 s: the end of "eight" is nearest, at 39.
    assert agents(conversation)[1].text == "One two three four five six seven eight"


def test_the_pace_is_the_average_of_the_latest_answers_that_are_not_short() -> None:
    conversation = Conversation()
    for number, (length, received_ms) in enumerate([(60, 3000.0), (45, 3000.0), (5, 1000.0)]):
        conversation.agent_text(f"r{number}", f"a{number}", "x" * length)
        conversation.response_ended(f"r{number}", "completed")
        conversation.agent_played(f"a{number}", received_ms, received_ms)
    assert average_pace(conversation.entries) == pytest.approx(17.5)
    assert average_pace(()) is None


def test_a_cut_answer_that_is_interrupted_then_was_surely_heard_by_the_slow_pace_only() -> None:
    conversation = cut_after_some_words()
    conversation.agent_played("a1", 1100.0, 1400.0, interrupted=True)
    first = agents(conversation)[0]
    # 10 characters a second for 0.9 s.
    assert (first.heard, first.text) == ("One two", "One two three four")


def test_a_restored_conversation_files_what_comes_late_as_the_first_one_would() -> None:
    conversation = Conversation()
    conversation.user_started(None, 1.0)
    conversation.user_stopped(5.0)
    again = Conversation.restored(conversation.entries)
    for one in (conversation, again):
        one.agent_text("r1", "a1", "Yes.")
        one.user_transcript("u1", "Really?", True)
    assert again.entries == conversation.entries
