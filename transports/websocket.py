"""Our own WebSocket transport: a call whose client may come and go. Protocol: docs/websocket.md."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import InputDTMFFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.errors import CallerError
from crossfade.frames.audio import SpeechPlayedFrame
from crossfade.frames.control import Frame, UserStartedSpeakingFrame, UserStoppedSpeakingFrame
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import InputTextRawFrame, UserPartialTranscriptFrame, UserTranscriptFrame
from crossfade.processors.base import UPSTREAM, FrameDirection
from crossfade.processors.metronome import PERIOD_MS

from .attachment import Attachment
from .input import InputTransport
from .message_rate import MessageRate
from .websocket_messages import (
    Chosen,
    CloseCode,
    Goodbye,
    Hello,
    Microphone,
    Ping,
    Played,
    Pressed,
    Shown,
    Written,
    read_message,
    write_message,
)
from .websocket_output import WebSocketOutput
from .websocket_turns import sound_turns

MOST_ACTS_A_MINUTE = 120
"""Of texts, pictures, keys and choices of a node together; the line of who sends more is closed."""
MOST_MESSAGES_A_SECOND, MOST_MESSAGES_AT_ONCE = 100, 500
"""Of what says something or is no sound to be heard; a client reports ten times a second."""
LEAST_SOUND_SAMPLES = 16
"""A binary message with fewer is counted with those."""
MOST_WAITING_S = 60.0
"""Of sound that came and was not yet heard, or came sooner than it sounds; the line of who sends
more is closed."""
PIECE_MS = 5 * PERIOD_MS
"""Sound that waits is heard up to so much at once: most of what a piece costs is the same however
long it is, so that a loop that is behind catches up."""
_PACE_EVERY_S, _MOST_PACE = 5.0, 1.1
"""How much sound is held to the clock at once, and how fast a client's own clock may go."""
_LEAST_SOUND_BYTES = LEAST_SOUND_SAMPLES * SAMPLE_BYTES
_NO_SILENCE_EVERY_S = 0.4
"""Sound that is missing for a second counts as silence."""


