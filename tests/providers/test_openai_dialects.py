"""Each dialect: what it is told, and what its own messages mean."""

from typing import Any

import pytest

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration
from crossfade.providers.commands import Interrupt, Respond, Say, SendText
from crossfade.providers.config import (
    Encoding,
    Modality,
    SessionConfig,
    TurnDetection,
)
from crossfade.providers.events import (
    AudioChunk,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    Severity,
    SpeechDone,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.openai_dialects import DIALECTS, find_dialect
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from tests.providers.openai_messages import (
    Message,
    Wire,
    audio_ms,
    call_item,
    committed,
    created,
    done,
    item_done,
    kinds,
    loads,
    speech_started,
    speech_stopped,
    transcribed,
)

TOOL = ToolDeclaration(name="get_weather", description="Weather")
BETA_LIKE = ["openai-beta", "azure-preview", "azure-voice-live", "qwen"]


def piece(kind: str, **fields: Any) -> Message:
    return {"type": kind, "response_id": "r", "item_id": "a", "content_index": 0, **fields}


def session(dialect: str, model: str = "gpt-realtime", **fields: Any) -> Message:
    (update,) = Wire(SessionConfig(**fields), model, dialect).first
    body: Message = update["session"]
    return body


@pytest.mark.parametrize("name", BETA_LIKE)
def test_a_spoken_turn_by_the_earlier_names(name: str) -> None:
    item = {"id": "a", "type": "message", "content": [{"type": "audio", "transcript": "Hi you"}]}
    events = Wire(model="m", dialect=name).receive(
        {"type": "conversation.created", "conversation": {"id": "conv_1"}},
        speech_started("u"),
        speech_stopped("u"),
        committed("u"),
        {"type": "conversation.item.created", "item": {"id": "u", "type": "message"}},
        created("r"),
        {"type": "rate_limits.updated", "rate_limits": []},
        piece("response.audio_transcript.delta", delta="Hi"),
        piece("response.audio.delta", delta="AAAA/w=="),
        piece("response.audio.done"),
        item_done(item, "r"),
        done("r"),
    )
    assert events == [
        SpeechStarted(item_id="u", at_ms=100),
        SpeechStopped(item_id="u", at_ms=900),
        UserTurnCommitted(item_id="u"),
        ResponseStarted(response_id="r"),
        TextDelta(response_id="r", item_id="a", text="Hi", spoken=True),
        AudioChunk(response_id="r", item_id="a", pcm=b"\0\0\0\xff"),
        TextDelta(response_id="r", item_id="a", text=" you", spoken=True),
        SpeechDone(response_id="r", item_id="a"),
        ResponseDone(response_id="r", status=ResponseStatus.COMPLETED),
    ]


@pytest.mark.parametrize("name", DIALECTS)
def test_both_names_are_understood_everywhere(name: str) -> None:
    events = Wire(model="m", dialect=name).receive(
        created("r"),
        piece("response.text.delta", delta="Hi"),
        piece("response.output_text.delta", delta=" you"),
    )
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hi", " you"]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_function_named_only_in_the_finished_item_is_called_once(name: str) -> None:
    arguments = '{"city":"Rome"}'
    events = Wire(model="m", dialect=name).receive(
        created("r"),
        piece("response.function_call_arguments.done", call_id="c", arguments=arguments),
        item_done(call_item("c", "get_weather", arguments), "r"),
        done("r"),
    )
    assert [event for event in events if isinstance(event, ToolCall)] == [
        ToolCall(id="c", name="get_weather", arguments={"city": "Rome"}, response_id="r")
    ]


def test_the_beta_is_configured_flat() -> None:
    body = session(
        "openai-beta",
        instructions="Be brief.",
        voice="calm",
        languages=["en", "de"],
        tools=[TOOL],
        max_output_tokens=50,
        silence_ms=300,
    )
    assert body == {
        "modalities": ["text", "audio"],
        "instructions": "Be brief.",
        "voice": "sage",
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "turn_detection": {
            "type": "server_vad",
            "silence_duration_ms": 300,
            "create_response": True,
            "interrupt_response": True,
        },
        "tools": [
            {
                "type": "function",
                "name": "get_weather",
                "description": "Weather",
                "parameters": {"type": "object", "properties": {}},
            }
        ],
        "max_response_output_tokens": 50,
    }


def test_the_beta_writes_text_and_speaks_g711() -> None:
    body = session("openai-beta", modality=Modality.TEXT, encoding=Encoding.ULAW)
    assert body["modalities"] == ["text"]
    assert body["input_audio_format"] == body["output_audio_format"] == "g711_ulaw"
    body = session("openai-beta", encoding=Encoding.ALAW)
    assert body["input_audio_format"] == "g711_alaw"


def test_the_beta_names_modalities_and_content_its_own_way() -> None:
    wire = Wire(model="gpt-realtime", dialect="openai-beta")
    (create,) = wire.send(Say(text="One moment."))
    assert create["response"]["modalities"] == ["text", "audio"]
    assert "output_modalities" not in create["response"]
    history: list[HistoryItem] = [Utterance(speaker=Speaker.AGENT, text="Hello.")]
    protocol = OpenAIRealtimeProtocol("gpt-realtime", find_dialect("openai-beta"))
    protocol.start(SessionConfig(), seeded=True)
    (item,) = loads(protocol.seed(history))
    assert item["item"]["content"] == [{"type": "text", "text": "Hello."}]


def test_azure_is_configured_as_openai_is() -> None:
    body = session("azure", "my-deployment")
    assert body["type"] == "realtime"
    assert body["audio"]["input"]["transcription"] == {"model": "whisper-1"}


def test_azures_preview_takes_neither_a_type_nor_switches() -> None:
    body = session("azure-preview", "my-deployment")
    assert body["modalities"] == ["text", "audio"]
    assert "type" not in body
    assert body["turn_detection"] == {"type": "server_vad", "silence_duration_ms": 500}


def test_voice_live_has_voices_rates_and_semantics_of_its_own() -> None:
    body = session("azure-voice-live", turn_detection=TurnDetection.SEMANTIC, voice="calm")
    assert body["input_audio_sampling_rate"] == 24000
    assert body["input_audio_transcription"] == {"model": "azure-speech"}
    assert body["voice"] == {"type": "openai", "name": "sage"}
    assert body["turn_detection"] == {
        "type": "azure_semantic_vad",
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
    }
    body = session("azure-voice-live", voice="en-US-AvaNeural")
    assert body["voice"] == {"type": "azure-standard", "name": "en-US-AvaNeural"}


def test_voice_lives_empty_second_transcript_is_dropped() -> None:
    events = Wire(model="m", dialect="azure-voice-live").receive(
        committed("u"), transcribed("Hello.", "u"), transcribed("", "u")
    )
    assert events == [
        UserTurnCommitted(item_id="u"),
        UserTranscript(item_id="u", text="Hello.", final=True),
    ]


def test_voice_lives_own_truncation_is_a_race() -> None:
    (event,) = Wire(model="m", dialect="azure-voice-live").receive(
        {"type": "error", "error": {"code": "item_already_truncated", "message": "Already."}}
    )
    assert isinstance(event, ProviderError)
    assert event.severity is Severity.HARMLESS


def test_xai_has_voice_and_turns_on_top_and_formats_below() -> None:
    body = session("xai", "grok-voice-latest", voice="bright", languages=["de-DE"], speed=1.1)
    assert body == {
        "instructions": "",
        "voice": "eve",
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"language_hint": "de"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "speed": 1.1},
        },
        "tools": [],
    }


