"""The wire of OpenAI Realtime: what is sent, and what the user's side says."""

from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers.commands import (
    EndTurn,
    Interrupt,
    Respond,
    RespondAside,
    Say,
    SendImage,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import Encoding, Modality, SessionConfig, TurnDetection
from crossfade.providers.events import (
    AudioChunk,
    ProviderError,
    RateLimit,
    RateLimits,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionOpened,
    Severity,
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.openai_dialects import find_dialect
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from tests.providers.openai_messages import (
    MS_BYTES,
    Message,
    Wire,
    audio,
    audio_ms,
    committed,
    created,
    done,
    error,
    item_added,
    kinds,
    loads,
    session_updated,
    speech_started,
    speech_stopped,
    transcribed,
)

CALLER = SessionConfig(turn_detection=TurnDetection.CALLER)
RESULT = SendToolResult(result=ToolResult(call_id="call_1", output={"sky": "clear"}))


def test_the_request_names_the_model_and_carries_the_key() -> None:
    request = OpenAIRealtimeProtocol("gpt-realtime-2.1").connect_request(None, "sk-secret")
    assert request.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert request.headers == {"Authorization": "Bearer sk-secret"}
    assert "secret" not in repr(request)


def test_a_base_url_is_the_whole_endpoint_and_keeps_its_query() -> None:
    protocol = OpenAIRealtimeProtocol("my model")
    url = protocol.connect_request("ws://127.0.0.1:1/x?a=1", "k").url
    assert parse_qs(urlsplit(url).query) == {"a": ["1"], "model": ["my model"]}
    own = protocol.connect_request("ws://127.0.0.1:1/x?model=theirs", "k").url
    assert parse_qs(urlsplit(own).query) == {"model": ["theirs"]}


def test_the_session_is_configured_first() -> None:
    tool = ToolDeclaration(name="get_weather", description="Weather")
    config = SessionConfig(
        instructions="Be brief.",
        voice="warm",
        tools=[tool],
        silence_ms=350,
        languages=["en-GB"],
        max_output_tokens=99,
    )
    (update,) = Wire(config).first
    assert update == {
        "type": "session.update",
        "event_id": "crossfade_session",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "Be brief.",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "gpt-realtime-whisper", "language": "en"},
                    "turn_detection": {
                        "type": "server_vad",
                        "silence_duration_ms": 350,
                        "create_response": True,
                        "interrupt_response": True,
                    },
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
            },
            "tools": [
                {
                    "type": "function",
                    "name": "get_weather",
                    "description": "Weather",
                    "parameters": {"type": "object", "properties": {}},
                }
            ],
            "parallel_tool_calls": True,
            "max_output_tokens": 99,
        },
    }


def test_a_model_without_parallel_calls_is_not_asked_for_them() -> None:
    tool = ToolDeclaration(name="get_weather", description="Weather")
    (update,) = Wire(SessionConfig(tools=[tool]), model="gpt-realtime-1.5").first
    assert "parallel_tool_calls" not in update["session"]


def test_own_voices_pass_by() -> None:
    for voice, spelled in (("verse", "verse"), ("voice_123", {"id": "voice_123"})):
        (update,) = Wire(SessionConfig(voice=voice)).first
        assert update["session"]["audio"]["output"]["voice"] == spelled


def test_a_caller_who_marks_turns_switches_the_detection_off() -> None:
    (update,) = Wire(SessionConfig(turn_detection=TurnDetection.CALLER, transcribe=False)).first
    audio_in = update["session"]["audio"]["input"]
    assert (audio_in["turn_detection"], audio_in["transcription"]) == (None, None)


