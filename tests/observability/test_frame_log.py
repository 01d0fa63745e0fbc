import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pipecat.frames.frames import TextFrame
from pipecat.observers.base_observer import BaseObserver, FrameProcessed, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from crossfade.conversation.tools import ToolCall
from crossfade.conversation.usage import Usage
from crossfade.frames.audio import (
    InputAudioRawFrame,
    PlayedSpeech,
    SpeechFrame,
    SpeechOrigin,
    SpeechPlayedFrame,
)
from crossfade.frames.continuity import (
    AudioLostFrame,
    SessionContinuedFrame,
    SessionLostFrame,
)
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    UserStartedSpeakingFrame,
    UserTurnCommittedFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import (
    SpokenTextFrame,
    TextType,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
)
from crossfade.frames.tools import AcknowledgeFrame, FunctionCallResultFrame, ToolCallsFrame
from crossfade.observability.frame_log import Fields, FrameLog, describe
from crossfade.observability.frame_watch import WatchedPipeline
from crossfade.providers import Profile
from crossfade.providers.events import Handover
from tests.clock import run

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs/event-log.schema.json").read_text())
)
ORIGIN = SpeechOrigin(item_id="item", response_id="resp")

NOTED: list[tuple[Frame, Fields]] = [
    (UserStartedSpeakingFrame(), {}),
    (BotStartedSpeakingFrame(), {}),
    (InterruptionFrame(), {}),
    (UserTurnCommittedFrame(item_id="item"), {"item_id": "item"}),
    (
        UserTranscriptFrame(text="hello", user_id="", timestamp="", item_id="item"),
        {"item_id": "item", "text": "hello", "final": True},
    ),
    (
        UserPartialTranscriptFrame(text="he", user_id="", timestamp="", item_id="item"),
        {"item_id": "item", "text": "he", "final": False},
    ),
    (ResponseStartFrame(response_id="resp"), {"response_id": "resp", "injected": False}),
    (
        ResponseEndFrame(
            response_id="resp", status="failed", usage=Usage(input_text_tokens=3), reason="quota"
        ),
        {
            "response_id": "resp",
            "status": "failed",
            "reason": "quota",
            "usage": {name: 3 * (name == "input_text_tokens") for name in Usage.__slots__},
        },
    ),
    (
        SpokenTextFrame(
            text="Sunny.", text_type=TextType.WORD, context_id="item", response_id="resp"
        ),
        {"item_id": "item", "text": "Sunny.", "response_id": "resp", "injected": False},
    ),
    (
        ToolCallsFrame.of("resp", (ToolCall(id="c", name="weather", arguments={"city": "Tokyo"}),)),
        {
            "response_id": "resp",
            "calls": [{"call_id": "c", "name": "weather", "arguments": {"city": "Tokyo"}}],
        },
    ),
    (
        FunctionCallResultFrame(
            function_name="weather", tool_call_id="c", arguments={}, result={"sky": "clear"}
        ),
        {"call_id": "c", "name": "weather", "result": {"sky": "clear"}, "is_error": False},
    ),
    (AcknowledgeFrame(call_id="c", text="One moment."), {"call_id": "c", "text": "One moment."}),
    (
        SpeechPlayedFrame(
            items=(PlayedSpeech(origin=ORIGIN, played_ms=20, received_ms=90.5),), interrupted=True
        ),
        {
            "items": [
                {"item_id": "item", "response_id": "resp", "played_ms": 20, "received_ms": 90.5}
            ],
            "interrupted": True,
        },
    ),
    (UserImageFrame(b"picture", "image/png"), {"media_type": "image/png", "size_bytes": 7}),
    (SessionLostFrame("gone"), {"reason": "gone"}),
    (SessionLostFrame("gone", "1006"), {"reason": "gone", "code": "1006"}),
    (
        SessionContinuedFrame(
            why=Handover.FAILOVER,
            provider="gemini:m",
            session_id="s",
            profile=Profile(model="m", input_rate_hz=16000, output_rate_hz=24000),
            gap_ms=80.0,
        ),
        {
            "why": "failover",
            "provider": "gemini:m",
            "session_id": "s",
            "resumed": False,
            "open_calls": False,
            "gap_ms": 80.0,
            "replayed_ms": 0.0,
        },
    ),
    (AudioLostFrame(250.0), {"lost_ms": 250.0}),
    (ErrorFrame(error="it broke"), {"error": "it broke", "processor": None}),
    (EndFrame(), {}),
]


