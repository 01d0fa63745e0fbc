"""Recorded sessions with the real service, where their folder is given by CROSSFADE_RECORDINGS."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.conversation.usage import Usage
from crossfade.providers.commands import SendText, SendToolResult
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
    TextDelta,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.gemini_keys import in_camel_case
from crossfade.providers.gemini_live import GeminiLiveProtocol
from tests.providers.gemini_messages import Message, loads

FOLDER = os.environ.get("CROSSFADE_RECORDINGS")
NAMES = (
    "audio_in_server_vad_turn",
    "message_history_seeding",
    "text_in_audio_out_turn",
    "tool_call_round",
)
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason=f"CROSSFADE_RECORDINGS is not set: {len(NAMES)} recordings of Gemini"
)


class Replay:
    """One recorded session, run through the protocol."""

    def __init__(self, name: str) -> None:
        assert FOLDER is not None
        recording = yaml.safe_load((Path(FOLDER) / "gemini" / f"{name}.yaml").read_text())
        self.sent_there: list[Message] = []
        self.sent_here: list[Message] = []
        self.received_there: list[Message] = []
        self.events: list[Event] = []
        for step in recording["interactions"]:
            message = in_camel_case(step["data"])
            if step["direction"] == "sent":
                self.sent_there.append(message)
                self._send(message)
            else:
                self.received_there.append(message)
                self.events += self.protocol.receive(orjson.dumps(message))
                self.sent_here += loads(self.protocol.replies())

    def _send(self, message: Message) -> None:
        """Ask for what the recorded client sent."""
        messages: list[bytes] = []
        if "setup" in message:
            messages = self._start(message["setup"])
        elif "clientContent" in message:
            content = message["clientContent"]
            if content["turnComplete"]:
                text = content["turns"][0]["parts"][0]["text"]
                messages = self.protocol.send(SendText(text=text, respond=True))
            else:
                self._check_history(content["turns"])
        elif "toolResponse" in message:
            (response,) = message["toolResponse"]["functionResponses"]
            result = ToolResult(call_id=response["id"], output=response["response"]["output"])
            messages = self.protocol.send(SendToolResult(result=result))
        else:
            messages = [self.protocol.append_audio(bytes(640))]
        self.sent_here += loads(messages)

    def _start(self, setup: Message) -> list[bytes]:
        self.protocol = GeminiLiveProtocol(setup["model"])
        tools = [
            ToolDeclaration(
                name=entry["name"],
                description=entry["description"],
                parameters={
                    "type": "object",
                    "properties": {
                        "zqx_measurement": {"type": "integer"},
                        "qbf_note": {"type": ["string", "null"]},
                    },
                    "required": ["zqx_measurement"],
                },
            )
            for tool in setup.get("tools", [])
            for entry in tool["functionDeclarations"]
        ]
        instructions = setup.get("systemInstruction", {"parts": [{"text": ""}]})
        config = SessionConfig(instructions=instructions["parts"][0]["text"], tools=tools)
        return self.protocol.start(config)

    def _check_history(self, turns: list[Message]) -> None:
        """A history is told at the start here: compare what would be said then."""
        history = [
            Utterance(
                speaker=Speaker.USER if turn["role"] == "user" else Speaker.AGENT,
                text=turn["parts"][0]["text"],
            )
            for turn in turns
        ]
        other = GeminiLiveProtocol(self.protocol.model)
        other.start(SessionConfig(), history)
        other.receive(b'{"setupComplete":{}}')
        (message,) = loads(other.replies())
        assert message["clientContent"]["turns"][: len(turns)] == turns
        self.sent_here.append(message)

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def contents(self, key: str) -> list[Any]:
        contents = [message.get("serverContent", {}) for message in self.received_there]
        return [content[key] for content in contents if key in content]


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_runs_without_an_error_and_asks_for_the_same(name: str) -> None:
    replay = Replay(name)
    assert replay.of(ProviderError) == []
    assert isinstance(replay.events[0], SessionOpened)
    assert [list(m) for m in replay.sent_here] == [list(m) for m in replay.sent_there]
    setup, there = replay.sent_here[0]["setup"], replay.sent_there[0]["setup"]
    assert setup | there == setup
    for here, that in zip(replay.sent_here, replay.sent_there, strict=True):
        if "clientContent" in that and that["clientContent"]["turnComplete"]:
            assert here == that
        if "toolResponse" in that:
            assert here == that


@pytest.mark.parametrize("name", NAMES)
def test_every_response_that_begins_is_completed(name: str) -> None:
    replay = Replay(name)
    started = [event.response_id for event in replay.of(ResponseStarted)]
    ends = [(event.response_id, event.status) for event in replay.of(ResponseDone)]
    assert ends == [(response_id, ResponseStatus.COMPLETED) for response_id in started]
    assert len(replay.of(SpeechDone)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_words_and_the_sound_are_those_recorded(name: str) -> None:
    replay = Replay(name)
    there = "".join(entry["text"] for entry in replay.contents("outputTranscription"))
    assert "".join(delta.text for delta in replay.of(TextDelta)) == there != ""
    assert all(delta.spoken for delta in replay.of(TextDelta))
    # Payloads were cut short, some to half a sample.
    chunks = sum(
        "inlineData" in part for turn in replay.contents("modelTurn") for part in turn["parts"]
    )
    assert len(replay.of(AudioChunk)) == chunks
    assert all(chunk.pcm and len(chunk.pcm) % 2 == 0 for chunk in replay.of(AudioChunk))


@pytest.mark.parametrize("name", NAMES)
def test_usage_adds_up_to_the_recorded_totals_and_the_thoughts(name: str) -> None:
    replay = Replay(name)
    totals = [m["usageMetadata"] for m in replay.received_there if "usageMetadata" in m]
    usage = sum((e.usage for e in replay.of(ResponseDone) if e.usage), Usage())
    thoughts = sum(total.get("thoughtsTokenCount", 0) for total in totals)
    assert usage.input_tokens == sum(total["promptTokenCount"] for total in totals) != 0
    assert usage.output_tokens == sum(t["responseTokenCount"] for t in totals) + thoughts


def test_a_spoken_turn() -> None:
    replay = Replay("audio_in_server_vad_turn")
    (committed,) = replay.of(UserTurnCommitted)
    *partials, final = replay.of(UserTranscript)
    assert replay.events.index(committed) < replay.events.index(replay.of(ResponseStarted)[0])
    assert {transcript.item_id for transcript in (*partials, final)} == {committed.item_id}
    there = "".join(entry["text"] for entry in replay.contents("inputTranscription")).strip()
    assert (final.text, final.final) == (there, True)
    assert partials
    assert all(final.text.startswith(partial.text) for partial in partials)


def test_a_tool_round() -> None:
    replay = Replay("tool_call_round")
    (call,) = replay.of(ToolCall)
    (there,) = (m["toolCall"] for m in replay.received_there if "toolCall" in m)
    (entry,) = there["functionCalls"]
    assert (call.id, call.name, call.arguments) == (entry["id"], entry["name"], entry["args"])
    calling, answering = replay.of(ResponseDone)
    assert call.response_id == calling.response_id != answering.response_id