def test_history_is_told_item_by_item() -> None:
    history: list[HistoryItem] = [
        Utterance(speaker=Speaker.USER, text="Hi"),
        Utterance(speaker=Speaker.AGENT, text="Hello."),
        ToolCall(id="call_1", name="get_time", arguments={"zone": "UTC"}),
        ToolResult(call_id="call_1", output="noon"),
        ToolCall(id="call_2", name="get_time", arguments={}, unparsed="{zone"),
        ToolResult(call_id="call_2", output="no such zone", is_error=True),
    ]
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    assert kinds(loads(protocol.start(SessionConfig(), seeded=True))) == ["session.update"]
    messages = loads(protocol.seed(history))
    assert kinds(messages) == ["conversation.item.create"] * 6
    user, agent, call, result, unparsed, failed = (message["item"] for message in messages)
    assert (user["role"], user["content"]) == ("user", [{"type": "input_text", "text": "Hi"}])
    assert agent["role"] == "assistant"
    assert agent["content"] == [{"type": "output_text", "text": "Hello."}]
    assert (call["type"], call["arguments"]) == ("function_call", '{"zone":"UTC"}')
    assert (result["type"], result["output"]) == ("function_call_output", "noon")
    assert unparsed["arguments"] == "{zone"
    assert failed["output"] == '{"error":"no such zone"}'


def test_the_session_is_open_once_it_is_configured() -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    protocol.start(SessionConfig())
    assert protocol.receive(b'{"type":"session.created","session":{"id":"sess_1"}}') == []
    wire = Wire()
    assert wire.receive(session_updated()) == [], "a later update opens nothing"


def test_the_open_session_tells_its_end() -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    opened = protocol.receive(
        '{"type":"session.updated","session":{"id":"s","model":"m","expires_at":17}}'
    )
    assert opened == [SessionOpened(session_id="s", model="m", expires_at=17.0)]


def test_an_open_session_may_say_next_to_nothing() -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    opened = protocol.receive('{"type":"session.updated","session":null}')
    assert opened == [SessionOpened(session_id="", model="gpt-realtime-2.1", expires_at=None)]


def test_audio_is_appended_in_base64() -> None:
    message = OpenAIRealtimeProtocol("gpt-realtime-2.1").append_audio(b"\x01\x02\xff\xfe")
    assert message == b'{"type":"input_audio_buffer.append","audio":"AQL//g=="}'


def test_text_and_results_are_items_and_an_answer_is_asked_for_on_its_own() -> None:
    wire = Wire()
    (text,) = wire.send(SendText(text="Hi"))
    assert text["item"]["content"] == [{"type": "input_text", "text": "Hi"}]
    (result,) = wire.send(RESULT)
    assert result["item"] == {
        "id": result["event_id"],
        "type": "function_call_output",
        "call_id": "call_1",
        "output": '{"sky":"clear"}',
    }
    assert kinds(wire.send(Respond())) == ["response.create"]


@pytest.mark.parametrize("output", [0, "", {}, [], None, False])
def test_falsy_results_are_results(output: object) -> None:
    (message,) = Wire().send(SendToolResult(result=ToolResult(call_id="c", output=output)))
    assert isinstance(message["item"]["output"], str)


def test_what_json_cannot_say_is_refused_before_it_is_sent() -> None:
    with pytest.raises(SettingsError, match="JSON"):
        Wire().send(SendToolResult(result=ToolResult(call_id="c", output=object())))


def test_a_phrase_is_said_outside_the_conversation() -> None:
    (create,) = Wire().send(Say(text="One moment."))
    assert create["type"] == "response.create"
    response = create["response"]
    assert response["conversation"] == "none"
    assert response["input"] == []
    assert response["instructions"] == 'Say exactly: "One moment."'
    wire = Wire()
    wire.send(Say(text="One moment."))
    assert wire.receive(created("r", metadata=response["metadata"])) == [
        ResponseStarted(response_id="r", injected=True)
    ]


def test_the_users_turn_is_told_as_it_happens() -> None:
    events = Wire().receive(
        speech_started("u", 1460), speech_stopped("u", 4256), committed("u"), created("r")
    )
    assert events == [
        SpeechStarted(item_id="u", at_ms=1460),
        SpeechStopped(item_id="u", at_ms=4256),
        UserTurnCommitted(item_id="u"),
        ResponseStarted(response_id="r"),
    ]


