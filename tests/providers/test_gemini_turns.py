"""What the service sends, and the events that come of it."""

from collections.abc import Callable

import pytest

from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.conversation.usage import Usage
from crossfade.providers.commands import Delivery, Interrupt, Respond, SendText, SendToolResult
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    LateUsage,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SpeechDone,
    TextDelta,
    UserTranscript,
    UserTurnCommitted,
)
from tests.providers.gemini_messages import (
    COMPLETE,
    FLASH,
    GENERATED,
    INTERRUPTED,
    LIVE,
    THINKING,
    Message,
    Wire,
    call,
    content,
    heard,
    sound,
    words,
)

USAGE: Message = {"usageMetadata": {"promptTokenCount": 7, "responseTokenCount": 3}}


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def responses(events: list[Event]) -> list[tuple[str, ResponseStatus]]:
    return [(e.response_id, e.status) for e in events if isinstance(e, ResponseDone)]


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_a_spoken_answer() -> None:
    wire = Wire()
    events = wire.receive(words("Good"), sound(), words(" day."), sound(), GENERATED)
    events += wire.receive(COMPLETE | USAGE)
    started, *_, done = events
    assert isinstance(started, ResponseStarted)
    assert names(events) == [
        "ResponseStarted",
        "AudioChunk",
        "TextDelta",
        "TextDelta",
        "AudioChunk",
        "SpeechDone",
        "ResponseDone",
    ]
    assert text(events) == "Good day."
    assert len({e.item_id for e in events if isinstance(e, AudioChunk | TextDelta)}) == 1
    assert done == ResponseDone(
        response_id=started.response_id,
        status=ResponseStatus.COMPLETED,
        usage=Usage(input_text_tokens=7, output_text_tokens=3),
    )


def test_no_two_responses_or_items_share_a_name() -> None:
    wire = Wire()
    events = wire.receive(sound(), GENERATED, COMPLETE, sound(), GENERATED, COMPLETE)
    assert len({e.response_id for e in events if isinstance(e, ResponseStarted)}) == 2
    assert len({e.item_id for e in events if isinstance(e, SpeechDone)}) == 2


@pytest.mark.parametrize("spelling", ["camel", "snake"])
def test_all_that_shares_a_message_is_read_in_its_order(spelling: str) -> None:
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AQIDBA=="}}
    message: Message = {
        "usageMetadata": {"promptTokenCount": 7, "responseTokenCount": 3},
        "serverContent": {
            "turnComplete": True,
            "generationComplete": True,
            "outputTranscription": {"text": "Good day."},
            "modelTurn": {"parts": [part, {"text": "hm", "thought": True}, part]},
            "inputTranscription": {"text": "Hello"},
        },
    }
    if spelling == "snake":
        part["inline_data"] = part.pop("inlineData")
        part["inline_data"]["mime_type"] = part["inline_data"].pop("mimeType")
        message = {
            "usage_metadata": {"prompt_token_count": 7, "response_token_count": 3},
            "server_content": {
                "turn_complete": True,
                "generation_complete": True,
                "output_transcription": {"text": "Good day."},
                "model_turn": {"parts": [part, {"text": "hm", "thought": True}, part]},
                "input_transcription": {"text": "Hello"},
            },
        }
    events = Wire().receive(message)
    assert names(events) == [
        "UserTurnCommitted",
        "UserTranscript",
        "ResponseStarted",
        "AudioChunk",
        "AudioChunk",
        "TextDelta",
        "SpeechDone",
        "UserTranscript",
        "ResponseDone",
    ]
    assert text(events) == "Good day."
    (done,) = [event for event in events if isinstance(event, ResponseDone)]
    assert done.usage == Usage(input_text_tokens=7, output_text_tokens=3)


def test_half_a_sample_goes_with_the_next_chunk() -> None:
    events = Wire().receive(sound(b"\x01\x02\x03"), sound(b"\x04\x05\x06"))
    assert [e.pcm for e in events if isinstance(e, AudioChunk)] == [
        b"\x01\x02",
        b"\x03\x04\x05\x06",
    ]


