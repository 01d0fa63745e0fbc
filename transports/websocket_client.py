"""A client of our WebSocket protocol that stays in its call: for programs, tests and measurements.

async with CallClient(["ws://127.0.0.1:7860/ws"]) as client:
    client.speak(pcm)
    await client.over()
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.errors import ConnectionLost
from crossfade.processors.metronome import PERIOD_MS, metronome

from .websocket_messages import (
    FINAL,
    LARGEST_MESSAGE_BYTES,
    VERSION,
    CloseCode,
    read_object,
    write_message,
)
from .websocket_microphone import KEEP_S, MicrophoneBuffer
from .websocket_speaker import Speaker

REPORT_EVERY_S = 0.1
_CONNECT_TIMEOUT_S = 1.5
_READY_TIMEOUT_S = 15.0
_STEADY_S = 0.2
_GO_ELSEWHERE = frozenset({CloseCode.MOVED, CloseCode.FAILED, CloseCode.BUSY})
_PING_S = 2.0
_MOST_AT_ONCE_BYTES = 32_000

# At DEBUG the library logs what is said, and the token with it.
_websocket_logger = logging.getLogger(f"{__name__}.websocket")
_websocket_logger.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How a client comes back."""

    first_delay_s: float = 0.02
    """Every address is tried once without a pause, and then again after this and twice as long
    each time."""
    longest_delay_s: float = 1.0
    give_up_s: float = 60.0
    """When the call is given up, after so long without an attachment."""