def test_partial_transcripts_hold_all_the_text_so_far() -> None:
    kind = "conversation.item.input_audio_transcription"
    events = Wire().receive(
        {"type": f"{kind}.delta", "item_id": "u", "delta": " Hello"},
        {"type": f"{kind}.delta", "item_id": "v", "delta": "Other"},
        {"type": f"{kind}.delta", "item_id": "u", "delta": " there"},
        {"type": f"{kind}.completed", "item_id": "u", "transcript": "Hello there. "},
        {"type": f"{kind}.delta", "item_id": "u", "delta": None},
    )
    assert events == [
        UserTranscript(item_id="u", text="Hello", final=False),
        UserTranscript(item_id="v", text="Other", final=False),
        UserTranscript(item_id="u", text="Hello there", final=False),
        UserTranscript(item_id="u", text="Hello there.", final=True),
    ]


def test_a_failed_transcript_is_final_and_an_error() -> None:
    events = Wire().receive(
        {
            "type": "conversation.item.input_audio_transcription.failed",
            "item_id": "u",
            "error": {"code": "audio_unintelligible", "message": "No words."},
        }
    )
    assert events == [
        UserTranscript(item_id="u", text="", final=True),
        ProviderError(message="No words.", severity=Severity.REQUEST, code="audio_unintelligible"),
    ]


@pytest.mark.parametrize("code", ["model_not_found", "insufficient_quota", "server_error"])
def test_a_recogniser_that_fails_never_ends_the_session(code: str) -> None:
    *_, error = Wire().receive(
        {
            "type": "conversation.item.input_audio_transcription.failed",
            "item_id": "u",
            "error": {"code": code, "message": "No words."},
        }
    )
    assert isinstance(error, ProviderError)
    assert error.severity is Severity.REQUEST


def test_a_turn_of_the_caller_is_cleared_committed_and_answered() -> None:
    wire = Wire(CALLER)
    assert kinds(wire.send(StartTurn())) == ["input_audio_buffer.clear"]
    wire.protocol.append_audio(bytes(100 * MS_BYTES))
    assert kinds(wire.send(EndTurn())) == ["input_audio_buffer.commit", "response.create"]


def test_a_turn_too_short_to_commit_is_dropped() -> None:
    wire = Wire(CALLER)
    wire.protocol.append_audio(bytes(500 * MS_BYTES))
    wire.send(StartTurn())
    wire.protocol.append_audio(bytes(99 * MS_BYTES))
    assert wire.send(EndTurn()) == []
    assert kinds(wire.send(Respond())) == ["response.create"], "the floor is free again"


def test_what_is_asked_for_in_the_callers_turn_waits_for_its_end() -> None:
    wire = Wire(CALLER)
    wire.send(StartTurn())
    assert wire.send(Respond()) == []
    wire.protocol.append_audio(bytes(500 * MS_BYTES))
    assert kinds(wire.send(EndTurn())) == ["input_audio_buffer.commit", "response.create"]
    wire.receive(created(), done())
    assert wire.replies == [], "one answer, not two"


def test_the_second_answer_waits_for_the_first() -> None:
    wire = Wire()
    wire.send(Respond())
    assert wire.send(Respond()) == []
    wire.receive(created("r"))
    assert wire.send(Respond()) == []
    wire.receive(audio_ms(20, "a", "r"))
    assert wire.replies == []
    wire.receive(done("r"))
    assert kinds(wire.replies) == ["response.create"]


def test_results_may_come_before_the_calling_response_ends() -> None:
    wire = Wire()
    wire.receive(created("r"))
    assert kinds(wire.send(RESULT)) == ["conversation.item.create"]
    assert wire.send(Respond()) == []
    wire.receive(done("r"))
    assert kinds(wire.replies) == ["response.create"]


def test_an_answer_waits_for_a_phrase_to_be_said() -> None:
    wire = Wire()
    (create,) = wire.send(Say(text="One moment."))
    assert wire.send(Respond()) == []
    wire.receive(created("r", create["response"]["metadata"]), done("r"))
    assert kinds(wire.replies) == ["response.create"]


def test_the_answer_to_the_users_turn_covers_what_waited_and_was_known() -> None:
    wire = Wire()
    wire.receive(speech_started())
    wire.send(RESULT)
    assert wire.send(Respond()) == []
    added = item_added(type="function_call_output", call_id="call_1")
    wire.receive(added, speech_stopped(), committed(), created("r"), done("r"))
    assert wire.replies == []


