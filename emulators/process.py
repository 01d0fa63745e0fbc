"""An emulator in a process of its own, for whoever started it."""

import asyncio
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self, TypedDict, Unpack

from crossfade.errors import SettingsError

_START_S = 30.0
_END_S = 10.0


class Settings(TypedDict, total=False):
    """The command's options."""

    host: str
    port: int
    backend: Literal["scripted", "offline", "replay"]
    scenario: Path | str
    voice: Literal["tone", "espeak"]
    faults: Path | str
    log: Path | str
    session_seconds: float
    think_ms: float
    speed: float
    timing: Mapping[str, object]
    """Fields of the wire's `Timing`."""
    behaviour: Mapping[str, object]
    """Fields of OpenAI's `Behaviour`."""
    api_key: str | Sequence[str]
    model: str | Sequence[str]
    vad: Literal["silero", "energy"]
    seed: int
    epoch_s: float
    dialect: Literal["ga", "beta"]
    server: Literal["python", "rust"]
    greeting: str


class EmulatorProcess:
    """An emulator as a child process; it ends with its `with`, and with its parent.

        with EmulatorProcess("openai", scenario="call.yaml") as emulator:
            emulator.url

    `async with` does the same without blocking the loop.

    Args:
        wire: Which one.
        tls: Speak TLS; `certificate` is then the file that clients are to trust.
        settings: The options of the command `crossfade emulate`; `port` is any free one by default.

    Raises:
        SettingsError: On entering: it does not start; the text is its own.
    """

    def __init__(
        self,
        wire: Literal["openai", "gemini", "moshi"],
        *,
        tls: bool = False,
        **settings: Unpack[Settings],
    ) -> None:
        self._wire = wire
        self._tls = tls
        self._settings = {"port": 0, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        assert self._url, "the emulator runs only inside its `with`"
        return self._url

    @property
    def certificate(self) -> Path | None:
        """What clients are to trust; None without TLS."""
        return None if self._folder is None else Path(self._folder.name) / "certificate.pem"

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None, "the emulator runs only inside its `with`"
        return self._process.pid

    def __enter__(self) -> Self:
        if self._tls:
            self._folder = tempfile.TemporaryDirectory(prefix="crossfade-emulator-")
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._end)

    def _arguments(self) -> list[str]:
        arguments = [sys.executable, "-m", f"crossfade.emulators.{self._wire}", "--with-parent"]
        for name, value in self._settings.items():
            option = f"--{name.replace('_', '-')}"
            arguments += [f"{option}={text}" for text in _texts(value)]
        if self.certificate is not None:
            arguments += ["--tls", "--certificate", str(self.certificate)]
        return arguments

    def _start(self) -> None:
        with tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                self._arguments(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
            assert self._process.stdout is not None
            overdue = threading.Timer(_START_S, self._process.kill)
            overdue.start()
            try:
                self._url = _address(self._process.stdout)
            finally:
                overdue.cancel()
                overdue.join()
            if not self._url:
                self._process.wait()
                errors.seek(0)
                last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
                said = "".join(last).removeprefix("error: ")
                raise SettingsError(said or f"the emulator did not start within {_START_S:g} s")

    def _end(self) -> None:
        process, self._process, self._url = self._process, None, ""
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            # The end of its standard input ends it.
            process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _texts(value: object) -> list[str]:
    """A setting as the values of its option."""
    if isinstance(value, Mapping):
        return [f"{name}={inner}" for name, inner in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(inner) for inner in value]
    return [str(value)]


def _address(output: IO[bytes]) -> str:
    """What the process tells once it listens; empty if it ends before."""
    for line in output:
        words = line.decode().split()
        if words[:2] == ["listening", "on"]:
            return words[2]
    return ""
