"""Recorded sessions with the real services, where their folder is given by CROSSFADE_RECORDINGS.

Each is replayed by a server on loopback, which also checks what our side sends.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from crossfade.providers import RealtimeSession, connect
from crossfade.providers.events import (
    AudioChunk,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionOpened,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    UserTranscript,
)
from tests.clock import run
from tests.providers.loopback import settle
from tests.providers.replay.caller import caller_of
from tests.providers.replay.server import ReplayServer
from tests.providers.replay.session_file import load
from tests.providers.wires import Heard

FOLDER = os.environ.get("CROSSFADE_RECORDINGS")
NAMES = (
    "audio_in_server_vad_turn",
    "message_history_seeding",
    "text_in_audio_out_turn",
    "tool_call_round",
)
WIRES = ("openai", "gemini")
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason=f"CROSSFADE_RECORDINGS is not set: {len(NAMES) * len(WIRES)} recordings"
)
every_recording = pytest.mark.parametrize("name", NAMES)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What the session must tell of a recording."""

    responses: int
    words: str
    """Of the agent."""
    spoken: bool
    chunks: int
    """Of audio."""
    user_words: str
    calls: list[tuple[str, str, Any]]
    tokens: list[tuple[int, int, int]]
    """Input, output and cached ones of each response that tells them."""


class Replay:
    """One recording, run through a session."""

    def __init__(self, wire: str, name: str) -> None:
        assert FOLDER is not None
        self.steps = load(Path(FOLDER) / wire / f"{name}.yaml")
        self.heard = Heard()
        run(self._main(wire))
        self.received = [step.data for step in self.steps if not step.sent]

    async def _main(self, wire: str) -> None:
        caller = caller_of(self.steps)
        async with (
            ReplayServer(self.steps, binary=wire == "gemini") as server,
            connect(
                f"{wire}:{caller.model}",
                caller.config,
                base_url=server.url,
                api_key="key",
                history=caller.history,
            ) as session,
        ):
            listening = asyncio.create_task(self._listen(session))
            for index, acts in [*caller.acts.items(), (len(self.steps), [])]:
                await server.reached(index)
                await settle()
                for act in acts:
                    await act(session)
            await session.close()
            await listening

    async def _listen(self, session: RealtimeSession) -> None:
        async for event in session:
            self.heard.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return self.heard.of(kind)


def openai_truth(received: Sequence[Any]) -> Truth:
    """What a recording of OpenAI's wire says by itself."""

    def of(kind: str) -> list[Any]:
        return [message for message in received if message["type"] == kind]

    usages = [message["response"]["usage"] for message in of("response.done")]
    return Truth(
        responses=len(usages),
        words="".join(
            [m["transcript"] for m in of("response.output_audio_transcript.done")]
            + [m["text"] for m in of("response.output_text.done")]
        ),
        spoken=bool(of("response.output_audio.delta")),
        chunks=len(of("response.output_audio.delta")),
        user_words="".join(
            m["transcript"] for m in of("conversation.item.input_audio_transcription.completed")
        ),
        calls=[
            (m["call_id"], m["name"], orjson.loads(m["arguments"]))
            for m in of("response.function_call_arguments.done")
        ],
        tokens=[
            (
                usage["input_tokens"],
                usage["output_tokens"],
                usage["input_token_details"]["cached_tokens"],
            )
            for usage in usages
        ],
    )


def gemini_truth(received: Sequence[Any]) -> Truth:
    """What a recording of Gemini's wire says by itself."""
    contents = [message["serverContent"] for message in received if "serverContent" in message]
    parts = [part for content in contents for part in content.get("modelTurn", {}).get("parts", [])]
    calls = [
        call
        for message in received
        if "toolCall" in message
        for call in message["toolCall"]["functionCalls"]
    ]
    usages = [message["usageMetadata"] for message in received if "usageMetadata" in message]

    def words(key: str) -> str:
        return "".join(content[key]["text"] for content in contents if key in content).strip()

    return Truth(
        # The response that calls a tool tells no usage.
        responses=len(usages) + len(calls),
        words=words("outputTranscription"),
        spoken=True,
        chunks=sum("inlineData" in part for part in parts),
        user_words=words("inputTranscription"),
        calls=[(call["id"], call["name"], call["args"]) for call in calls],
        tokens=[
            (
                usage["promptTokenCount"],
                usage["responseTokenCount"] + usage.get("thoughtsTokenCount", 0),
                0,
            )
            for usage in usages
        ],
    )


TRUTHS = {"openai": openai_truth, "gemini": gemini_truth}


@every_recording
@pytest.mark.parametrize("wire", WIRES)
def test_a_recording_replays_and_is_understood(wire: str, name: str) -> None:
    replay = Replay(wire, name)
    truth = TRUTHS[wire](replay.received)
    heard = replay.heard
    heard.check_order()
    assert isinstance(heard.events[0], SessionOpened)
    assert heard.errors == []
    assert [done.status for done in heard.of(ResponseDone)] == (
        [ResponseStatus.COMPLETED] * truth.responses
    )
    assert len(heard.of(ResponseStarted)) == truth.responses
    assert heard.words.strip() == truth.words != ""
    assert {delta.spoken for delta in heard.of(TextDelta)} == {truth.spoken}
    assert len(heard.of(AudioChunk)) == truth.chunks
    assert heard.user_words == truth.user_words
    assert [(call.id, call.name, call.arguments) for call in heard.calls] == truth.calls
    usages = [done.usage for done in heard.of(ResponseDone) if done.usage is not None]
    assert [
        (usage.input_tokens, usage.output_tokens, usage.cached_tokens) for usage in usages
    ] == truth.tokens


def test_the_times_of_a_spoken_turn_are_those_recorded() -> None:
    replay = Replay("openai", "audio_in_server_vad_turn")
    there = {message["type"].rpartition(".")[2]: message for message in replay.received}
    (started,), (stopped,) = replay.of(SpeechStarted), replay.of(SpeechStopped)
    assert (started.item_id, started.at_ms) == (
        there["speech_started"]["item_id"],
        there["speech_started"]["audio_start_ms"],
    )
    assert stopped.at_ms == there["speech_stopped"]["audio_end_ms"]


@pytest.mark.parametrize("wire", WIRES)
def test_partial_transcripts_grow_to_the_final_one(wire: str) -> None:
    *partials, final = Replay(wire, "audio_in_server_vad_turn").of(UserTranscript)
    assert final.final
    assert partials
    assert all(final.text.startswith(partial.text.rstrip(".")) for partial in partials)