def test_a_result_that_the_answer_did_not_know_is_answered_after_it() -> None:
    wire = Wire()
    wire.receive(speech_started(), speech_stopped(), committed())
    wire.send(RESULT)
    assert wire.send(Respond()) == []
    added = item_added(type="function_call_output", call_id="call_1")
    wire.receive(created("r"), added)
    assert wire.replies == []
    wire.receive(done("r"))
    assert kinds(wire.replies) == ["response.create"]


SEED: list[HistoryItem] = [
    Utterance(speaker=Speaker.USER, text="Hi"),
    Utterance(speaker=Speaker.AGENT, text="Hello."),
    ToolCall(id="call_0", name="get_time", arguments={}),
    ToolResult(call_id="call_0", output="noon"),
    Utterance(speaker=Speaker.AGENT, text="It is noon."),
]


@pytest.mark.parametrize("names", ["ours", "its own"])
@pytest.mark.parametrize("dialect", ["openai", "xai"])
def test_a_history_that_has_arrived_is_known_to_the_answer(names: str, dialect: str) -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1", find_dialect(dialect))
    protocol.start(SessionConfig(), seeded=True)
    items = loads(protocol.seed(SEED))
    assert len(items) == len(SEED)
    wire = Wire()
    wire.protocol = protocol
    wire.receive(session_updated(), speech_started())
    for number, message in enumerate(items):
        name = message["item"]["id"] if names == "ours" else f"item_{number}"
        wire.receive(item_added(**{**message["item"], "id": name, "status": "completed"}))
    assert wire.send(Respond()) == []
    wire.receive(speech_stopped(), committed(), created("r"), done("r"))
    assert wire.replies == []


def test_a_refused_item_is_not_waited_for() -> None:
    wire = Wire()
    wire.receive(speech_started())
    (create,) = wire.send(RESULT)
    wire.send(Respond())
    wire.receive(error("invalid_tool_call_id", event_id=create["event_id"]))
    wire.receive(speech_stopped(), committed(), created("r"), done("r"))
    assert wire.replies == [], "the answer knew of all there was"


def test_the_users_spoken_item_is_none_of_ours() -> None:
    wire = Wire()
    wire.receive(speech_started())
    wire.send(RESULT)
    wire.send(Respond())
    spoken = item_added(type="message", role="user", content=[{"type": "input_audio"}])
    wire.receive(speech_stopped(), committed(), spoken, created("r"), done("r"))
    assert kinds(wire.replies) == ["response.create"]


def test_an_answer_that_met_another_one_is_asked_for_again_after_it() -> None:
    wire = Wire()
    (create,) = wire.send(Respond())
    code = "conversation_already_has_active_response"
    (refusal,) = wire.receive(error(code, event_id=create["event_id"]))
    assert isinstance(refusal, ProviderError)
    assert refusal.severity is Severity.HARMLESS
    assert wire.replies == [], "not at once: the other one still runs"
    wire.receive(created("other"), done("other"))
    assert kinds(wire.replies) == ["response.create"]


def test_a_refused_answer_does_not_block_the_next() -> None:
    wire = Wire()
    (create,) = wire.send(Respond())
    wire.receive(error("invalid_value", event_id=create["event_id"]))
    assert kinds(wire.send(Respond())) == ["response.create"]


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "server_error", "code": None},
        {"code": "invalid_value", "param": "response.output_modalities"},
        {"code": "rate_limit_exceeded"},
        {"code": "conversation_busy", "message": "Too much."},
        {"code": "conversation_busy", "event_id": "a name that is none of ours"},
    ],
)
def test_an_error_without_a_name_that_may_be_the_answers_lets_the_next_go(
    fields: Message,
) -> None:
    wire = Wire()
    wire.send(Respond())
    unnamed = error("x")
    unnamed["error"] |= fields
    wire.receive(unnamed)
    assert kinds(wire.send(Respond())) == ["response.create"]


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "invalid_value", "param": "item.content[0].text"},
        {"code": "invalid_value", "param": "session.audio.input"},
        {"code": "item_delete_invalid_item_id"},
        {"code": "input_audio_buffer_commit_empty"},
        {"code": "cannot_update_voice", "param": None},
        {"code": None, "message": "There is no active response."},
        {"code": "invalid_value", "event_id": "crossfade_item_77"},
    ],
)
def test_an_error_about_something_else_leaves_the_answer_alone(fields: Message) -> None:
    wire = Wire()
    wire.send(Respond())
    unnamed = error("x")
    unnamed["error"] |= fields
    wire.receive(unnamed)
    assert wire.send(Respond()) == []


