"""A phone call as its company runs it: asks the application what to do, and does it."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlencode

from crossfade.audio.g711 import decode_mu_law, encode_mu_law
from crossfade.errors import CallerError, ConnectionLost

from .playback import FRAME_BYTES
from .stream import SILENCE, MediaStream, Wire
from .verbs import ConnectStream, Dial, Hangup, Pause, Redirect, Say, Verb
from .webhook import post

_MOST_DOCUMENTS = 100
"""After so many the call is in a circle of redirects."""
KEY_S = 0.1


class CallStatus(Enum):
    """As the companies name it."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"


class Company(Protocol):
    """Whose phone it is."""

    def form(self, phone: "PhoneCall") -> Mapping[str, str]:
        """What a webhook says of a call."""

    def sign(self, url: str, form: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """The headers of a webhook."""

    def sign_stream(self, url: str) -> Mapping[str, str]:
        """The headers of a stream."""

    def read(self, document: str | bytes) -> Sequence[Verb]:
        """The verbs of a document."""

    def wire(self, call_id: str, number: int, parameters: Mapping[str, str]) -> Wire:
        """The messages of a stream."""


class PhoneCall:
    """A caller on the phone. Enter it to dial; leave it to hang up.

    Args:
        company: Whose number is called.
        sid: The call's.
        url: The webhook of the number.
        fallback_url: Asked when that fails; empty ends the call.
        caller: Who calls.
        called: The number.
        tls: For an application behind TLS.
    """

    def __init__(
        self,
        company: Company,
        *,
        sid: str,
        url: str,
        fallback_url: str = "",
        caller: str = "+15550100",
        called: str = "+15550199",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.sid = sid
        self.status = CallStatus.IN_PROGRESS
        self.dialled: list[str] = []
        """Whom the caller was put through to."""
        self.said: list[str] = []
        """What the company was told to say itself."""
        self.streams: list[MediaStream] = []
        """In order; the last one may run."""
        self.sounds: list[tuple[float, bytes]] = []
        """What the caller heard, s16le at 8 kHz, and when by the loop's clock."""
        self.problem = ""
        """Why it failed."""
        self._company = company
        self.url = url
        """The webhook of the number."""
        self._fallback_url = fallback_url
        self.caller, self.called = caller, called
        self._tls = tls
        self._speech = bytearray()
        self._update: list[Verb] | None = None
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._stream: MediaStream | None = None
        self._open = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"phone {self.sid}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._task is not None
        if kind is None:
            await self.hang_up()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    # The caller

    @property
    def heard(self) -> bytes:
        """All that the caller heard, s16le at 8 kHz, without the silence between."""
        return b"".join(sound for _, sound in self.sounds)

    def speak(self, pcm: bytes) -> None:
        """Say something, s16le at 8 kHz, behind what is still to be said."""
        self._speech += encode_mu_law(pcm)

    async def spoken(self) -> None:
        """Wait until all of it was said."""
        await self._until(lambda: not self._speech)

    async def press(self, keys: str) -> None:
        """Press keys, a tenth of a second each."""
        for key in keys:
            if self._stream is not None:
                await self._stream.press(key)
            await asyncio.sleep(KEY_S)

    async def connected(self, streams: int = 1) -> None:
        """Wait until so many streams were begun and the last one is open, or the call is over."""
        await self._until(lambda: self._open and len(self.streams) >= streams)

    async def over(self) -> None:
        """Wait for the end of the call."""
        await self._until(lambda: False)

    async def hang_up(self) -> None:
        """End the call from the phone."""
        self._replace([Hangup()])
        await self.over()

    def cut_stream(self) -> None:
        """The stream's line dies; the call does not."""
        if self._stream is not None:
            self._stream.cut()

    # The application

    async def tell(self, url: str) -> tuple[int, bytes]:
        """Ask a webhook of the application, whatever becomes of the answer.

        Raises:
            ConnectionLost: It does not answer.
        """
        form = self._company.form(self)
        body = urlencode(form).encode()
        return await post(url, body, self._company.sign(url, form, body), tls=self._tls)

    def update(self, document: str) -> None:
        """Do this from now on, whatever runs.

        Raises:
            CallerError: It is no document, or the call is over.
        """
        if self.status is not CallStatus.IN_PROGRESS:
            raise CallerError("Call is not in-progress. Cannot redirect.")
        self._replace(self._company.read(document))

    # What runs

    def _replace(self, verbs: Sequence[Verb]) -> None:
        self._update = list(verbs)
        self._wake.set()
        if self._stream is not None:
            self._stream.stop()

    async def _run(self) -> None:
        try:
            verbs: Sequence[Verb] = await self._ask(self.url)
            for _ in range(_MOST_DOCUMENTS):
                following = await self._do(verbs)
                if following is None:
                    self.status = CallStatus.COMPLETED
                    return
                verbs = following
            raise CallerError("the documents redirect in a circle")
        except (CallerError, ConnectionLost) as error:
            self.status, self.problem = CallStatus.FAILED, str(error)
        finally:
            if self.status is CallStatus.IN_PROGRESS:
                self.status = CallStatus.COMPLETED
            self._tell()

    async def _do(self, verbs: Sequence[Verb]) -> Sequence[Verb] | None:
        """Do what a document says; gives the next one, None at the end of the call."""
        for verb in verbs:
            following = await self._one(verb)
            if self._update is not None:
                following, self._update = self._update, None
                self._wake.clear()
            if following is not None:
                return following
            if isinstance(verb, Hangup):
                return None
        return None

    async def _one(self, verb: Verb) -> Sequence[Verb] | None:
        match verb:
            case ConnectStream():
                await self._talk(verb)
                # Who was redirected by REST is not asked again.
                if verb.action and self._update is None:
                    return await self._ask(verb.action)
            case Redirect():
                return await self._ask(verb.url)
            case Dial():
                self.dialled.append(verb.number)
            case Say():
                self.said.append(verb.text)
            case Pause():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), verb.length_s)
            case Hangup():
                pass
        return None

    async def _talk(self, verb: ConnectStream) -> None:
        stream = self._stream = MediaStream(
            self._company.wire(self.sid, len(self.streams), verb.parameters),
            microphone=self._microphone,
            loudspeaker=self._loudspeaker,
        )
        self.streams.append(stream)
        running = asyncio.create_task(
            stream.run(
                verb.url,
                headers=self._company.sign_stream(verb.url),
                tls=self._tls,
                opened=self._opened,
            )
        )
        # An order that came while the application was asked ends it at once.
        if self._update is not None:
            stream.stop()
        try:
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self._stream, self._open = None, False
            self._tell()

    async def _ask(self, url: str) -> Sequence[Verb]:
        try:
            return await self._document(url)
        except ConnectionLost:
            if not self._fallback_url:
                raise
        return await self._document(self._fallback_url)

    async def _document(self, url: str) -> Sequence[Verb]:
        status, body = await self.tell(url)
        if status != 200:
            raise ConnectionLost(f"{url} answers a webhook with {status}")
        return self._company.read(body)

    def _microphone(self) -> bytes:
        sound = bytes(self._speech[:FRAME_BYTES])
        del self._speech[:FRAME_BYTES]
        if sound and not self._speech:
            self._tell()
        return sound + SILENCE[len(sound) :]

    def _loudspeaker(self, at_s: float, sound: bytes) -> None:
        self.sounds.append((at_s, decode_mu_law(sound)))

    def _opened(self) -> None:
        self._open = True
        self._tell()

    def _tell(self) -> None:
        self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition() and self.status is CallStatus.IN_PROGRESS:
            self._changed.clear()
            await self._changed.wait()


__all__ = ["CallStatus", "Company", "PhoneCall"]