def test_xai_tells_whole_transcripts_and_plain_reasons() -> None:
    kind = "conversation.item.input_audio_transcription.updated"
    events = Wire(model="grok-voice-latest", dialect="xai").receive(
        {"type": "conversation.created", "conversation": {"id": "conv_1"}},
        {"type": "ping", "timestamp": 7},
        committed("u"),
        {"type": kind, "item_id": "u", "transcript": "Hello"},
        {"type": kind, "item_id": "u", "transcript": "Hello there"},
        transcribed("Hello there.", "u"),
        created("r"),
        done("r", "failed", status_details="overloaded"),
    )
    assert events == [
        UserTurnCommitted(item_id="u"),
        UserTranscript(item_id="u", text="Hello", final=False),
        UserTranscript(item_id="u", text="Hello there", final=False),
        UserTranscript(item_id="u", text="Hello there.", final=True),
        ResponseStarted(response_id="r"),
        ResponseDone(response_id="r", status=ResponseStatus.FAILED, reason="overloaded"),
        ProviderError(message="overloaded", severity=Severity.REQUEST, response_id="r"),
    ]


def test_xais_races_are_known_by_their_words() -> None:
    (event,) = Wire(model="m", dialect="xai").receive(
        {"type": "error", "error": {"code": "invalid_request", "message": "No active response."}}
    )
    assert isinstance(event, ProviderError)
    assert event.severity is Severity.HARMLESS


