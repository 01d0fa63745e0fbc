"""The agent's side of a call over our WebSocket: sound out, and how much of it was heard."""

import asyncio
import math
import secrets
from collections import deque
from collections.abc import Callable

from crossfade.frames.audio import OutputAudioRawFrame, TTSStartedFrame, TTSStoppedFrame
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
    ResponseEndFrame,
)
from crossfade.frames.text import SpokenTextFrame
from crossfade.processors.base import DOWNSTREAM, UPSTREAM, FrameDirection

from .attachment import Attachment
from .output import OutputTransport
from .websocket_messages import HeardSpeech, Played, write_message

TRUST_REPORT_S = 0.3
"""A client that plays is taken to play on for so long after a report."""
FURTHEST_BEHIND_S = 1.0
"""How far a client's reports may lag behind what was written, before the playout waits for it."""
_CAUGHT_UP_S = 0.2
_STREAMS = 2**40
PATIENCE_S = 5.0
"""A client that is waited for, and has reported nothing for so long, is dropped."""


class WebSocketOutput(OutputTransport):
    """Writes the agent's speech to the attached client; without one, the playout is held.

    What was heard is known best from the client's reports, carried on by the clock for 300 ms;
    it errs by what the report took to come, and never tells too much while the client plays on.
    Of a client that does not report it is reckoned from the pace of writing, and errs by what
    the client buffers. A response counts as heard when its last sample has been written.

    What a client had not heard when its line died is written again to the next attachment.
    A client whose reports lag by a second holds the playout until it has caught up; after five
    seconds without a report its line is cut, and it may attach again.

    Args:
        rate_hz: Rate of the audio, mono.
        unsure: Whether the call may be another process's by now; then nothing sounds until
            `go_on`.
    """

    hears = (
        TTSStartedFrame,
        TTSStoppedFrame,
        InterruptionFrame,
        PlayoutResumeFrame,
        SpokenTextFrame,
        ResponseEndFrame,
    )

    def __init__(
        self,
        *,
        rate_hz: int,
        unsure: Callable[[], bool] = lambda: False,
        name: str | None = None,
    ) -> None:
        super().__init__(rate_hz=rate_hz, name=name)
        self._unsure = unsure
        self._held_back: list[bytes] | None = None
        """A frame or two, since the playout is held with the first; None while it is not."""
        self._socket: Attachment | None = None
        self._reports = False
        self._silent_since_s = -math.inf
        """When the last client went, or none has come yet."""
        # Of its own: a client that comes from another process speaks of that one's streams.
        self._stream = secrets.randbelow(_STREAMS)
        self._written = 0
        self._reported = 0
        self._reported_at_s = 0.0
        self._furthest_samples = round(FURTHEST_BEHIND_S * rate_hz)
        self._counted = 0
        """Counts as heard though nobody reported it: the ends of responses."""
        self._responses: deque[str] = deque()
        """Those that speak, in the order in which they are played."""
        self._spoken: dict[str, int] = {}
        """Samples written of each of them."""
        self._announced: str | None = None
        self._waits = False
        self.speaking = False
        """Whether the agent is speaking, for the caller's ear."""

    # What the transport calls

    @property
    def stream(self) -> int:
        """The number that positions count in; a new one begins with each attachment and clear."""
        return self._stream

    def attach(self, socket: Attachment, *, reports: bool, heard: HeardSpeech | None) -> None:
        """Write to this client from now on, first what the one before did not hear."""
        if heard is not None and heard.stream == self._stream:
            self._reported = max(self._reported, min(heard.samples, self._written))
        if self.open:
            self.pass_on_heard()
        self._socket, self._reports = socket, reports
        if self._responses:
            first = self._responses[0]
            self._spoken[first] = max(0, self._spoken.get(first, 0) - self.unheard_samples)
        self._begin_stream()
        self.write_again()
        if self.open:
            self.emit(PlayoutResumeFrame(), UPSTREAM)

    def detach(self) -> None:
        """The client is gone: nothing sounds until the next one comes."""
        if self._socket is None:
            return
        if self.open:
            self.pass_on_heard()
            self.emit(PlayoutHoldFrame(), UPSTREAM)
        self._socket, self._waits = None, False
        self._silent_since_s = asyncio.get_running_loop().time()

    def played(self, report: Played) -> None:
        """The client tells what it has played."""
        if report.stream != self._stream:
            return
        # What was heard by that goes on with the next beat that looks.
        self._reported = max(self._reported, min(report.samples, self._written))
        self._reported_at_s = asyncio.get_running_loop().time()
        if self._waits and self._behind_s() <= _CAUGHT_UP_S:
            self._waits = False
            self.emit(PlayoutResumeFrame(), UPSTREAM)

    def go_on(self) -> None:
        """The call is still this process's: what was held back sounds."""
        held, self._held_back = self._held_back, None
        if self._socket is None or held is None:
            return
        for pcm in held:
            self._socket.write(pcm, text=False)
        if not self._waits:
            self.emit(PlayoutResumeFrame(), UPSTREAM)

    def tell(self, message: bytes) -> None:
        """Send a control message, if a client is there."""
        if self._socket is not None:
            self._socket.write(message, text=True)

    # The chain's side

    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        response_id = self._responses[0] if self._responses else ""
        spoken = self._spoken.get(response_id, 0)
        if self._announced != response_id:
            self._announce(response_id, spoken)
        samples = frame.num_frames
        self._spoken[response_id] = spoken + samples
        if not self._written:
            self._reported_at_s = asyncio.get_running_loop().time()
        self._written += samples
        if self._socket is None:
            return
        if self._unsure():
            self._hold_back(frame.audio)
            return
        self._socket.write(frame.audio, text=False)
        # Of most chunks this tells that nobody is behind, and no more need be asked.
        if self._written - self._reported > self._furthest_samples:
            self._wait_if_behind()

    def _announce(self, response_id: str, spoken: int) -> None:
        self._announced = response_id
        self.tell(
            write_message(
                "speech",
                response_id=response_id,
                stream=self._stream,
                at_sample=self._written,
                response_ms=round(spoken * 1000 / self._rate_hz, 1),
            )
        )

    def _wait_if_behind(self) -> None:
        if self._reports and not self._waits and self._behind_s() > FURTHEST_BEHIND_S:
            self._waits = True
            self.emit(PlayoutHoldFrame(), UPSTREAM)

    def _hold_back(self, pcm: bytes) -> None:
        if self._held_back is None:
            self._held_back = []
            self.emit(PlayoutHoldFrame(), UPSTREAM)
        self._held_back.append(pcm)

    def heard_until_s(self, now_s: float) -> float:
        if self._socket is None:
            now_s = min(now_s, self._silent_since_s)
        if not self._reports:
            return now_s
        if self._waits and now_s > self._reported_at_s + PATIENCE_S and self._socket is not None:
            self._socket.abort()
        trusted_s = min(max(0.0, now_s - self._reported_at_s), TRUST_REPORT_S)
        if self._socket is None:
            trusted_s = 0.0
        heard = max(self._counted, self._reported + int(trusted_s * self._rate_hz))
        return self.end_of_heard_s(heard - self._written + self.unheard_samples)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        ends = direction is DOWNSTREAM and isinstance(frame, TTSStoppedFrame)
        if ends and self._socket is not None:
            self._counted = self._written
        super().note(frame, direction)
        if direction is not DOWNSTREAM:
            return
        match frame:
            case TTSStartedFrame(context_id=str(response_id)):
                self._responses.append(response_id)
            case TTSStoppedFrame(context_id=str(response_id)):
                if response_id in self._responses:
                    self._responses.remove(response_id)
                self._spoken.pop(response_id, None)
            case InterruptionFrame():
                self._clear()
            case PlayoutResumeFrame() if self._socket is None:
                self.emit(PlayoutHoldFrame(), UPSTREAM)
            case SpokenTextFrame():
                self.tell(
                    write_message(
                        "transcript",
                        role="agent",
                        response_id=frame.response_id,
                        text=frame.text,
                        final=False,
                    )
                )
            case ResponseEndFrame():
                self.tell(
                    write_message("response", response_id=frame.response_id, status=frame.status)
                )

    def _tell(self, kind: type[Frame]) -> None:
        if kind is BotStartedSpeakingFrame:
            self.speaking = True
        elif kind is BotStoppedSpeakingFrame:
            self.speaking = False
        super()._tell(kind)

    def _clear(self) -> None:
        """The caller interrupts: what was written and not heard is not to be heard any more."""
        self.forget_unheard()
        self._responses.clear()
        self._spoken.clear()
        self._waits = False
        self._begin_stream()
        self.tell(write_message("clear", stream=self._stream))

    def _begin_stream(self) -> None:
        self._stream += 1
        self._written = self._reported = self._counted = 0
        self._announced = None
        if self._held_back is not None:
            self._held_back = []

    def _behind_s(self) -> float:
        return (self._written - max(self._reported, self._counted)) / self._rate_hz


__all__ = ["FURTHEST_BEHIND_S", "PATIENCE_S", "TRUST_REPORT_S", "WebSocketOutput"]
