"""What a browser by WebRTC is told of its call, and what it may say, in RTVI's words.

pipecat's observer makes the messages. What comes is read here: its RTVIProcessor would also take
results of tools, sound and files from a browser.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import InputDTMFFrame, InputTransportMessageFrame
from pipecat.processors.frameworks.rtvi.models import (
    PROTOCOL_VERSION,
    BotInterruptedMessage,
    BotReady,
    BotReadyData,
    BotStoppedSpeakingMessage,
    BotTTSStartedMessage,
    TTSRawTextMessage,
)
from pipecat.processors.frameworks.rtvi.observer import (
    RTVIFunctionCallReportLevel,
    RTVIObserver,
    RTVIObserverParams,
)
from pydantic import BaseModel

from crossfade.frames.control import Frame
from crossfade.frames.text import InputTextRawFrame
from crossfade.processors.base import FrameDirection, Processor

from .rtvi_sentences import Sentences
from .webrtc_line import RTVI_LABEL, WebRtcLine
from .websocket import MOST_ACTS_A_MINUTE
from .websocket_messages import KEYS

MOST_CHARACTERS = 4096
"""Of what the caller writes at once."""


class RtviObserver(RTVIObserver):
    """Tells the browser what happens in the chain.

    Args:
        line: To the browser.
        details: Whether it is told of tools and figures.
        shown: What of a message may be shown.
    """

    def __init__(
        self,
        line: WebRtcLine,
        *,
        details: bool,
        shown: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> None:
        level = RTVIFunctionCallReportLevel
        super().__init__(
            params=RTVIObserverParams(
                user_llm_enabled=False,
                # Ours are whole sentences, of those that are raw here.
                bot_output_enabled=False,
                tts_raw_text_enabled=True,
                metrics_enabled=details,
                function_call_report_level={"*": level.FULL if details else level.DISABLED},
            )
        )
        self._line = line
        self._shown = shown
        self._sentences = Sentences()

    async def send_rtvi_message(self, model: BaseModel, exclude_none: bool = True) -> None:
        """Send a message by the browser's data channel."""
        match model:
            case TTSRawTextMessage():
                self._say(self._sentences.add(model.data.text))
                return
            case BotTTSStartedMessage() | BotStoppedSpeakingMessage() | BotInterruptedMessage():
                self._say(self._sentences.end())
        self._say([model.model_dump(mode="json", exclude_none=exclude_none)])

    def heard(self, text: str, *, interrupted: bool) -> None:
        """Tell how much of an answer was heard."""
        self._say(self._sentences.heard(text, over=interrupted))

    def _say(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self._line.say(self._shown(message))


class RtviGate(Processor):
    """Reads what the browser says; what a caller may not do is passed over.

    Args:
        line: To the browser.
        on_hung_up: Told that the caller hangs up.
    """

    hears: ClassVar[tuple[type[Frame], ...] | None] = (InputTransportMessageFrame,)

    def __init__(self, line: WebRtcLine, *, on_hung_up: Callable[[], None]) -> None:
        super().__init__()
        self._line = line
        self._on_hung_up = on_hung_up
        self._acts: deque[float] = deque()

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputTransportMessageFrame):
            message = frame.message
            if isinstance(message, dict) and message.get("label") == RTVI_LABEL:
                self._said(message)
            return
        await self.push_frame(frame, direction)

    def _said(self, message: dict[str, Any]) -> None:
        given = message.get("data")
        data = given if isinstance(given, dict) else {}
        match message.get("type"):
            case "client-ready":
                ready = BotReady(id=str(message.get("id", "")), data=_about_us())
                self._line.say(ready.model_dump(exclude_none=True))
            case "disconnect-bot":
                self._on_hung_up()
            case "send-text" if self._may_act():
                self._written(data.get("content"))
            case "dtmf" if self._may_act():
                self._pressed(data.get("buttons"))

    def _may_act(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        while self._acts and self._acts[0] <= now_s - 60:
            self._acts.popleft()
        if len(self._acts) >= MOST_ACTS_A_MINUTE:
            return False
        self._acts.append(now_s)
        return True

    def _written(self, text: object) -> None:
        if isinstance(text, str) and text.strip() and len(text) <= MOST_CHARACTERS:
            self.emit(InputTextRawFrame(text=text))

    def _pressed(self, keys: object) -> None:
        if not isinstance(keys, list) or len(keys) > len(KEYS):
            return
        for key in keys:
            if isinstance(key, str) and key in KEYS:
                self.emit(InputDTMFFrame(button=KeypadEntry(key)))


def _about_us() -> BotReadyData:
    return BotReadyData(version=PROTOCOL_VERSION, about={"library": "crossfade"})


__all__ = ["RtviGate", "RtviObserver"]
