"""Calls of a server of several workers, when a worker is ended, killed, or all are replaced.

The server is `crossfade serve --workers`, with processes of its own; the callers are in this one.
A call has gone on if its client is attached again and hears the agent, whom it has asked
something after the worker was gone.
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from crossfade.errors import CrossfadeError
from crossfade.transports.websocket_client import CallClient

from .call_script import TALK, microphone, offset_ms
from .call_server import served

HOW = {"ended": signal.SIGTERM, "killed": signal.SIGKILL, "replaced": signal.SIGHUP}
"""What is sent to one worker; SIGHUP to the process that started them."""
DRAIN_S = 2.0
_BEGIN_S = 60.0
_TALK_S = 3.0
_LONGEST_S = 30.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """What became of the calls."""

    how: str
    calls: int
    workers: int
    moved: int
    """Calls whose client had to come back."""
    went_on: int
    silence_worst_s: float
    """The longest time in which a caller heard nothing of an agent that never stops."""
    took_s: float
    """Until the workers were replaced and all callers heard the agent again."""


@dataclass(slots=True)
class _Caller:
    """One client, and how long it heard nothing."""

    heard_s: float = 0.0
    silence_s: float = 0.0

    def hear(self, _at_s: float, pcm: bytes) -> None:
        if not any(pcm[:64]):
            return
        now_s = time.monotonic()
        if self.heard_s:
            self.silence_s = max(self.silence_s, now_s - self.heard_s)
        self.heard_s = now_s


def measure(
    hows: Sequence[str] = tuple(HOW),
    *,
    calls: int = 20,
    workers: int = 2,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Drain]:
    """Have a worker end in the middle of calls.

    Args:
        hows: Of `HOW`.
        calls: At once.
        workers: Of the server.
        tell: Told what is being measured.

    Raises:
        CrossfadeError: The server cannot begin.
    """
    found = []
    for how in hows:
        tell(f"{calls} calls, a worker is {how}")
        with tempfile.TemporaryDirectory() as folder:
            found.append(asyncio.run(_measured(how, calls, workers, Path(folder))))
    return found


async def _measured(how: str, calls: int, workers: int, folder: Path) -> Drain:
    core = max(os.sched_getaffinity(0))
    with served(core) as provider:
        base_url = f"ws://127.0.0.1:{provider.port}/talk/0/0"
        async with _server(folder, base_url, workers) as (process, url):
            return await _drained(how, calls, process, url)


async def _drained(how: str, calls: int, process: "subprocess.Popen[str]", url: str) -> Drain:
    callers = [_Caller() for _ in range(calls)]
    async with contextlib.AsyncExitStack() as stack:
        clients = [CallClient([url], on_sound=caller.hear) for caller in callers]
        for client in clients:
            await stack.enter_async_context(client)
        async with asyncio.timeout(_BEGIN_S):
            await asyncio.gather(*(client.attached() for client in clients))
        talking = asyncio.create_task(_talk(clients))
        await asyncio.sleep(_TALK_S)
        before = children(process.pid)
        began_s = time.monotonic()
        os.kill(process.pid if how == "replaced" else before[0], HOW[how])
        gone = before if how == "replaced" else before[:1]
        await _replaced(process.pid, len(before), gone)
        gone_s = time.monotonic()

        def going_on() -> int:
            return sum(
                client.attached_to is not None and caller.heard_s > gone_s
                for client, caller in zip(clients, callers, strict=True)
            )

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_S):
                while going_on() < calls:  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_S)
        went_on, took_s = going_on(), time.monotonic() - began_s
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        return Drain(
            how=how,
            calls=calls,
            workers=len(before),
            moved=sum(client.attachments > 1 for client in clients),
            went_on=went_on,
            silence_worst_s=round(max(caller.silence_s for caller in callers), 2),
            took_s=round(took_s, 1),
        )


async def _talk(clients: Sequence[CallClient]) -> None:
    """Each asks a question every ten seconds, as people do, at another moment."""
    question = microphone(TALK)
    for number, client in enumerate(clients):
        at = offset_ms(number, len(clients), TALK) * 32
        client.speak(question[at:])
    while True:
        await asyncio.sleep(TALK.length_ms / 2000)
        for client in clients:
            if not client.speaking:
                client.speak(question)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that live."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sorted(int(each) for each in found)


async def _replaced(pid: int, count: int, gone: Sequence[int]) -> None:
    """Wait until there are as many workers as before, without those."""
    async with asyncio.timeout(_LONGEST_S):
        while True:
            now = children(pid)
            if len(now) == count and not set(now) & set(gone):
                return
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def _server(
    folder: Path, base_url: str, workers: int
) -> AsyncIterator[tuple["subprocess.Popen[str]", str]]:
    command = [sys.executable, "-m", "crossfade", "serve", "--port", "0", "--base-url", base_url]
    command += ["--workers", str(workers), "--drain-s", str(DRAIN_S), "--busy-at", "0"]
    command += ["--store", str(folder / "calls.db"), "--runs", str(folder / "runs"), "--no-metrics"]
    process = await asyncio.to_thread(_begun, command)
    try:
        assert process.stdout is not None
        url = await asyncio.to_thread(_listening, process.stdout)
        yield process, url
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.communicate, timeout=DRAIN_S + 15)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.communicate)


def _begun(command: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _listening(told: Any) -> str:
    for line in told:
        if (found := re.fullmatch(r"listening on (\S+)\n", line)) is not None:
            return found[1]
    raise CrossfadeError("the server did not begin; see what it says above")


def held(result: Sequence[Drain]) -> bool:
    """Whether all calls went on."""
    return all(each.went_on == each.calls for each in result)


def table(result: Sequence[Drain]) -> Table:
    """The result for the terminal."""
    shown = Table(title="Calls of a server whose workers go")
    shown.add_column("a worker is")
    for heading in ("calls", "went on", "moved", "longest silence s", "all hear again after s"):
        shown.add_column(heading, justify="right")
    for each in result:
        shown.add_row(
            *(each.how, str(each.calls), str(each.went_on), str(each.moved)),
            *(f"{each.silence_worst_s:.2f}", f"{each.took_s:.1f}"),
        )
    return shown


def content(result: Sequence[Drain]) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "calls of a server of several workers when one is ended (SIGTERM) or "
        "killed (SIGKILL), or all are replaced one by one (SIGHUP)",
        "cases": [asdict(each) for each in result],
    }


__all__ = ["HOW", "Drain", "children", "content", "held", "measure", "table"]
