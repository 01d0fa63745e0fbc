"""The whole native pipeline as one side of the measured calls."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.frames.audio import OutputAudioRawFrame, SpeechOrigin
from crossfade.frames.control import InterruptionFrame
from crossfade.observability.call import CallRecord
from crossfade.observability.unwritten import unwritten_record
from crossfade.pipelines.assembly import Call
from crossfade.pipelines.native_call import native_call
from crossfade.processors.base import Processor
from crossfade.processors.phrases import PhraseStore, Render, Voice
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.tools import tool
from crossfade.providers import SessionConfig, TurnDetection
from crossfade.providers.tap import WireDirection
from crossfade.transports.input import InputTransport
from crossfade.transports.output import OutputTransport

from .call_script import MICROPHONE_HZ
from .call_side import Ear

_OUT_HZ = 24000


@tool
async def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"clear sky over {city}"


class Microphone(InputTransport):
    """An input of ours that says what it is given."""

    def __init__(self) -> None:
        super().__init__(rate_hz=MICROPHONE_HZ)
        self.started = asyncio.Event()

    async def begin(self) -> None:
        self.started.set()


class Earpiece(OutputTransport):
    """An output of ours with somebody who listens."""

    hears = OutputTransport.hears

    def __init__(self, ear: Ear) -> None:
        super().__init__(rate_hz=_OUT_HZ)
        self._ear = ear

    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        self._ear.hear(frame.audio)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        super().note(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._ear.interrupted()


class Line(BaseTransport):
    """The caller's end of the line."""

    def __init__(self, ear: Ear) -> None:
        super().__init__()
        self.microphone = Microphone()
        self._output = Earpiece(ear)

    def input(self) -> FrameProcessor:
        return self.microphone

    def output(self) -> FrameProcessor:
        return self._output


class _Phrases(PhraseStore):
    """Has all phrases, as from the second call in a voice on: the service is not asked for any."""

    def find(self, voice: Voice, text: str) -> bytes | None:
        return bytes(voice.rate_hz)

    async def make(self, voice: Voice, text: str, render: Render) -> None:
        """Nothing is missing."""


class _NoTap:
    def message(self, direction: WireDirection, message: str | bytes) -> None:
        """Nobody listens."""


def _unrecorded() -> CallRecord:
    """A call's record without event log and recorder, and without what they would hear."""
    record = unwritten_record()
    record.tap, record.observers = _NoTap(), []
    return record


class OurCaller:
    """One call of ours."""

    def __init__(self, line: Line, call: Call, folder: contextlib.AsyncExitStack) -> None:
        self._line = line
        self.call = call
        self._folder = folder
        self._over = asyncio.Event()
        self._running = asyncio.create_task(call.run(until=self._wait()))

    async def _wait(self) -> None:
        await self._over.wait()

    async def started(self) -> None:
        started = asyncio.create_task(self._line.microphone.started.wait())
        await asyncio.wait({started, self._running}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            started.cancel()
            await self._running

    async def speak(self, pcm: bytes) -> None:
        self._line.microphone.hear(pcm)

    async def hang_up(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._folder.aclose()


def _processors(call: Call) -> list[FrameProcessor]:
    """All of the chain."""
    waiting: list[FrameProcessor] = [call.worker.pipeline]
    found = []
    while waiting:
        processor = waiting.pop()
        found.append(processor)
        waiting += processor.processors
    return found


def _listen(call: Call, ear: Ear) -> None:
    """Have the ear told of speech that reaches the queue which keeps the pace, and when that
    writes no more."""
    queue = next(p for p in _processors(call) if isinstance(p, PlayoutQueue))
    playout = queue.playout
    add, fall_silent = playout.add, queue.fall_silent

    def heard(origin: SpeechOrigin, pcm: bytes) -> bool:
        ear.ready(pcm)
        return add(origin, pcm)

    def silent() -> None:
        fall_silent()
        ear.hushed()

    playout.add = heard  # type: ignore[method-assign]
    queue.fall_silent = silent  # type: ignore[method-assign]


class Ours:
    """Voice activity, turns, tools, ledger, event log and recording, as `native_call` makes them.

    Args:
        recorded: Whether there are an event log and a recording.
        captured: Whether all that it takes to run a call again is kept, too.
        local_turns: Whether the caller's turns are found here and not by the service.
        tools: Whether there is a tool, which the service calls once a turn.
    """

    def __init__(
        self,
        *,
        recorded: bool = True,
        captured: bool = False,
        local_turns: bool = False,
        tools: bool = True,
    ) -> None:
        self._captured = captured
        self._recorded = recorded
        self._tools = [get_weather] if tools else []
        self._turns = TurnDetection.CALLER if local_turns else TurnDetection.SERVER
        self._calls: list[Call] = []

    async def admit(self, url: str, ear: Ear) -> OurCaller:
        line = Line(ear)
        folder = contextlib.AsyncExitStack()
        call = await folder.enter_async_context(self._opened(url, line))
        self._calls.append(call)
        _listen(call, ear)
        caller = OurCaller(line, call, folder)
        await caller.started()
        return caller

    @contextlib.asynccontextmanager
    async def _opened(self, url: str, line: Line) -> AsyncIterator[Call]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            record = (
                CallRecord.open(path, capture=self._captured) if self._recorded else _unrecorded()
            )
            async with native_call(
                "openai:gpt-realtime-2.1",
                transport=line,
                record=record,
                config=SessionConfig(turn_detection=self._turns),
                tools=self._tools,
                phrases=_Phrases(None),
                base_url=url,
                api_key="none",
                in_rate_hz=MICROPHONE_HZ,
                out_rate_hz=_OUT_HZ,
            ) as call:
                yield call

    def dropped(self) -> int:
        everyone = (processor for call in self._calls for processor in _processors(call))
        return sum(p.overrun for p in everyone if isinstance(p, Processor))


__all__ = ["Ours"]
