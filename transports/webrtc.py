"""Calls of browsers by WebRTC: pipecat's SmallWebRTC transport, as a server's calls know theirs."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from pipecat.observers.base_observer import BaseObserver
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport, TransportParams

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.frames.audio import InputAudioRawFrame, SpeechPlayedFrame
from crossfade.processors.metronome import PERIOD_MS

from .attachment import Attachment
from .webrtc_line import WebRtcLine
from .webrtc_rtvi import RtviGate, RtviObserver
from .webrtc_stock import StockTransport
from .webrtc_watch import LineWatch
from .websocket_messages import CloseCode, Hello

_CHUNKS_10MS = 2
DRAIN_S = 0.08
"""What pipecat's transport has taken of the agent's speech is on its way by then."""


class WebRtcTransport(BaseTransport):
    """The transport of one call. Its browser may lose the way, and come back by another.

    What was heard is reckoned from the pace at which sound is sent. It is told too early, by what
    the network takes and the browser buffers; what was sent in the last 0.6 s of a line that died
    counts as heard, though it was not.

    Args:
        line: Of the browser.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        received_samples: So much of the caller's audio was received before, in another process.
        heard_again: The last of it, s16le mono, that nobody answered, and that `hear_again` puts
            before what comes.
        details: Whether the browser is told of tools and figures.
        shown: What of a message to the browser may be shown.
    """

    def __init__(
        self,
        line: WebRtcLine,
        *,
        in_rate_hz: int = 16000,
        out_rate_hz: int = 24000,
        received_samples: int = 0,
        heard_again: bytes = b"",
        details: bool = True,
        shown: Callable[[dict[str, Any]], dict[str, Any]] = lambda message: message,
    ) -> None:
        super().__init__()
        self.in_rate_hz = in_rate_hz
        self.out_rate_hz = out_rate_hz
        self.on_node: Callable[[str], None] = lambda name: None
        self._line = line
        self._heard_again = heard_again
        again = len(heard_again) // SAMPLE_BYTES
        self._stock = StockTransport(
            line.connection,
            TransportParams(
                audio_in_enabled=True,
                audio_in_sample_rate=in_rate_hz,
                audio_out_enabled=True,
                audio_out_sample_rate=out_rate_hz,
                audio_out_10ms_chunks=_CHUNKS_10MS,
                audio_out_end_silence_secs=0,
            ),
        )
        self._watch = LineWatch(line, received_samples=received_samples - again)
        self._gate = RtviGate(line, on_hung_up=self._hang_up)
        self._observer = RtviObserver(line, details=details, shown=shown)
        self._hung_up = asyncio.Event()
        self._attached = self._was_connected = False
        self._began_s = asyncio.get_running_loop().time()
        line.on_hung_up = self._hang_up
        line.on_connected = self._connected

    def input(self) -> FrameProcessor:
        return self._stock.input()

    def output(self) -> FrameProcessor:
        return self._stock.output()

    @property
    def entry(self) -> Sequence[FrameProcessor]:
        """What stands behind the input, and reads what it brings."""
        return (self._watch, self._gate)

    @property
    def observers(self) -> Sequence[BaseObserver]:
        """Of the chain, for the browser."""
        return (self._observer,)

    @property
    def received_samples(self) -> int:
        """How much of the caller's audio was heard, from the call's beginning."""
        return self._watch.received_samples

    @property
    def taken_samples(self) -> int:
        """The same: nothing waits."""
        return self._watch.received_samples

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks."""
        return not (self._watch.user_speaks or self._watch.agent_speaks)

    @property
    def client_spoke(self) -> bool:
        """Whether the way to the browser was found once."""
        return self._was_connected

    @property
    def detached_since_s(self) -> float | None:
        """When the last sign of life came; None while they come, or the way is looked for."""
        if not self._attached:
            return self._began_s
        if not self._was_connected and self._line.is_open:
            return None
        return self._watch.dead_since_s

    def attach(self, socket: Attachment, hello: Hello, *, ready: Callable[[int], bytes]) -> None:
        """Tell the line its token; how it finds its way is negotiated beside.

        Pipecat's transport has one line alone: another, of whatever kind, is sent away.
        """
        if socket is not self._line:
            socket.deliver_to(None)
            socket.close_soon(CloseCode.REFUSED, "the call is one by WebRTC")
            return
        self._attached = True
        socket.write(ready(0), text=True)

    async def answer_again(self, sdp: str, *, restart: bool) -> str:
        """Take another offer of the browser, as `WebRtcLine.answer_again`; nothing is played
        meanwhile, if it begins anew.

        Raises:
            CallerError: It is none that can be answered.
        """
        if restart:
            self._watch.hold()
            await asyncio.sleep(DRAIN_S)
        answer = await self._line.answer_again(sdp, restart=restart)
        if restart:
            self._stock.output().forget()
        return answer

    def hear_again(self) -> None:
        """Have the chain, which runs, hear what the caller said in another process."""
        if self._heard_again:
            self._hearing = asyncio.create_task(self._hear_again(), name="hear again")

    async def _hear_again(self) -> None:
        pcm, self._heard_again = self._heard_again, b""
        frame_bytes = self.in_rate_hz * PERIOD_MS // 1000 * SAMPLE_BYTES
        for cut in range(0, len(pcm), frame_bytes):
            frame = pcm[cut : cut + frame_bytes]
            await self._stock.input().push_audio_frame(
                InputAudioRawFrame(audio=frame, sample_rate=self.in_rate_hz, num_channels=1)
            )

    def tell(self, message: bytes) -> None:
        """Tell the line its next token; the rest is told in RTVI's words."""
        self._line.write(message, text=True)

    def tell_detail(self, message: bytes) -> None:
        """Tell how much was heard of an answer; the observer tells the rest by itself."""
        told = orjson.loads(message)
        if told["type"] == "heard":
            self._observer.heard(told["text"], interrupted=told["interrupted"])

    def on_played(self, tell: Callable[[SpeechPlayedFrame], None]) -> None:
        """Have a function told what was heard of the agent, when the conversation has it."""
        self._watch.on_played = tell

    def go_on(self) -> None:
        """Nothing: a browser whose call went elsewhere has another connection there."""

    def detach(self, socket: Attachment) -> None:
        """Nothing: the line's own signs of life tell."""

    def close(self, code: CloseCode, reason: str, last_message: bytes | None = None) -> None:
        """Send the browser away."""
        self._line.close_soon(code, reason)

    async def hung_up(self) -> None:
        """Wait until the caller hangs up."""
        await self._hung_up.wait()

    def _connected(self) -> None:
        self._was_connected = True

    def _hang_up(self) -> None:
        self._hung_up.set()


__all__ = ["WebRtcTransport"]