def test_an_interruption_while_the_agent_speaks() -> None:
    wire = Wire()
    events = wire.receive(sound(), INTERRUPTED, words("late"), COMPLETE | USAGE)
    assert names(events) == ["ResponseStarted", "AudioChunk", "Interruption", "ResponseDone"]
    ((response_id, status),) = responses(events)
    assert status is ResponseStatus.INTERRUPTED
    assert Interruption(response_id=response_id) in events
    assert isinstance(events[-1], ResponseDone)
    assert events[-1].usage is not None
    assert names(wire.receive(sound())) == ["ResponseStarted", "AudioChunk"]


def test_interrupted_and_complete_may_share_a_message() -> None:
    events = Wire().receive(sound(), content(interrupted=True, turnComplete=True))
    assert names(events)[-2:] == ["Interruption", "ResponseDone"]


def test_an_interruption_of_what_is_still_playing() -> None:
    wire = Wire()
    started, *_ = wire.receive(sound(), GENERATED, COMPLETE)
    assert isinstance(started, ResponseStarted)
    events = wire.receive(INTERRUPTED, COMPLETE, INTERRUPTED)
    assert events == [Interruption(response_id=started.response_id)]


def test_an_interruption_before_any_answer_says_nothing() -> None:
    wire = Wire()
    committed, *_ = wire.receive(heard("I"), INTERRUPTED, COMPLETE)
    events = wire.receive(heard(" would"), sound(), GENERATED, COMPLETE)
    assert isinstance(committed, UserTurnCommitted)
    assert [e.text for e in events if isinstance(e, UserTranscript)] == ["I would", "I would"]


def test_a_new_answer_ends_one_that_was_cut_and_never_completed() -> None:
    events = Wire().receive(sound(), INTERRUPTED, sound(), GENERATED, COMPLETE)
    (_, first), (_, second) = responses(events)
    assert (first, second) == (ResponseStatus.INTERRUPTED, ResponseStatus.COMPLETED)


def test_what_comes_after_the_caller_interrupted_is_dropped() -> None:
    wire = Wire()
    wire.receive(sound())
    assert wire.send(Interrupt(played_ms={})) == []
    events = wire.receive(sound(), words("late"), GENERATED, INTERRUPTED, COMPLETE)
    assert names(events) == ["ResponseDone"]
    assert responses(events)[0][1] is ResponseStatus.INTERRUPTED


def test_an_answer_after_a_cut_one_is_whole() -> None:
    wire = Wire()
    wire.receive(sound())
    wire.send(Interrupt(played_ms={}))
    events = wire.receive(sound(), GENERATED, sound(), words("Yes."), COMPLETE)
    assert names(events) == [
        "ResponseDone",
        "ResponseStarted",
        "AudioChunk",
        "TextDelta",
        "SpeechDone",
        "ResponseDone",
    ]


def test_thinking_at_length_completes_several_turns_for_one_answer() -> None:
    wire = Wire(THINKING)
    going_on = content(turnComplete=True, interactionStatus="IN_PROGRESS")
    events = wire.receive(sound(), going_on | USAGE, sound(), going_on | USAGE)
    assert names(events) == [
        "ResponseStarted",
        "AudioChunk",
        "SpeechDone",
        "AudioChunk",
        "SpeechDone",
    ]
    assert len({e.item_id for e in events if isinstance(e, AudioChunk)}) == 2
    (done,) = wire.receive(content(interactionStatus="IDLE"))
    assert isinstance(done, ResponseDone)
    assert done.usage == Usage(input_text_tokens=14, output_text_tokens=6)


def test_what_comes_of_a_long_thought_after_the_caller_interrupted_is_dropped() -> None:
    wire = Wire(THINKING)
    wire.receive(sound())
    wire.send(Interrupt(played_ms={}))
    going_on = content(turnComplete=True, interactionStatus="IN_PROGRESS")
    assert wire.receive(GENERATED, going_on, sound(), GENERATED, going_on) == []
    assert names(wire.receive(content(interactionStatus="IDLE"))) == ["ResponseDone"]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("RESPONSE_REJECTED", ResponseStatus.FAILED),
        ("GENERATED_CONTENT_SAFETY", ResponseStatus.INCOMPLETE),
    ],
)
def test_a_reason_says_why_an_answer_is_not_whole(reason: str, status: ResponseStatus) -> None:
    spoken = Wire().receive(sound(), content(turnComplete=True, turnCompleteReason=reason))
    silent = Wire().receive(content(turnComplete=True, turnCompleteReason=reason))
    for done in (spoken[-1], silent[-1]):
        assert isinstance(done, ResponseDone)
        assert (done.status, done.reason) == (status, reason)
    assert names(silent) == ["ResponseStarted", "ResponseDone"]


