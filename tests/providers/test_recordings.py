"""Recorded sessions with the real service, where their folder is given by CROSSFADE_RECORDINGS."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.usage import Usage
from crossfade.providers.commands import Command, Respond, SendText, SendToolResult
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionOpened,
    SpeechDone,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from tests.providers.openai_messages import kinds, loads

FOLDER = os.environ.get("CROSSFADE_RECORDINGS")
NAMES = (
    "audio_in_server_vad_turn",
    "message_history_seeding",
    "text_in_audio_out_turn",
    "tool_call_round",
)
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason=f"CROSSFADE_RECORDINGS is not set: {len(NAMES)} recordings"
)

Message = dict[str, Any]


class Replay:
    """One recorded session, run through the protocol."""

    def __init__(self, name: str) -> None:
        assert FOLDER is not None
        recording = yaml.safe_load((Path(FOLDER) / "openai" / f"{name}.yaml").read_text())
        self.protocol = OpenAIRealtimeProtocol("gpt-realtime")
        self.sent_there: list[Message] = []
        self.sent_here: list[Message] = []
        self.events: list[Event] = []
        self.received_there: list[Message] = []
        for step in recording["interactions"]:
            message = step["data"]
            if step["direction"] == "sent":
                self.sent_there.append(message)
                self._send(message)
            else:
                self.received_there.append(message)
                self.events += self.protocol.receive(orjson.dumps(message))
                self.sent_here += loads(self.protocol.replies())

    def _send(self, message: Message) -> None:
        """Ask for what the recorded client sent."""
        match message["type"]:
            case "session.update":
                instructions = message["session"]["instructions"]
                messages = self.protocol.start(SessionConfig(instructions=instructions))
            case "conversation.item.create":
                messages = self._create(message["item"])
            case "response.create":
                messages = self.protocol.send(Respond())
            case _:
                messages = [self.protocol.append_audio(bytes(480))]
        self.sent_here += loads(messages)

    def _create(self, item: Message) -> list[bytes]:
        command: Command
        if item["type"] == "function_call_output":
            result = ToolResult(call_id=item["call_id"], output=item["output"])
            command = SendToolResult(result=result)
        elif item["role"] == "user":
            command = SendText(text=item["content"][0]["text"])
        else:
            history: list[HistoryItem] = [
                Utterance(speaker=Speaker.AGENT, text=item["content"][0]["text"])
            ]
            other = OpenAIRealtimeProtocol("gpt-realtime")
            return other.start(SessionConfig(), history)[1:]
        return self.protocol.send(command)

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def messages(self, kind: str) -> list[Message]:
        return [message for message in self.received_there if message["type"] == kind]

    def usages(self) -> list[Usage]:
        return [event.usage for event in self.of(ResponseDone)]


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_runs_without_an_error_and_asks_for_the_same(name: str) -> None:
    replay = Replay(name)
    assert replay.of(ProviderError) == []
    assert isinstance(replay.events[0], SessionOpened)
    assert kinds(replay.sent_here) == kinds(replay.sent_there)
    items = [m["item"] for m in replay.sent_here if m["type"] == "conversation.item.create"]
    assert items == [m["item"] for m in replay.sent_there if "item" in m]
    started = [event.response_id for event in replay.of(ResponseStarted)]
    ends = [(event.response_id, event.status) for event in replay.of(ResponseDone)]
    assert ends == [(response_id, ResponseStatus.COMPLETED) for response_id in started]


@pytest.mark.parametrize("name", NAMES)
def test_usage_adds_up_to_the_recorded_totals(name: str) -> None:
    replay = Replay(name)
    totals = [m["response"]["usage"] for m in replay.messages("response.done")]
    assert [(u.input_tokens, u.output_tokens) for u in replay.usages()] == [
        (total["input_tokens"], total["output_tokens"]) for total in totals
    ]
    cached = [total["input_token_details"]["cached_tokens"] for total in totals]
    assert [usage.cached_tokens for usage in replay.usages()] == cached


@pytest.mark.parametrize("name", NAMES)
def test_the_words_add_up_to_the_recorded_answer(name: str) -> None:
    replay = Replay(name)
    whole = [
        *(m["transcript"] for m in replay.messages("response.output_audio_transcript.done")),
        *(m["text"] for m in replay.messages("response.output_text.done")),
    ]
    assert "".join(delta.text for delta in replay.of(TextDelta)) == "".join(whole) != ""
    assert {delta.spoken for delta in replay.of(TextDelta)} == {bool(replay.of(AudioChunk))}


def test_a_spoken_turn() -> None:
    replay = Replay("audio_in_server_vad_turn")
    (started,), (stopped,) = replay.of(SpeechStarted), replay.of(SpeechStopped)
    (there,) = replay.messages("input_audio_buffer.speech_started")
    assert (started.item_id, started.at_ms) == (there["item_id"], there["audio_start_ms"])
    assert (stopped.item_id, started.at_ms < stopped.at_ms) == (there["item_id"], True)
    assert replay.of(UserTurnCommitted) == [UserTurnCommitted(item_id=there["item_id"])]
    *partials, final = replay.of(UserTranscript)
    (whole,) = replay.messages("conversation.item.input_audio_transcription.completed")
    assert final.final
    assert final.text == whole["transcript"] != ""
    assert partials
    assert all(final.text.startswith(partial.text.rstrip(".")) for partial in partials)


@pytest.mark.parametrize("name", ["audio_in_server_vad_turn", "text_in_audio_out_turn"])
def test_a_spoken_answer_is_whole_samples_and_ends(name: str) -> None:
    replay = Replay(name)
    there = replay.messages("response.output_audio.delta")
    assert len(replay.of(AudioChunk)) == len(there)
    assert all(chunk.pcm and len(chunk.pcm) % 2 == 0 for chunk in replay.of(AudioChunk))
    assert [done.item_id for done in replay.of(SpeechDone)] == [there[0]["item_id"]]


def test_a_tool_round() -> None:
    replay = Replay("tool_call_round")
    (call,) = replay.of(ToolCall)
    (there,) = replay.messages("response.function_call_arguments.done")
    assert (call.id, call.name) == (there["call_id"], there["name"])
    assert call.arguments == orjson.loads(there["arguments"])
    calling, answering = replay.of(ResponseDone)
    assert call.response_id == calling.response_id != answering.response_id