def test_qwen_hears_16_khz_and_writes_or_speaks() -> None:
    protocol = OpenAIRealtimeProtocol("qwen3-omni-flash-realtime", find_dialect("qwen"))
    assert (protocol.profile.input_rate_hz, protocol.profile.output_rate_hz) == (16000, 24000)
    body = session("qwen", "qwen3-omni-flash-realtime", max_output_tokens=9, voice="bright")
    assert body == {
        "modalities": ["text", "audio"],
        "instructions": "",
        "voice": "Cherry",
        "input_audio_format": "pcm",
        "output_audio_format": "pcm",
        "input_audio_transcription": {"model": "gummy-realtime-v1"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
        "tools": [],
        "max_tokens": 9,
    }


def test_where_nothing_can_be_truncated_an_interruption_only_cancels() -> None:
    wire = Wire(model="qwen3-omni-flash-realtime", dialect="qwen")
    wire.send(SendText(text="Hi"))
    wire.send(Respond())
    wire.receive(created("r"), audio_ms(500, "a", "r"))
    assert kinds(wire.send(Interrupt(played_ms={"a": 100}))) == ["response.cancel"]
    wire.receive(audio_ms(100, "b", "r"), done("r", "cancelled"))
    assert wire.replies == [], "nor is anything deleted"


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("openai", {"reasoning", "images", "hold", "semantic_vad", "g711", "out_of_band"}),
        ("openai-beta", {"hold", "semantic_vad", "g711", "out_of_band"}),
        ("azure", {"reasoning", "images", "hold", "semantic_vad", "g711", "out_of_band"}),
        ("azure-preview", {"g711"}),
        ("azure-voice-live", {"hold", "semantic_vad"}),
    ],
)
def test_a_dialect_takes_away_what_its_server_lacks(name: str, flags: set[str]) -> None:
    profile = find_dialect(name).profile("gpt-realtime-2.1")
    asked = ("reasoning", "images", "hold", "semantic_vad", "g711", "out_of_band")
    assert {flag for flag in asked if getattr(profile, flag)} == flags


@pytest.mark.parametrize("name", ["openai-beta", "azure-preview", "azure-voice-live"])
def test_older_wires_speak_with_voices_that_they_have(name: str) -> None:
    voices = find_dialect(name).profile("gpt-realtime").voices
    assert voices.keys() == {"warm", "bright", "calm", "deep"}
    older = {"alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse"}
    assert set(voices.values()) <= older
    assert len(set(voices.values())) == 4


def test_other_makers_keep_their_voices() -> None:
    assert find_dialect("qwen").profile("qwen3-omni-flash-realtime").voices["warm"] == "Serena"
    assert find_dialect("openai").profile("gpt-realtime").voices["warm"] == "marin"