class WebSocketInput(InputTransport):
    """The microphone of whichever client is attached, each sample once and in order.

    Without a client, frames without samples go into the chain: a dead line is not taken for
    silence, which would end the turn of who was speaking. Much sound at once is heard piece by
    piece, so that other calls go on meanwhile.

    Args:
        rate_hz: Rate of the audio, mono.
        received_samples: So many of the call's samples were received elsewhere.
        again_samples: The last of these come again, beside what a client may send.
        tell: Sends the client a control message.
    """

    hears = (
        SpeechPlayedFrame,
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
        UserTranscriptFrame,
        UserPartialTranscriptFrame,
    )

    def __init__(
        self,
        *,
        rate_hz: int,
        received_samples: int,
        again_samples: int = 0,
        tell: Callable[[bytes], None],
    ) -> None:
        super().__init__(rate_hz=rate_hz)
        self._frame_bytes = rate_hz * PERIOD_MS // 1000 * SAMPLE_BYTES
        self._piece_bytes = rate_hz * PIECE_MS // 1000 * SAMPLE_BYTES
        self._tell = tell
        self._at = self.taken_samples = received_samples - again_samples
        self.received_samples = received_samples - again_samples
        """Heard since the call's beginning, wherever that was."""
        self._most_waiting = (MOST_WAITING_S + again_samples / rate_hz) * 1000 / PERIOD_MS
        most_early_s = MOST_WAITING_S + again_samples / rate_hz
        self._pace = MessageRate(
            a_second=_MOST_PACE / _PACE_EVERY_S, at_once=ceil(most_early_s / _PACE_EVERY_S)
        )
        self._pace_bytes = round(_PACE_EVERY_S * rate_hz) * SAMPLE_BYTES
        self._unpaced_bytes = 0
        """Of what was taken, those that were not yet held to the clock."""
        self._turns = sound_turns()
        self._step = self._hear_next
        self._waiting: deque[tuple[int, bytes]] = deque()
        """Frames that are to be heard, each with the number of the sample behind it."""
        self._behind = False
        """Whether what comes waits for a turn: some does, or did in the last one, and in plenty."""
        self.lost_samples = 0
        """Those that no client could keep until it was attached again."""
        self.on_played: Callable[[SpeechPlayedFrame], None] = lambda frame: None
        """Told what was heard of the agent, when all others know it."""
        self.user_speaks = False
        self._no_silence: asyncio.TimerHandle | None = None

    @property
    def overrun(self) -> int:
        """Frames of the caller's sound that were lost, here or on their way."""
        lost_ms = self.lost_samples * 1000 / self._rate_hz
        return super().overrun + round(lost_ms / PERIOD_MS)

    def wait_for_client(self, waits: bool) -> None:
        """Whether no client is there, so that nothing can be heard."""
        if self._no_silence is not None:
            self._no_silence.cancel()
            self._no_silence = None
        if waits:
            loop = asyncio.get_running_loop()
            self._no_silence = loop.call_later(_NO_SILENCE_EVERY_S, self._hear_nothing)

    def _hear_nothing(self) -> None:
        if self.open:
            self.hear(b"")
            self.wait_for_client(True)

    async def finish(self) -> None:
        self.wait_for_client(False)
        self._waiting.clear()
        self._turns.leave(self._step)

    def position(self, at_sample: int) -> None:
        """The next sound begins with this sample of the call."""
        self._at = at_sample

    def take(self, pcm: bytes) -> bool:
        """Take sound from the client, s16le mono; what was received before is passed over.

        Returns:
            Whether there was more in it than that.

        Raises:
            CallerError: More waits than can be, or it comes much faster than it sounds.
        """
        start = self._at
        end = self._at = start + len(pcm) // SAMPLE_BYTES
        if start < self.taken_samples:
            pcm = pcm[(self.taken_samples - start) * SAMPLE_BYTES :]
        if not pcm:
            return False
        if start > self.taken_samples:
            self.lost_samples += start - self.taken_samples
        self.taken_samples = end
        self._unpaced_bytes += len(pcm)
        if self._unpaced_bytes >= self._pace_bytes:
            self._keep_pace()
        if self._behind or not self._turns.room(self._step):
            self._wait(pcm)
        elif len(pcm) <= self._piece_bytes:
            self.received_samples = end
            self.hear(pcm)
        else:
            self._wait(pcm)
            self._hear_next()
        return True

    def _keep_pace(self) -> None:
        now_s = asyncio.get_running_loop().time()
        while self._unpaced_bytes >= self._pace_bytes:
            self._unpaced_bytes -= self._pace_bytes
            if not self._pace.passes(now_s):
                raise CallerError("sound came faster than it sounds; send it as it sounds")

    def _wait(self, pcm: bytes) -> None:
        """Have the last sound that was taken heard in the coming turns."""
        if not self._behind:
            self._behind = True
            self._turns.wait(self._step)
        end = self.taken_samples - len(pcm) // SAMPLE_BYTES
        for cut in range(0, len(pcm), self._frame_bytes):
            frame = pcm[cut : cut + self._frame_bytes]
            end += len(frame) // SAMPLE_BYTES
            self._waiting.append((end, frame))
        if len(self._waiting) > self._most_waiting:
            raise CallerError("sound came faster than it could be heard; send it as it sounds")

    def _hear_next(self) -> bool:
        waiting = self._waiting
        frames: list[bytes] = []
        length_bytes = 0
        for end, frame in waiting:
            length_bytes += len(frame)
            if frames and length_bytes > self._piece_bytes:
                break
            frames.append(frame)
            self.received_samples = end
        # They wait while they are heard: what comes of them is not heard before the rest.
        if frames:
            self.hear(frames[0] if len(frames) == 1 else b"".join(frames))
        for _ in range(min(len(frames), len(waiting))):
            waiting.popleft()
        self._behind = len(frames) > 1 or bool(waiting)
        return self._behind

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        if direction is not UPSTREAM:
            return
        match frame:
            case SpeechPlayedFrame():
                self.on_played(frame)
            case UserStartedSpeakingFrame():
                self.user_speaks = True
            case UserStoppedSpeakingFrame():
                self.user_speaks = False
            case UserTranscriptFrame() | UserPartialTranscriptFrame():
                self._tell(
                    write_message(
                        "transcript",
                        role="user",
                        item_id=frame.item_id,
                        text=frame.text,
                        final=isinstance(frame, UserTranscriptFrame),
                    )
                )