def test_a_lost_request_does_not_cut_the_answer_to_the_users_turn() -> None:
    wire = Wire()
    wire.send(Respond())
    wire.receive(error("invalid_value", event_id=None))
    wire.send(Interrupt(played_ms={}))
    events = wire.receive(
        speech_started(), speech_stopped(), committed(), created("r"), audio_ms(20, "a", "r")
    )
    assert isinstance(events[-1], AudioChunk)
    assert wire.replies == []


def test_an_answer_that_met_another_one_is_known_by_its_words() -> None:
    wire = Wire()
    wire.send(Respond())
    wire.receive(error("response_busy", "Conversation already has an active response."))
    wire.receive(created("other"), done("other"))
    assert kinds(wire.replies) == ["response.create"]


def test_the_end_of_a_response_without_a_name_frees_the_floor() -> None:
    wire = Wire()
    wire.send(Respond())
    wire.receive(error("conversation_already_has_active_response"))
    wire.receive({"type": "response.done", "response": {"status": "completed"}})
    assert kinds(wire.replies) == ["response.create"]


def test_a_delta_of_an_unknown_response_holds_no_answer_up() -> None:
    wire = Wire()
    wire.receive(audio_ms(20, "a", "phantom"))
    assert kinds(wire.send(Respond())) == ["response.create"]


def test_an_aside_is_sent_at_once_and_known_by_its_label() -> None:
    wire = Wire()
    wire.receive(created("r"))
    aside = RespondAside(instructions="Say: One moment.", text="", label="ack")
    (create,) = wire.send(aside)
    body = create["response"]
    assert (body["conversation"], body["input"], body["tools"]) == ("none", [], [])
    assert body["output_modalities"] == ["audio"]
    wire.send(Interrupt(played_ms={}))
    events = wire.receive(created("s", body["metadata"]), audio_ms(20, "b", "s"), done("s"))
    assert events[0] == ResponseStarted(response_id="s", injected=True, label="ack")
    assert isinstance(events[1], AudioChunk)
    assert isinstance(events[-1], ResponseDone)
    assert events[-1].status is ResponseStatus.COMPLETED


def test_an_aside_knows_the_conversation_or_what_it_is_told() -> None:
    wire = Wire()
    (create,) = wire.send(RespondAside(instructions="Sum up.", modality=Modality.TEXT))
    assert "input" not in create["response"]
    assert create["response"]["output_modalities"] == ["text"]
    (create,) = wire.send(RespondAside(instructions="Translate.", text="Grüezi"))
    (item,) = create["response"]["input"]
    assert item["content"] == [{"type": "input_text", "text": "Grüezi"}]


def test_a_phrase_carries_its_label() -> None:
    wire = Wire()
    (create,) = wire.send(Say(text="One moment.", label="wait"))
    (started,) = wire.receive(created("r", create["response"]["metadata"]))
    assert started == ResponseStarted(response_id="r", injected=True, label="wait")


def test_the_limits_of_the_rate_are_told() -> None:
    limits = [
        {"name": "tokens", "limit": 40000, "remaining": 39500, "reset_seconds": 0.75},
        {"name": "requests", "limit": None, "remaining": "many", "reset_seconds": float("inf")},
        {"limit": 3},
        None,
    ]
    events = Wire().receive({"type": "rate_limits.updated", "rate_limits": limits})
    assert events == [
        RateLimits(
            limits=(
                RateLimit(name="tokens", limit=40000, remaining=39500, reset_s=0.75),
                RateLimit(name="requests", limit=0, remaining=0, reset_s=0.0),
            )
        )
    ]


