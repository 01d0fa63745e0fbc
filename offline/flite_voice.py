"""Speech from text with flite, in a child process: heard after 11 ms, where the system has it."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from crossfade.errors import ProviderFault, SettingsError

from .flite_worker import RATE_HZ
from .framing import Message, pack, receive
from .voice import sentences

_CLOSE_TIMEOUT_S = 2.0
_START_TIMEOUT_S = 10.0


class FliteVoice:
    """flite with one of its voices; an async context manager, for any number of speakers.

    Texts are spoken one after another, sentence by sentence. A `speak` that is cancelled or left
    early does not disturb the next. If the child dies, it is started again for the next text.

    Args:
        voice: One of flite's at 16 kHz: slt, rms, awb or kal16.
    """

    rate_hz = RATE_HZ

    def __init__(self, voice: str = "slt") -> None:
        self._voice = voice
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Message | None]] = {}
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Start the child.

        Raises:
            SettingsError: The system has no flite with this voice.
        """
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                async for _ in self.speak("Well."):
                    pass
        except (ProviderFault, TimeoutError) as error:
            await self.close()
            raise SettingsError(
                f"flite does not speak here ({error}); install your system's package flite"
            ) from error
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        """s16le mono at 16 kHz in chunks of some 40 ms, as fast as it is made.

        Raises:
            ProviderFault: flite failed or died.
        """
        for sentence in sentences(text):
            number = next(self._numbers)
            # Never more than the sound of one sentence.
            answers = self._waiting[number] = asyncio.Queue()
            try:
                await self._send(Message({"number": number, "text": sentence}))
                while (answer := await answers.get()) is not None:
                    if "error" in answer.head:
                        raise ProviderFault(f"flite failed: {answer.head['error']}")
                    if answer.payload:
                        yield answer.payload
                    if answer.head.get("last"):
                        break
                else:
                    raise ProviderFault("flite's process ended; try again")
            finally:
                del self._waiting[number]

    async def close(self) -> None:
        """End the child; a later `speak` would start another."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        process.stdin.close()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _CLOSE_TIMEOUT_S)
        finally:
            if process.returncode is None:
                process.kill()
        if self._reading is not None:
            await self._reading

    async def _send(self, message: Message) -> None:
        async with self._starting:
            if self._process is None or self._reading is None or self._reading.done():
                await self._start()
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(pack(message))
        with suppress(ConnectionError):  # whoever waits for the answer is told
            await self._process.stdin.drain()

    async def _start(self) -> None:
        await self.close()
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a file in the caller's folder must not stand in for a library
            "-m",
            "crossfade.offline.flite_worker",
            self._voice,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout
        self._reading = asyncio.create_task(self._read(process.stdout))

    async def _read(self, pipe: asyncio.StreamReader) -> None:
        while (answer := await receive(pipe)) is not None:
            # Nobody waits for what was left early.
            if (waiting := self._waiting.get(answer.head["number"])) is not None:
                waiting.put_nowait(answer)
        for waiting in self._waiting.values():
            waiting.put_nowait(None)


__all__ = ["FliteVoice"]
