"""The wire of OpenAI Realtime: what is sent, and what the user's side says."""

from urllib.parse import parse_qs, urlsplit

import pytest

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers.commands import (
    EndTurn,
    Interrupt,
    Respond,
    Say,
    SendText,
    SendToolResult,
    StartTurn,
)
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.events import (
    Interruption,
    ProviderError,
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
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from tests.providers.openai_messages import (
    MS_BYTES,
    Wire,
    audio_ms,
    committed,
    created,
    done,
    error,
    item_added,
    item_done,
    kinds,
    loads,
    session_updated,
    speech_started,
    speech_stopped,
    spoken_item,
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
        language="en-GB",
        max_output_tokens=99,
    )
    (update,) = Wire(config).first
    assert update == {
        "type": "session.update",
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
    messages = loads(OpenAIRealtimeProtocol("gpt-realtime-2.1").start(SessionConfig(), history))
    assert kinds(messages) == ["session.update"] + ["conversation.item.create"] * 6
    user, agent, call, result, unparsed, failed = (message["item"] for message in messages[1:])
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


def test_turns_cannot_be_marked_when_the_provider_finds_them() -> None:
    for command in (StartTurn(), EndTurn()):
        with pytest.raises(SettingsError, match="CALLER"):
            Wire().send(command)


def test_what_is_asked_for_in_the_callers_turn_waits_for_its_end() -> None:
    wire = Wire(CALLER)
    wire.send(StartTurn())
    assert wire.send(Respond()) == []
    wire.protocol.append_audio(bytes(500 * MS_BYTES))
    assert kinds(wire.send(EndTurn())) == ["input_audio_buffer.commit", "response.create"]
    wire.receive(created(), done())
    assert wire.replies == [], "one answer, not two"


def test_the_service_cuts_its_answer_when_the_user_speaks() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(500, "a", "r"))
    events = wire.receive(speech_started("u"), audio_ms(20, "a", "r"), done("r", "cancelled"))
    assert events == [
        SpeechStarted(item_id="u", at_ms=100),
        Interruption(response_id="r"),
        ResponseDone(response_id="r", status=ResponseStatus.INTERRUPTED),
    ]


def test_what_the_service_has_cut_itself_is_not_cancelled_but_truncated() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(500, "a", "r"), speech_started("u"))
    (truncate,) = wire.send(Interrupt(played_ms={"a": 320.7}))
    assert truncate == {
        "type": "conversation.item.truncate",
        "item_id": "a",
        "content_index": 0,
        "audio_end_ms": 320,
    }


def test_speech_of_the_user_cuts_nothing_when_the_caller_owns_the_turns() -> None:
    wire = Wire(CALLER)
    wire.receive(created("r"))
    assert wire.receive(speech_started("u")) == [SpeechStarted(item_id="u", at_ms=100)]
    assert kinds(wire.send(Interrupt(played_ms={}))) == ["response.cancel"]


def test_an_interruption_in_the_playouts_tail_only_truncates() -> None:
    wire = Wire()
    wire.receive(
        created("r"),
        audio_ms(3000, "a", "r"),
        item_done(spoken_item("Hello.", "a"), "r"),
        done("r"),
    )
    assert kinds(wire.send(Interrupt(played_ms={"a": 1000}))) == ["conversation.item.truncate"]
    assert wire.send(Interrupt(played_ms={"a": 1000})) == [], "an item is truncated once"


def test_truncation_is_per_item() -> None:
    wire = Wire()
    wire.receive(
        created("r"),
        audio_ms(3000, "a", "r"),
        item_done(spoken_item("One.", "a"), "r"),
        audio_ms(2000, "b", "r"),
        audio_ms(400, "c", "r"),
    )
    messages = wire.send(Interrupt(played_ms={"a": 3000, "b": 5000.5, "c": 0.4, "unknown": 10}))
    assert [(m["type"], m.get("item_id"), m.get("audio_end_ms")) for m in messages] == [
        ("response.cancel", None, None),
        ("conversation.item.truncate", "b", 2000),
        ("conversation.item.delete", "c", None),
    ]


@pytest.mark.parametrize("played", [-5.0, 0.0, float("nan")])
def test_an_item_of_which_nothing_was_played_is_deleted(played: float) -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(100, "a", "r"))
    messages = wire.send(Interrupt(played_ms={"a": played}))
    assert kinds(messages) == ["response.cancel", "conversation.item.delete"]


def test_an_item_that_came_wholly_after_the_cut_is_deleted_when_its_response_ends() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(100, "a", "r"))
    wire.send(Interrupt(played_ms={"a": 50}))
    wire.receive(audio_ms(100, "b", "r"), audio_ms(100, "b", "r"), done("r", "cancelled"))
    assert wire.replies == [{"type": "conversation.item.delete", "item_id": "b"}]


@pytest.mark.parametrize("played", [{"a": 50}, {"a": 0}, {}])
def test_what_trails_of_an_item_does_not_cut_it_again(played: dict[str, float]) -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(100, "a", "r"))
    wire.send(Interrupt(played_ms=played))
    wire.receive(audio_ms(100, "a", "r"), done("r", "cancelled"))
    assert wire.replies == []


def test_injected_speech_is_cancelled_and_never_truncated() -> None:
    wire = Wire()
    (create,) = wire.send(Say(text="One moment."))
    wire.receive(created("r", create["response"]["metadata"]), audio_ms(500, "a", "r"))
    assert wire.receive(speech_started("u")) == [SpeechStarted(item_id="u", at_ms=100)]
    (cancel,) = wire.send(Interrupt(played_ms={"a": 100}))
    assert cancel == {"type": "response.cancel", "response_id": "r"}


def test_an_answer_that_was_asked_for_and_interrupted_is_cancelled_when_it_begins() -> None:
    wire = Wire()
    wire.send(Respond())
    assert wire.send(Interrupt(played_ms={})) == []
    assert wire.receive(created("r"), audio_ms(100, "a", "r")) == [ResponseStarted(response_id="r")]
    assert wire.replies == [{"type": "response.cancel", "response_id": "r"}]


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


def test_an_interruption_drops_what_waits() -> None:
    wire = Wire()
    wire.receive(created("r"))
    wire.send(Say(text="One moment."))
    wire.send(Respond())
    wire.send(Interrupt(played_ms={}))
    wire.receive(done("r", "cancelled"))
    assert wire.replies == []


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