@pytest.mark.parametrize(
    ("frame", "fields"), NOTED, ids=[type(frame).__name__ for frame, _ in NOTED]
)
def test_a_frame_of_note_is_described_as_the_schema_says(frame: Frame, fields: Fields) -> None:
    assert describe(frame) == fields
    SCHEMA.validate({"t": 0, "dir": "frame", "type": type(frame).__name__, **fields})


@pytest.mark.parametrize(
    "frame",
    [
        InputAudioRawFrame(audio=b"", sample_rate=16000, num_channels=1),
        SpeechFrame(audio=b"", sample_rate=16000, num_channels=1, origin=ORIGIN),
    ],
)
def test_audio_is_not_described(frame: Frame) -> None:
    assert describe(frame) is None


BAD = "bad"
"""A response on which the log fails."""


class Passing(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


async def observe(
    *frames: Frame, broadcasts: int = 0, watched: bool, others: Sequence[BaseObserver] = ()
) -> list[tuple[str, Fields]]:
    """Run frames through a chain of three; the middle one broadcasts interruptions."""
    seen: list[tuple[str, Fields]] = []

    def tell(frame: Frame, fields: Fields) -> None:
        seen.append((type(frame).__name__, fields))
        if fields.get("response_id") == BAD:
            raise ValueError(BAD)

    log = FrameLog(tell)
    middle = Passing()
    chain = [Passing(), middle, Passing()]
    worker = PipelineWorker(
        WatchedPipeline(chain, [log]) if watched else Pipeline(chain),
        observers=[*others] if watched else [log, *others],
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)

    async def drive() -> None:
        await worker.queue_frames(frames)
        await asyncio.sleep(1)
        for _ in range(broadcasts):
            await middle.broadcast_interruption()
        await asyncio.sleep(1)
        await worker.queue_frame(EndFrame())

    driving = asyncio.create_task(drive())
    await runner.run()
    await driving
    return seen


def kinds(seen: list[tuple[str, Any]]) -> list[str]:
    return [kind for kind, _ in seen]


WATCHED = pytest.mark.parametrize("watched", [True, False])


@WATCHED
def test_a_frame_is_told_once_however_many_processors_it_passes(watched: bool) -> None:
    frames = UserStartedSpeakingFrame(), ResponseStartFrame(response_id="r")
    seen = run(observe(*frames, watched=watched))
    assert kinds(seen) == [
        "StartFrame",
        "UserStartedSpeakingFrame",
        "ResponseStartFrame",
        "EndFrame",
    ]


@WATCHED
def test_a_broadcast_is_told_once(watched: bool) -> None:
    seen = run(observe(broadcasts=3, watched=watched))
    assert kinds(seen).count("InterruptionFrame") == 3


class Other(BaseObserver):
    """One of the application's."""

    def __init__(self) -> None:
        super().__init__()
        self.pushed = self.processed = 0

    async def on_push_frame(self, data: FramePushed) -> None:
        self.pushed += isinstance(data.frame, TextFrame)

    async def on_process_frame(self, data: FrameProcessed) -> None:
        self.processed += isinstance(data.frame, TextFrame)


@WATCHED
def test_other_observers_see_all_and_the_log_what_is_of_note(watched: bool) -> None:
    other = Other()
    seen = run(observe(TextFrame("nothing of note"), watched=watched, others=[other]))
    assert kinds(seen) == ["StartFrame", "EndFrame"]
    assert other.pushed >= 3
    assert other.processed >= 3


def test_a_log_that_fails_on_a_frame_is_told_the_next() -> None:
    async def scenario() -> list[str]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
        frames = ResponseStartFrame(response_id=BAD), ResponseStartFrame(response_id="good")
        return [f.get("response_id", "") for _, f in await observe(*frames, watched=True)]

    failed: list[dict[str, Any]] = []
    assert run(scenario()) == ["", BAD, "good", ""]
    assert str(failed[0]["exception"]) == BAD