class CallClient:
    """One caller: a microphone, a loudspeaker, and a call that goes on when its line dies.

    Enter it to begin; the microphone sends 20 ms every 20 ms, what `speak` was given or silence.
    While no server is attached, the latest ten seconds of the microphone are kept, and sent
    first to the next one. Each server is asked by the latest token. A new call that can begin at
    none of them is over at once.

    Args:
        urls: Servers of which any may serve the call, `ws://HOST:PORT/ws`.
        token: Takes up a call that another client began.
        call_id: The name that a new call shall have.
        access: The server's access token, or a ticket, where one is needed to begin a call.
        caller: Whose call it is, for servers that choose nodes by arms.
        details: Whether to be told of tools, latency and cost.
        input_rate_hz: Of the microphone, s16le mono.
        output_rate_hz: Of the loudspeaker.
        reports: Whether to tell what was played.
        retry: How it comes back.
        keep_s: How much of the microphone is kept.
        on_sound: Told what sounds: the loop's time when it begins, and the samples.
        on_message: Told every control message.
        jitter: Of the back-off.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        token: str | None = None,
        call_id: str | None = None,
        access: str | None = None,
        caller: str | None = None,
        details: bool = False,
        input_rate_hz: int = 16000,
        output_rate_hz: int = 24000,
        reports: bool = True,
        retry: Retry | None = None,
        keep_s: float = KEEP_S,
        on_sound: Callable[[float, bytes], None] | None = None,
        on_message: Callable[[Mapping[str, Any]], None] | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        self.urls = list(urls)
        """Where it may attach; the one that served last is tried first, unless it says no."""
        self.token = token
        self.call_id = call_id
        self._access = access
        self._caller = caller
        self._details = details
        self._rates = (input_rate_hz, output_rate_hz)
        self._reports = reports
        self._retry = retry or Retry()
        self._on_sound = on_sound
        self._on_message = on_message
        self._jitter = jitter or random.Random()
        self.microphone = MicrophoneBuffer(rate_hz=input_rate_hz, keep_s=keep_s)
        self.speaker = Speaker(rate_hz=output_rate_hz)
        self._to_say = bytearray()
        self._mic_frame_bytes = input_rate_hz * PERIOD_MS // 1000 * SAMPLE_BYTES
        self._due_s = 0.0
        self._paused = False
        self._reported: tuple[int, int] = (0, 0)
        self._report_due_s = 0.0
        self._more = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._heard_before = False
        self._hangs_up = False
        self.attached_to: str | None = None
        """The server's address; None while there is none."""
        self.attachments = 0
        self.close_code: int | None = None
        """Why the call ended."""

    async def __aenter__(self) -> Self:
        now_s = asyncio.get_running_loop().time()
        self._due_s = now_s
        metronome().join(self._beat)
        self._task = asyncio.create_task(self._stay(), name="call-client")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        metronome().leave(self._beat)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionLost):
                await self._task

    def speak(self, pcm: bytes) -> None:
        """Say something, behind what is being said already; s16le mono at the microphone's rate."""
        self._to_say += pcm

    @property
    def speaking(self) -> bool:
        """Whether something is left to be said."""
        return bool(self._to_say)

    async def attached(self) -> None:
        """Wait until a server has the call.

        Raises:
            ConnectionLost: It has ended, was refused or given up.
        """
        assert self._task is not None, "enter the client first"
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait([ready, self._task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self._ready.is_set():
            await self.over()
            raise ConnectionLost("the call is over", close_code=self.close_code)

    async def over(self) -> None:
        """Wait until the call has ended.

        Raises:
            ConnectionLost: It was refused, given up, or nothing answered for too long.
        """
        assert self._task is not None, "enter the client first"
        await asyncio.shield(self._task)

    async def hang_up(self) -> None:
        """End the call, and wait until it is over; without a line, the next one is told."""
        self._hangs_up = True
        if self._socket is not None:
            with contextlib.suppress(WebSocketException):
                await self._socket.send(write_message("bye").decode())
        await self.over()

    def pause(self) -> None:
        """Play nothing for now, as a telephone in a pocket does; what comes waits."""
        self._paused = True

    def resume(self) -> None:
        """Play on."""
        self._paused = False

    async def send_raw(self, message: str | bytes) -> None:
        """Send anything, for tests of servers."""
        if self._socket is not None:
            await self._socket.send(message)

    def cut_line(self) -> None:
        """Break the line without a word, as a network does."""
        if self._socket is not None:
            self._socket.transport.abort()

    # The pace of sound

    def _beat(self) -> None:
        now_s, period_s = asyncio.get_running_loop().time(), PERIOD_MS / 1000
        while self._due_s + period_s / 2 <= now_s:
            self._play(self._due_s)
            self._record()
            self._due_s += period_s

    def _record(self) -> None:
        pcm = bytes(self._to_say[: self._mic_frame_bytes])
        del self._to_say[: len(pcm)]
        self.microphone.add(pcm.ljust(self._mic_frame_bytes, b"\0"))
        self._more.set()

    def _play(self, at_s: float) -> None:
        if self._paused:
            return
        pcm = self.speaker.play(self.speaker.rate_hz * PERIOD_MS // 1000)
        if pcm and self._on_sound is not None:
            self._on_sound(at_s, pcm)

    # The line

    async def _stay(self) -> None:
        """Attach again and again until the call is over."""
        loop = asyncio.get_running_loop()
        lost_at_s, tried, delay_s = loop.time(), 0, self._retry.first_delay_s
        refusing: set[str] = set()
        refusal = "no server is named"
        while urls := [url for url in self.urls if url not in refusing]:
            url = urls[tried % len(urls)]
            before, began_s = self.attachments, loop.time()
            refusal = await self._attach(url)
            self.attached_to, self._socket = None, None
            self._ready.clear()
            if self.close_code in FINAL:
                break
            # A call that could not begin at a server would not the next time either.
            if self.token is not None:
                refusing.clear()
            elif self.close_code == CloseCode.FAILED:
                refusing.add(url)
            # A line that held for a moment is restored at once; one that did not, less and less.
            if self.attachments > before and loop.time() > began_s + _STEADY_S:
                lost_at_s, tried, delay_s = loop.time(), 0, self._retry.first_delay_s
                self._prefer(url, self.close_code not in _GO_ELSEWHERE)
                continue
            tried += 1
            if loop.time() - lost_at_s > self._retry.give_up_s:
                raise ConnectionLost(f"the call is given up: {refusal}", close_code=self.close_code)
            if tried % len(urls) == 0:
                await asyncio.sleep(delay_s * self._jitter.uniform(0.5, 1.0))
                delay_s = min(2 * delay_s, self._retry.longest_delay_s)
        if self.token is None and self.close_code == CloseCode.FAILED:
            raise ConnectionLost(f"the call cannot begin: {refusal}", close_code=self.close_code)
        if self.close_code != CloseCode.OVER:
            raise ConnectionLost(f"the call was ended: {refusal}", close_code=self.close_code)

    def _prefer(self, url: str, first: bool) -> None:
        """Try a server first, which may still have the call, or last."""
        if url in self.urls:
            self.urls.remove(url)
            self.urls.insert(0 if first else len(self.urls), url)

    async def _attach(self, url: str) -> str:
        """Serve the call over one line until that dies; says why it did."""
        self.close_code = None
        try:
            async with connect(
                url,
                compression=None,
                proxy=None,
                max_size=LARGEST_MESSAGE_BYTES,
                open_timeout=_CONNECT_TIMEOUT_S,
                close_timeout=0.2,
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
                logger=_websocket_logger,
            ) as socket:
                await self._converse(url, socket)
        except ConnectionClosed as closed:
            frame = closed.rcvd
            self.close_code = None if frame is None else frame.code
            return "the line died" if frame is None else frame.reason or str(frame.code)
        except (OSError, WebSocketException) as error:
            return f"{type(error).__name__} at {url}"
        return "the line was closed"

    async def _converse(self, url: str, socket: ClientConnection) -> None:
        await socket.send(self._hello().decode())
        async with asyncio.timeout(_READY_TIMEOUT_S):
            ready = await self._await_ready(socket)
        self.token, self.call_id = ready["token"], ready["call_id"]
        self.speaker.begin(ready["stream"])
        self._reported = (ready["stream"], 0)
        start = self.microphone.send_again_from(ready["received_samples"])
        await socket.send(write_message("microphone", from_sample=start).decode())
        if self._hangs_up:
            await socket.send(write_message("bye").decode())
        self._socket, self.attached_to = socket, url
        self.attachments += 1
        self._heard_before = True
        self._ready.set()
        self._tell(ready)
        sender = asyncio.create_task(self._send(socket), name="call-client-sender")
        try:
            async for message in socket:
                self._receive(message)
            # The iteration swallows a close with code 1000; all others raise.
            self.close_code = socket.close_code
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def _hello(self) -> bytes:
        heard = self.speaker.heard if self._heard_before else None
        return write_message(
            "hello",
            version=VERSION,
            token=self.token,
            call_id=self.call_id if self.token is None else None,
            access=self._access if self.token is None else None,
            caller=self._caller if self.token is None else None,
            details=self._details,
            input_rate_hz=self._rates[0],
            output_rate_hz=self._rates[1],
            reports=self._reports,
            heard=None if heard is None else asdict(heard),
        )

    async def _await_ready(self, socket: ClientConnection) -> Mapping[str, Any]:
        while True:
            message = await socket.recv()
            if isinstance(message, str):
                content = read_object(message)
                if content.get("type") == "ready":
                    return content

    async def _send(self, socket: ClientConnection) -> None:
        """Send the microphone, first what waits of it, and what was played."""
        while True:
            self._more.clear()
            while pcm := self.microphone.take(_MOST_AT_ONCE_BYTES):
                await socket.send(pcm)
            if self._reports and (report := self._due_report()):
                await socket.send(report.decode())
            await self._more.wait()

    def _due_report(self) -> bytes | None:
        now_s = asyncio.get_running_loop().time()
        position = (self.speaker.stream, self.speaker.played_samples)
        if position == self._reported or now_s < self._report_due_s:
            return None
        self._reported, self._report_due_s = position, now_s + REPORT_EVERY_S
        return write_message("played", stream=position[0], samples=position[1])

    def _receive(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.speaker.add(message)
            return
        content = read_object(message)
        match content.get("type"):
            case "speech":
                self.speaker.mark(content)
            case "clear":
                self.speaker.clear(content["stream"])
            case "token":
                self.token = content["token"]
        self._tell(content)

    def _tell(self, content: Mapping[str, Any]) -> None:
        if self._on_message is not None:
            self._on_message(content)


__all__ = ["CallClient", "Retry"]