def test_a_turn_in_which_nothing_was_said_is_no_response() -> None:
    assert Wire().receive(COMPLETE, GENERATED, COMPLETE) == []


def test_tokens_that_are_counted_after_the_end_are_the_last_responses() -> None:
    wire = Wire()
    started, *_ = wire.receive(sound(), COMPLETE)
    assert isinstance(started, ResponseStarted)
    tokens = Usage(input_text_tokens=7, output_text_tokens=3)
    assert wire.receive(USAGE) == [LateUsage(response_id=started.response_id, usage=tokens)]
    done = wire.receive(sound(), COMPLETE)[-1]
    assert isinstance(done, ResponseDone)
    assert done.usage is None


@pytest.mark.parametrize(
    "begin",
    [
        lambda wire: wire.send(SendText(text="Well?", respond=True)),
        lambda wire: wire.receive(heard("Well?")),
    ],
    ids=["in writing", "aloud"],
)
def test_tokens_that_are_counted_once_something_new_is_asked_are_the_next_responses(
    begin: Callable[[Wire], object],
) -> None:
    wire = Wire()
    wire.receive(sound(), COMPLETE)
    begin(wire)
    assert wire.receive(USAGE) == []
    done = wire.receive(sound(), COMPLETE)[-1]
    assert isinstance(done, ResponseDone)
    assert done.usage == Usage(input_text_tokens=7, output_text_tokens=3)


@pytest.mark.parametrize("what", [sound(), call("depth", ids=("a",))], ids=["sound", "call"])
def test_tokens_that_come_with_what_begins_are_its_own(what: Message) -> None:
    wire = Wire()
    wire.receive(sound(), COMPLETE)
    events = wire.receive(what | USAGE, COMPLETE)
    assert not [event for event in events if isinstance(event, LateUsage)]
    (done,) = [event for event in events if isinstance(event, ResponseDone)]
    assert done.usage == Usage(input_text_tokens=7, output_text_tokens=3)


def test_the_last_words_may_follow_the_end_of_the_sound() -> None:
    events = Wire().receive(sound(), words("Good"), GENERATED, words(" day."), COMPLETE)
    assert text(events) == "Good day."
    assert names(events)[-3:] == ["SpeechDone", "TextDelta", "ResponseDone"]


Asking = Callable[[Wire], object]


@pytest.mark.parametrize(
    "ask",
    [
        lambda wire: wire.send(SendText(text="Well?", respond=True)),
        lambda wire: wire.receive(heard("Well?")),
        lambda wire: wire.receive(sound()),
    ],
    ids=["in writing", "aloud", "unheard"],
)
@pytest.mark.parametrize("end", [(COMPLETE,), (INTERRUPTED, COMPLETE)], ids=["whole", "cut"])
def test_words_after_the_end_of_a_turn_are_its_own_and_too_late(
    end: tuple[Message, ...], ask: Asking
) -> None:
    wire = Wire()
    wire.receive(sound(), words("Good"), GENERATED, *end)
    assert wire.receive(words(" day."), COMPLETE, words(" Sir.")) == []
    ask(wire)
    events = wire.receive(sound(), words("Yes."), COMPLETE)
    assert text(events) == "Yes."
    assert names(events).count("ResponseDone") == 1


def test_words_that_run_ahead_of_an_answer_are_kept_for_it() -> None:
    wire = Wire()
    wire.receive(sound(), GENERATED, COMPLETE, heard("Well?"))
    assert text(wire.receive(words("Ye"), words("s."), sound())) == "Yes."


def test_words_that_run_ahead_of_the_answer_to_a_tool_are_kept_for_it() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    wire.send(SendToolResult(result=ToolResult(call_id="a", output=217)))
    assert text(wire.receive(words("Deep."), sound())) == "Deep."


