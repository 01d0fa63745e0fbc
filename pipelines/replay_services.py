"""Services of a cascade that answer what they answered in a captured call."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pipecat.frames.frames import AggregatedTextFrame, LLMContextFrame, ServiceUpdateSettingsFrame
from pipecat.processors.frame_processor import (
    FrameDirection,
    FrameProcessor,
    FrameProcessorSetup,
)

from crossfade.errors import CrossfadeError, SettingsError
from crossfade.frames.audio import InputAudioRawFrame
from crossfade.frames.control import ErrorFrame, Frame, InterruptionFrame

from .service_frames import asked, frame_of, is_mark, mark_of

_TAKEN = (AggregatedTextFrame, InputAudioRawFrame, LLMContextFrame, ServiceUpdateSettingsFrame)


class ReplayedService(FrameProcessor):
    """Stands for a recogniser, a text model or a synthesiser, and says what it is told to.

    Args:
        name: As the service was called.
        in_segments: Of a recogniser: whether it gave one final transcript for each stretch of local
            voice activity.
        came: Told of each thing that it is asked, as the capture keeps it.
        ready: Called when it has been set up.
    """

    def __init__(
        self,
        name: str,
        *,
        in_segments: bool,
        came: Callable[[str], None],
        ready: Callable[[], None],
    ) -> None:
        super().__init__(name=name)
        self.in_segments = in_segments
        self._came = came
        self._ready = ready
        self._held: deque[Frame] = deque()

    def register_function(self, *_: object) -> None:
        """The chain's dispatcher runs tools, as it did."""

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        self._ready()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass on what passes, and note what is asked."""
        await super().process_frame(frame, direction)
        if (body := asked(frame)) is not None:
            self._came(orjson.dumps(body, default=str).decode())
        if isinstance(frame, InterruptionFrame):
            self._held.clear()
        if is_mark(frame):
            self._held.append(frame)
        elif not isinstance(frame, _TAKEN):
            await self.push_frame(frame, direction)

    async def answer(self, text: str) -> None:
        """Say what was said in the captured call.

        Raises:
            SettingsError: Somebody changed it.
        """
        try:
            body = orjson.loads(text)
            await self._say(body)
        except (LookupError, TypeError, ValueError) as error:
            raise SettingsError(
                f"the capture holds an answer of {self.name} that cannot be read; use the version "
                "of Crossfade that made it, and a capture that nobody changed"
            ) from error

    async def _say(self, body: Mapping[str, Any]) -> None:
        if (mark := mark_of(body)) is not None:
            if self._held and isinstance(self._held[0], mark):
                await self.push_frame(self._held.popleft())
        elif body["type"] == ErrorFrame.__name__:
            if body["ends"]:
                await self.set_usable(False)
            # As the chain was told of it: nothing is to be added.
            cause = CrossfadeError(body["error"])
            error = ErrorFrame(error=body["error"], processor=self, exception=cause)
            await self.push_frame(error, FrameDirection.UPSTREAM)
        elif (frame := frame_of(body)) is not None:
            await self.push_frame(frame)


__all__ = ["ReplayedService"]