def test_an_error_after_the_users_turn_does_not_block_the_next_answer() -> None:
    wire = Wire()
    wire.receive(speech_started(), speech_stopped(), committed())
    assert wire.send(Respond()) == []
    wire.receive(error("server_error"))
    assert kinds(wire.replies) == ["response.create"]


def test_a_cleared_buffer_frees_the_floor() -> None:
    wire = Wire()
    wire.receive(speech_started())
    wire.send(Respond())
    wire.receive({"type": "input_audio_buffer.cleared"})
    assert kinds(wire.replies) == ["response.create"]


def test_an_image_is_shown_as_a_data_url() -> None:
    wire = Wire()
    (create,) = wire.send(SendImage(data=b"\x89PNG", media_type="image/png"))
    assert create["item"] == {
        "id": create["event_id"],
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "image_url": "data:image/png;base64,iVBORw=="}],
    }


def test_a_part_of_a_result_is_told_beside_the_call() -> None:
    wire = Wire()
    part = SendToolResult(result=ToolResult(call_id="call_1", output={"done": 3}), final=False)
    (create,) = wire.send(part)
    assert create["item"]["role"] == "system"
    (content,) = create["item"]["content"]
    assert content["type"] == "input_text"
    assert "call_1" in content["text"]
    assert '{"done":3}' in content["text"]
    (last,) = wire.send(RESULT)
    assert last["item"]["type"] == "function_call_output"


def test_a_change_sends_only_what_differs() -> None:
    wire = Wire(SessionConfig(instructions="One.", voice="warm"))
    (update,) = wire.send(Update(instructions="Two.", voice="warm"))
    assert update["session"] == {"type": "realtime", "instructions": "Two."}
    assert wire.send(Update(instructions="Two.", tools=[], voice="marin")) == []
    (update,) = wire.send(Update(voice="calm"))
    assert update["session"] == {"type": "realtime", "audio": {"output": {"voice": "sage"}}}
    assert wire.send(Update(voice="calm")) == []
    assert wire.receive(session_updated()) == []


def test_the_voice_is_fixed_once_it_has_spoken() -> None:
    wire = Wire(SessionConfig(voice="warm"))
    wire.receive(created("r"), audio_ms(20, "a", "r"), done("r"))
    with pytest.raises(SettingsError, match="voice"):
        wire.send(Update(voice="calm", instructions="New."))
    (update,) = wire.send(Update(voice="warm", instructions="New."))
    assert "audio" not in update["session"]


def test_g711_passes_through_at_eight_bytes_a_millisecond() -> None:
    wire = Wire(SessionConfig(encoding=Encoding.ULAW, turn_detection=TurnDetection.CALLER))
    events = wire.receive(created("r"), audio(b"\xff" * 801, "a", "r"))
    assert events[1:] == [AudioChunk(response_id="r", item_id="a", pcm=b"\xff" * 801)]
    _, truncate = wire.send(Interrupt(played_ms={"a": 5000}))
    assert truncate["audio_end_ms"] == 100
    wire.send(StartTurn())
    wire.protocol.append_audio(bytes(799))
    assert wire.send(EndTurn()) == [], "less than the 100 ms that can be committed"
    wire.protocol.append_audio(bytes(800))
    assert kinds(wire.send(EndTurn()))[0] == "input_audio_buffer.commit"


def test_a_session_that_writes_has_its_phrases_written() -> None:
    (create,) = Wire(SessionConfig(modality=Modality.TEXT)).send(Say(text="One moment."))
    assert create["response"]["output_modalities"] == ["text"]


def test_an_incomplete_answer_says_why() -> None:
    wire = Wire()
    details = {"type": "incomplete", "reason": "max_output_tokens"}
    events = wire.receive(created("r"), done("r", "incomplete", status_details=details))
    assert events[1:] == [
        ResponseDone(response_id="r", status=ResponseStatus.INCOMPLETE, reason="max_output_tokens")
    ]


def test_the_end_of_the_session_is_a_reason_to_begin_anew() -> None:
    message = "Your session hit the maximum duration of 60 minutes."
    (event,) = Wire().receive(error("session_expired", message))
    assert event == ProviderError(message=message, severity=Severity.RETRY, code="session_expired")