def test_words_of_a_long_thought_that_trail_its_end_are_dropped() -> None:
    wire = Wire(THINKING)
    wire.receive(sound(), COMPLETE)
    idle = content(interactionStatus="IDLE")
    assert wire.receive(words("late"), idle) == []


def test_words_whose_sound_never_came_are_told_in_the_end() -> None:
    events = Wire().receive(words("Yes."), COMPLETE)
    assert names(events) == ["ResponseStarted", "TextDelta", "ResponseDone"]


def test_a_written_answer_is_not_spoken() -> None:
    events = Wire().receive(content(modelTurn={"parts": [{"text": "Yes."}]}), COMPLETE)
    assert [e.spoken for e in events if isinstance(e, TextDelta)] == [False]


def test_calls_end_their_response_and_the_answer_is_another() -> None:
    wire = Wire(config=SessionConfig(tools=[ToolDeclaration(name="depth", description="d")]))
    calling = wire.receive(sound(), call("depth", "width", ids=("a", "b")))
    assert names(calling) == [
        "ResponseStarted",
        "AudioChunk",
        "ToolCall",
        "ToolCall",
        "SpeechDone",
        "ResponseDone",
    ]
    ((response_id, status),) = responses(calling)
    assert status is ResponseStatus.COMPLETED
    calls = [event for event in calling if isinstance(event, ToolCall)]
    assert [(c.id, c.name, c.response_id) for c in calls] == [
        ("a", "depth", response_id),
        ("b", "width", response_id),
    ]
    tokens = Usage(input_text_tokens=7, output_text_tokens=3)
    late = wire.receive(GENERATED, COMPLETE | USAGE)
    assert late == [LateUsage(response_id=response_id, usage=tokens)]
    answering = wire.receive(sound(), GENERATED, COMPLETE | USAGE)
    (done,) = [event for event in answering if isinstance(event, ResponseDone)]
    assert done.response_id != response_id
    assert done.usage == tokens


def test_what_a_cut_response_calls_must_be_answered_all_the_same() -> None:
    wire = Wire()
    wire.receive(sound())
    wire.send(Interrupt(played_ms={}))
    events = wire.receive(call("depth", ids=("a",)))
    assert names(events) == ["ResponseDone", "ResponseStarted", "ToolCall", "ResponseDone"]


def test_the_users_words_gather_until_the_turn_is_over() -> None:
    wire = Wire()
    events = wire.receive(heard(" Hello"), heard(","), heard(" you."), sound(), COMPLETE)
    committed = events[0]
    assert isinstance(committed, UserTurnCommitted)
    transcripts = [event for event in events if isinstance(event, UserTranscript)]
    assert [(t.item_id, t.text, t.final) for t in transcripts] == [
        (committed.item_id, "Hello", False),
        (committed.item_id, "Hello,", False),
        (committed.item_id, "Hello, you.", False),
        (committed.item_id, "Hello, you.", True),
    ]


def test_words_that_trail_the_answer_belong_before_it() -> None:
    wire = Wire()
    wire.protocol.append_audio(bytes(640))
    events = wire.receive(sound(), heard("Hello"), GENERATED, COMPLETE)
    assert names(events) == [
        "UserTurnCommitted",
        "ResponseStarted",
        "AudioChunk",
        "UserTranscript",
        "SpeechDone",
        "UserTranscript",
        "ResponseDone",
    ]


def test_an_answer_to_text_makes_no_turn_of_the_microphone() -> None:
    wire = Wire()
    wire.protocol.append_audio(bytes(640))
    wire.send(SendText(text="Hi"), Respond())
    events = wire.receive(sound(), COMPLETE)
    assert "UserTurnCommitted" not in names(events)


def test_the_answer_to_a_tool_makes_no_turn_of_the_microphone() -> None:
    wire = Wire()
    wire.protocol.append_audio(bytes(640))
    events = wire.receive(heard("Deep?"), call("depth", ids=("a",)))
    wire.protocol.append_audio(bytes(640))
    events += wire.receive(sound(), COMPLETE)
    assert names(events).count("UserTurnCommitted") == 1


def finals(events: list[Event]) -> list[tuple[str, str]]:
    return [(e.item_id, e.text) for e in events if isinstance(e, UserTranscript) and e.final]