class WebSocketTransport(BaseTransport):
    """The transport of one call; clients attach to it one after the other.

    A client that attaches while another is there replaces it. Without a client the call goes on:
    the playout is held, and the provider hears nothing.

    Args:
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        received_samples: So much of the caller's audio was received before, in another process.
        heard_again: The last of it, s16le mono, that nobody answered, and that `hear_again` puts
            before what comes; the oldest of more than a minute is left out.
        unsure: Whether the call may be another process's by now; then nothing sounds until
            `go_on`.
    """

    def __init__(
        self,
        *,
        in_rate_hz: int = 16000,
        out_rate_hz: int = 24000,
        received_samples: int = 0,
        heard_again: bytes = b"",
        unsure: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self.in_rate_hz = in_rate_hz
        self.out_rate_hz = out_rate_hz
        self._output = WebSocketOutput(rate_hz=out_rate_hz, unsure=unsure)
        most_bytes = int(MOST_WAITING_S * in_rate_hz) * SAMPLE_BYTES
        self._heard_again = heard_again[-most_bytes:]
        self._input = WebSocketInput(
            rate_hz=in_rate_hz,
            received_samples=received_samples,
            again_samples=len(self._heard_again) // SAMPLE_BYTES,
            tell=self._output.tell,
        )
        self._socket: Attachment | None = None
        self._details = False
        self._acts: deque[float] = deque()
        self._rate = MessageRate(a_second=MOST_MESSAGES_A_SECOND, at_once=MOST_MESSAGES_AT_ONCE)
        self.on_node: Callable[[str], None] = lambda name: None
        """Told the name of the node that the caller wants to talk to."""
        self._hung_up = asyncio.Event()
        self.client_spoke = False
        """Whether a client has said anything: then it knows its token."""
        self.detached_since_s: float | None = asyncio.get_running_loop().time()
        """When the last client went; None while one is attached."""

    entry: Sequence[FrameProcessor] = ()
    """Of its own in the chain: nothing."""
    observers: Sequence[BaseObserver] = ()

    def input(self) -> FrameProcessor:
        return self._input

    def output(self) -> FrameProcessor:
        return self._output

    @property
    def received_samples(self) -> int:
        """How much of the caller's audio was heard, from the call's beginning."""
        return self._input.received_samples

    @property
    def taken_samples(self) -> int:
        """How much of it has come: what of that was not heard yet will be."""
        return self._input.taken_samples

    @property
    def lost_ms(self) -> float:
        """The caller's audio that no client could keep until it was attached again."""
        return self._input.lost_samples * 1000 / self.in_rate_hz

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks."""
        return not (self._input.user_speaks or self._output.speaking)

    def attach(self, socket: Attachment, hello: Hello, *, ready: Callable[[int], bytes]) -> None:
        """Take this client in place of the one before. The chain runs.

        Args:
            socket: The client's line.
            hello: What it said.
            ready: Makes the message that it is attached, of the number of the first stream.
        """
        if self._socket is not None:
            self._leave(CloseCode.REPLACED, "another client attached to the call")
        self._socket, self.detached_since_s = socket, None
        self._details = hello.details
        self._input.position(self._input.taken_samples)
        self._input.wait_for_client(False)
        socket.write(ready(self._output.stream + 1), text=True)
        self._output.attach(socket, reports=hello.reports, heard=hello.heard)
        socket.deliver_to(partial(self._receive, socket))

    def hear_again(self) -> None:
        """Have the chain, which runs, hear what the caller said in another process."""
        pcm, self._heard_again = self._heard_again, b""
        self._input.take(pcm)

    def tell(self, message: bytes) -> None:
        """Send a control message, if a client is there."""
        self._output.tell(message)

    def tell_detail(self, message: bytes) -> None:
        """Send a control message, if a client is there that asked for details."""
        if self._details:
            self._output.tell(message)

    def on_played(self, tell: Callable[[SpeechPlayedFrame], None]) -> None:
        """Have a function told what was heard of the agent, when the conversation has it."""
        self._input.on_played = tell

    def go_on(self) -> None:
        """The call is still this process's: what was held back sounds."""
        self._output.go_on()

    def detach(self, socket: Attachment) -> None:
        """This client's line is dead. One that was replaced is nothing."""
        if socket is self._socket:
            self._forget()

    def close(self, code: CloseCode, reason: str, last_message: bytes | None = None) -> None:
        """Send the client away."""
        if last_message is not None:
            self._output.tell(last_message)
        if self._socket is not None:
            self._leave(code, reason)

    async def hung_up(self) -> None:
        """Wait until the caller hangs up."""
        await self._hung_up.wait()

    def _leave(self, code: CloseCode, reason: str) -> None:
        assert self._socket is not None
        socket = self._socket
        self._forget()
        socket.deliver_to(None)
        socket.close_soon(code, reason)

    def _forget(self) -> None:
        self._socket = None
        self._output.detach()
        self._input.wait_for_client(True)
        self.detached_since_s = asyncio.get_running_loop().time()

    def _receive(self, socket: Attachment, message: bytes, text: bool) -> None:
        if socket is not self._socket:
            return
        self.client_spoke = True
        try:
            if text:
                self._count()
                self._control(message)
            elif len(message) % SAMPLE_BYTES:
                raise CallerError("a binary message ends in half a sample; send s16le mono")
            elif not self._input.take(message) or len(message) < _LEAST_SOUND_BYTES:
                self._count()
        except CallerError as error:
            self.close(CloseCode.MALFORMED, str(error)[:120])

    def _count(self) -> None:
        if not self._rate.passes(asyncio.get_running_loop().time()):
            raise CallerError(f"more than {MOST_MESSAGES_A_SECOND} messages a second, beside sound")

    def _control(self, text: bytes) -> None:
        match read_message(text):
            case Microphone(from_sample=at_sample):
                self._input.position(at_sample)
            case Played() as report:
                self._output.played(report)
            case Goodbye():
                self._hung_up.set()
            case Ping():
                self._output.tell(write_message("pong"))
            case Hello():
                raise CallerError("hello is said once, at the beginning")
            case Written() | Shown() | Pressed() | Chosen() as act:
                self._act(act)

    def _act(self, act: Written | Shown | Pressed | Chosen) -> None:
        now_s = asyncio.get_running_loop().time()
        while self._acts and self._acts[0] <= now_s - 60:
            self._acts.popleft()
        if len(self._acts) >= MOST_ACTS_A_MINUTE:
            raise CallerError("too much was written, shown and pressed within a minute")
        self._acts.append(now_s)
        match act:
            case Written(text=text):
                self._input.emit(InputTextRawFrame(text=text))
            case Shown(data=data, media_type=media_type):
                self._input.emit(UserImageFrame(data=data, media_type=media_type))
            case Pressed(key=key):
                self._input.emit(InputDTMFFrame(button=KeypadEntry(key)))
            case Chosen(node=node):
                self.on_node(node)


__all__ = ["WebSocketInput", "WebSocketTransport"]