def test_several_errors_in_a_row_change_nothing() -> None:
    wire = Wire()
    wire.receive(created("r"))
    codes = ["response_cancel_not_active", "invalid_value", None, "item_truncate_invalid_item_id"]
    assert len(wire.receive(*(error(code) for code in codes))) == 4
    assert len(wire.receive(audio_ms(20, "a", "r"), done("r"))) == 2


@pytest.mark.parametrize(
    "message",
    ["", "null", "[]", '"text"', "{", "\xff", b"\xff\xfe", b"[" * 3000],
)
def test_what_is_no_json_object_is_an_error_event(message: str | bytes) -> None:
    (event,) = OpenAIRealtimeProtocol("gpt-realtime-2.1").receive(message)
    assert isinstance(event, ProviderError)
    assert (event.severity, event.code) == (Severity.REQUEST, "malformed_message")


@pytest.mark.parametrize(
    "message",
    [
        "{}",
        '{"type":null}',
        '{"type":["session.updated"]}',
        '{"type":"brand.new","x":1}',
        '{"type":"rate_limits.updated","rate_limits":null}',
        '{"type":"response.content_part.added","part":null}',
    ],
)
def test_unknown_messages_pass_by(message: str) -> None:
    assert OpenAIRealtimeProtocol("gpt-realtime-2.1").receive(message) == []


def test_who_writes_does_not_wait_for_the_end_of_their_speech() -> None:
    """A muted microphone sends nothing more, and the service hears no end."""
    for messages in ([], [speech_stopped(), committed()]):
        wire = Wire()
        wire.receive(speech_started(), *messages)
        sent = wire.send(SendText(text="Hi", respond=True))
        assert kinds(sent) == ["conversation.item.create", "response.create"]


def test_a_turn_that_nobody_answers_holds_nobody_up_for_ever() -> None:
    wire = Wire()
    wire.receive(speech_started(), speech_stopped(), committed())
    assert wire.send(Respond()) == []
    assert kinds(wire.send(Respond())) == ["response.create"]


def test_an_answer_asked_for_too_early_is_asked_for_again() -> None:
    wire = Wire()
    wire.receive(speech_started(), speech_stopped(), committed())
    wire.send(Respond())
    (create,) = wire.send(Respond())
    active = error("conversation_already_has_active_response", event_id=create["event_id"])
    wire.receive(created("own"), active)
    assert wire.replies == []
    wire.receive(done("own"))
    assert kinds(wire.replies) == ["response.create"]


@pytest.mark.parametrize("names", ["the cancel", "nothing"])
def test_what_cannot_be_cancelled_is_over(names: str) -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(20, "a", "r"))
    (cancel,) = wire.send(Interrupt(played_ms={}))
    assert wire.send(Respond()) == []
    event_id = cancel["event_id"] if names == "the cancel" else None
    events = wire.receive(error("response_cancel_not_active", event_id=event_id))
    assert ResponseDone(response_id="r", status=ResponseStatus.INTERRUPTED) in events
    assert kinds(wire.replies) == ["response.create"]


def test_only_what_was_to_be_cancelled_is_over() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(20, "a", "r"))
    (cancel,) = wire.send(Interrupt(played_ms={}))
    wire.receive(done("r", "cancelled"), created("s"), audio_ms(20, "b", "s"))
    for event_id in (cancel["event_id"], None):
        events = wire.receive(error("response_cancel_not_active", event_id=event_id))
        assert not any(isinstance(event, ResponseDone) for event in events)
    assert len(wire.receive(audio_ms(20, "b", "s"))) == 1


def test_what_cannot_be_said_was_not_sent() -> None:
    wire = Wire()
    wire.receive(speech_started())
    with pytest.raises(SettingsError):
        wire.send(SendToolResult(result=ToolResult(call_id="c", output="\ud800")))
    assert wire.send(Respond()) == []
    spoken = item_added(type="message", role="user", content=[{"type": "input_audio"}])
    wire.receive(speech_stopped(), committed(), spoken, created("r"), done("r"))
    assert wire.replies == [], "the answer knew of all there was"