def asked_for_a_tool_unheard(wire: Wire) -> tuple[str, list[Event]]:
    """The model calls before it has told any of the words; give the turn's name, and the end."""
    wire.protocol.append_audio(bytes(640))
    (committed, *_) = wire.receive(call("depth", ids=("a",)))
    assert isinstance(committed, UserTurnCommitted)
    return committed.item_id, wire.receive(GENERATED, COMPLETE)


@pytest.mark.parametrize("late", ["while it runs", "after the result", "while it is answered"])
def test_words_that_trail_the_call_of_a_tool_are_what_it_was_called_for(late: str) -> None:
    wire = Wire()
    item_id, events = asked_for_a_tool_unheard(wire)
    assert finals(events) == []
    wire.protocol.append_audio(bytes(640))
    trailing = heard("How"), heard(" deep?")
    if late == "while it runs":
        events += wire.receive(*trailing)
    wire.send(result("a"))
    if late == "after the result":
        events += wire.receive(*trailing)
    events += wire.receive(sound())
    if late == "while it is answered":
        events += wire.receive(*trailing)
    events += wire.receive(COMPLETE)
    assert "UserTurnCommitted" not in names(events)
    assert finals(events) == [(item_id, "How deep?")]
    assert "UserTurnCommitted" in names(wire.receive(heard("And how wide?"), sound(), COMPLETE))


def test_words_that_never_come_are_told_to_be_none_once_the_tool_is_answered() -> None:
    wire = Wire()
    item_id, events = asked_for_a_tool_unheard(wire)
    wire.send(result("a"))
    assert finals(events + wire.receive(sound(), COMPLETE)) == [(item_id, "")]


def test_words_that_never_came_are_told_to_be_none_at_the_end() -> None:
    wire = Wire()
    item_id, _ = asked_for_a_tool_unheard(wire)
    assert finals(wire.protocol.ended()) == [(item_id, "")]
    assert wire.protocol.ended() == []


def test_who_is_heard_before_the_tool_is_called_speaks_anew_while_it_runs() -> None:
    wire = Wire()
    events = wire.receive(heard("Deep?"), call("depth", ids=("a",)), COMPLETE)
    events += wire.receive(heard("Well?"), sound(), COMPLETE)
    assert [words for _, words in finals(events)] == ["Deep?", "Well?"]


def test_who_interrupts_begins_a_new_turn() -> None:
    wire = Wire()
    events = wire.receive(heard("One."), sound(), INTERRUPTED, COMPLETE, heard("Two."))
    events += wire.receive(sound(), COMPLETE)
    finals = [e.text for e in events if isinstance(e, UserTranscript) and e.final]
    assert finals == ["One.", "Two."]


def test_words_in_the_message_of_the_interruption_are_the_new_turns() -> None:
    wire = Wire()
    wire.receive(heard("One."), sound())
    events = wire.receive(
        content(interrupted=True, inputTranscription={"text": "Two."}, turnComplete=True)
    )
    assert names(events) == [
        "Interruption",
        "UserTranscript",
        "UserTurnCommitted",
        "UserTranscript",
        "ResponseDone",
    ]


def test_a_finished_transcript_is_final_at_once() -> None:
    wire = Wire()
    wire.protocol.append_audio(bytes(640))
    finished = content(inputTranscription={"text": "Hello.", "finished": True})
    events = wire.receive(finished, sound(), COMPLETE)
    assert names(events)[:3] == ["UserTurnCommitted", "UserTranscript", "ResponseStarted"]
    assert names(events).count("UserTranscript") == 1


def test_the_turns_are_told_without_words_if_none_are_wanted() -> None:
    events = Wire(LIVE, SessionConfig(transcribe=False)).receive(heard("Hi"), sound(), COMPLETE)
    assert "UserTranscript" not in names(events)
    assert names(events)[0] == "UserTurnCommitted"


# Which response speaks of a result


def awaits(events: list[Event]) -> list[bool]:
    return [event.awaits_tools for event in events if isinstance(event, ResponseDone)]


def result(call_id: str, delivery: Delivery = Delivery.WHEN_IDLE) -> SendToolResult:
    return SendToolResult(result=ToolResult(call_id=call_id, output=217), delivery=delivery)


def test_an_answer_without_tools_awaits_none() -> None:
    assert awaits(Wire().receive(sound(), COMPLETE)) == [False]


@pytest.mark.parametrize("fast", [False, True])
def test_what_is_said_while_a_tool_runs_awaits_it_however_fast_it_is(fast: bool) -> None:
    wire = Wire()
    assert awaits(wire.receive(call("depth", ids=("a",)))) == [True]
    if fast:
        wire.send(result("a"))
    assert awaits(wire.receive(words("Let me look."), sound(), GENERATED, COMPLETE)) == [True]
    if not fast:
        wire.send(result("a"))
    assert awaits(wire.receive(words("Deep."), sound(), GENERATED, COMPLETE)) == [False]
    assert awaits(wire.receive(sound(), COMPLETE)) == [False]


def test_talk_of_something_else_awaits_the_tool_that_runs() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)), COMPLETE)
    assert awaits(wire.receive(heard("The time?"), sound(), COMPLETE)) == [True]
    wire.receive(heard("And the day?"), sound())
    wire.send(result("a"))
    assert awaits(wire.receive(COMPLETE)) == [True]
    assert awaits(wire.receive(sound(), COMPLETE)) == [False]


def test_a_model_that_waits_speaks_of_the_result_next() -> None:
    wire = Wire(FLASH)
    assert awaits(wire.receive(call("depth", "width", ids=("a", "b")))) == [True]
    wire.send(result("a"), result("b"))
    assert awaits(wire.receive(sound(), COMPLETE)) == [False]


def test_a_result_may_call_for_another_tool() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)), COMPLETE)
    wire.send(result("a"))
    assert awaits(wire.receive(call("width", ids=("b",)), COMPLETE)) == [True]
    wire.send(result("b", Delivery.SILENT))
    assert awaits(wire.receive(sound(), COMPLETE)) == [False]


def test_nothing_is_awaited_of_what_is_not_spoken_of_or_taken_back() -> None:
    wire = Wire()
    wire.receive(call("depth", "width", ids=("a", "b")), COMPLETE)
    wire.send(result("a", Delivery.SILENT))
    assert awaits(wire.receive(heard("Well?"), sound(), COMPLETE)) == [True]
    wire.receive({"toolCallCancellation": {"ids": ["b"]}})
    assert awaits(wire.receive(heard("Well?"), sound(), COMPLETE)) == [False]


def test_who_thinks_at_length_is_idle_once_all_is_said() -> None:
    wire = Wire(THINKING)
    going_on = content(turnComplete=True, interactionStatus="IN_PROGRESS")
    assert awaits(wire.receive(call("depth", ids=("a",)), sound(), going_on)) == [True]
    wire.send(result("a"))
    idle = content(turnComplete=True, interactionStatus="IDLE")
    assert awaits(wire.receive(sound(), idle)) == [False]


def test_the_answer_to_a_tool_makes_no_turn_of_the_microphone_after_other_talk() -> None:
    wire = Wire()
    events = wire.receive(heard("Deep?"), call("depth", ids=("a",)), sound())
    wire.send(result("a"))
    events += wire.receive(COMPLETE)
    wire.protocol.append_audio(bytes(640))
    events += wire.receive(sound(), COMPLETE)
    assert names(events).count("UserTurnCommitted") == 1


@pytest.mark.parametrize("done", [False, True])
def test_a_result_that_cuts_what_is_said_is_no_interruption(done: bool) -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)), COMPLETE, heard("Well?"), sound())
    if done:
        wire.receive(COMPLETE)
    wire.send(result("a", Delivery.INTERRUPT))
    events = wire.receive(INTERRUPTED, COMPLETE)
    assert [status for _, status in responses(events)] == [ResponseStatus.INTERRUPTED] * (not done)
    assert awaits(events) == [True] * (not done)
    assert "Interruption" not in names(events)
    events = wire.receive(sound(), heard("Stop!"), INTERRUPTED, COMPLETE)
    assert names(events).count("Interruption") == 1
    assert awaits(events) == [False]


def test_who_speaks_as_a_result_cuts_is_heard() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)), COMPLETE, heard("Well?"), sound())
    wire.send(result("a", Delivery.INTERRUPT))
    events = wire.receive(content(interrupted=True, inputTranscription={"text": "Stop!"}))
    assert "Interruption" in names(events)