def test_a_service_that_tells_of_no_items_does_not_answer_twice() -> None:
    wire = Wire()
    wire.receive(speech_started())
    wire.send(RESULT)
    wire.send(Respond())
    wire.receive(speech_stopped(), committed(), created("r"), done("r"))
    assert wire.replies == []


VAGUE = {"type": "server_error", "code": None, "message": "could not update"}


@pytest.mark.parametrize(
    "body",
    [
        {"code": "cannot_update_voice", "event_id": "ours"},
        {"code": "invalid_value", "event_id": "ours"},
        {"code": "cannot_update_voice"},
        {"code": "invalid_value", "param": "session.audio.output.voice"},
        VAGUE,
    ],
)
def test_a_change_that_was_refused_can_be_asked_for_again(body: Message) -> None:
    wire = Wire(SessionConfig(instructions="A", voice="warm"))
    wire.receive(created())
    (update,) = wire.send(Update(instructions="C", voice="calm"))
    named = update["event_id"] if "event_id" in body else None
    refusal = error("x")
    refusal["error"] |= body | {"event_id": named}
    wire.receive(audio_ms(20), refusal)
    assert wire.protocol.config.instructions == "A"
    assert wire.protocol.config.voice == "warm"
    (again,) = wire.send(Update(instructions="C"))
    assert again["session"] == {"type": "realtime", "instructions": "C"}


def test_a_refusal_takes_back_its_own_change_and_no_other() -> None:
    wire = Wire(SessionConfig(instructions="A"))
    (first,) = wire.send(Update(instructions="B"))
    wire.send(Update(voice="calm"))
    wire.receive(error("invalid_value", event_id=first["event_id"]))
    assert (wire.protocol.config.instructions, wire.protocol.config.voice) == ("A", "calm")
    wire.receive(session_updated(), error("invalid_value", event_id="crossfade_update_9"))
    assert (wire.protocol.config.instructions, wire.protocol.config.voice) == ("A", "calm")


def test_a_change_that_was_confirmed_stays() -> None:
    wire = Wire(SessionConfig(instructions="A"))
    wire.send(Update(instructions="B"))
    wire.receive(session_updated(), error("cannot_update_voice"), error("server_error"))
    assert wire.protocol.config.instructions == "B"
    assert wire.send(Update(instructions="B")) == []


def test_a_change_of_which_the_refusal_is_in_doubt_is_always_sent() -> None:
    wire = Wire(SessionConfig(instructions="A"))
    wire.send(Update(instructions="B"))
    vague = error("x")
    vague["error"] |= VAGUE
    wire.receive(vague, session_updated())
    assert len(wire.send(Update(instructions="A"))) == 1, "what the service holds is not known"


@pytest.mark.parametrize("event_id", ["ours", None])
def test_a_refused_configuration_is_fatal_while_the_session_opens(event_id: str | None) -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    (configure,) = loads(protocol.start(SessionConfig()))
    named = configure["event_id"] if event_id else None
    (event,) = protocol.receive(orjson.dumps(error("unknown_parameter", "session.x", named)))
    assert isinstance(event, ProviderError)
    assert event.severity is Severity.FATAL


@pytest.mark.parametrize(
    "refusal",
    [
        error("rate_limit_exceeded", "slow down"),
        error("invalid_value", "No such item.", "crossfade_item_1"),
        {"type": "error", "error": {"type": "server_error", "message": "Odd."}},
    ],
)
def test_other_errors_are_not_fatal_while_the_session_opens(refusal: Message) -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    protocol.start(SessionConfig(), seeded=True)
    protocol.seed(SEED)
    (event,) = protocol.receive(orjson.dumps(refusal))
    assert isinstance(event, ProviderError)
    assert event.severity is Severity.REQUEST


def test_words_that_wait_for_others_come_when_the_line_ends() -> None:
    wire = Wire()
    events = wire.receive(committed("u1"), committed("u2", "u1"), transcribed("Second.", "u2"))
    assert not any(isinstance(event, UserTranscript) for event in events)
    assert wire.protocol.ended() == [UserTranscript(item_id="u2", text="Second.", final=True)]
    assert wire.protocol.ended() == []
