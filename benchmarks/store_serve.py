"""What the store costs a server of calls whose clients talk to it over WebSockets.

The server is a process of its own, as `crossfade serve` is; the provider is the service of the
measured calls, which costs next to nothing, and the clients are in this process. On a machine with
other work the lag shows that work as well: the processor time beside the run without a store, and
of the longest turn of the loop, does not.

    python -m crossfade.benchmarks.store_serve BASE_URL STORE RUNS

prints the server's address, measures how the calls begin until the first line of its standard
input, and then how they go on until the end of that, and prints what it found as JSON.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from crossfade.audio.resample import resample
from crossfade.errors import CrossfadeError
from crossfade.pipelines.command_line import prepare
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.serve_settings import SECRET_VARIABLE, ServeSettings
from crossfade.transports.script import AfterSilence
from crossfade.transports.websocket_client import CallClient
from crossfade.transports.websocket_token import fresh_secret

from .call_server import served
from .store import FRAME_MS, Beats, beating, percentile

_NO_STORE = "none"
_WARM_UP_S = 4.0
_BEGIN_S = 60.0
_PAUSE_S = 4.0
"""Between two sentences of a caller."""
_MICROPHONE_HZ = 16000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeLoad:
    """A server with one store, or without."""

    store: str
    calls: int
    seconds: float
    cpu_s: float
    """Of all threads of the server."""
    lag_p50_ms: float
    lag_p99_ms: float
    lag_worst_ms: float
    step_worst_ms: float
    """CPU time of the longest step of the server's loop."""
    turn_worst_ms: float
    """CPU time of its longest turn: between two looks at sockets and timers."""
    turns_too_long: int
    """Turns in which it took longer than a frame lasts."""
    begin_worst_ms: float
    """The same while the calls began, all at once."""
    starved: float
    """Share of the time in which others had the core."""
    late_frames: int
    """Frames of all calls, 50 a second each, that came later than the next one was due."""
    reattached: int
    """Clients whose line did not hold."""


def measure(urls: Mapping[str, str], *, calls: int, seconds: float) -> list[ServeLoad]:
    """Have so many clients talk to a server without a store, and then with each.

    Args:
        urls: Stores by the name that the result gives them.
        calls: At once.
        seconds: For each store.

    Raises:
        CrossfadeError: A server failed.
    """
    return [
        asyncio.run(_measured(name, url, calls, seconds))
        for name, url in ((_NO_STORE, _NO_STORE), *urls.items())
    ]


async def _measured(name: str, url: str, calls: int, seconds: float) -> ServeLoad:
    with (
        served(min(os.sched_getaffinity(0))) as provider,
        tempfile.TemporaryDirectory() as runs,
        _server(f"ws://127.0.0.1:{provider.port}/talk/0/0", url, runs) as process,
    ):
        assert process.stdout is not None
        address = (await asyncio.to_thread(process.stdout.readline)).strip()
        async with contextlib.AsyncExitStack() as stack:
            clients = [CallClient([address]) for _ in range(calls)]
            for client in clients:
                await stack.enter_async_context(client)
            async with asyncio.timeout(_BEGIN_S):
                await asyncio.gather(*(client.attached() for client in clients))
            talking = asyncio.create_task(_talk(clients))
            await asyncio.sleep(_WARM_UP_S)
            _order(process)
            await asyncio.sleep(seconds)
            found = json.loads(await asyncio.to_thread(_ended, process))
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
        lost = sum(client.attachments != 1 for client in clients)
    found["late_frames"] *= calls
    return ServeLoad(store=name, calls=calls, seconds=seconds, reattached=lost, **found)


async def _talk(clients: Sequence[CallClient]) -> None:
    """All of them ask again and again, each at another moment."""
    sound = demo_line("weather_tokyo", AfterSilence(after_s=0)).sound
    question = resample(sound.pcm, sound.rate_hz, _MICROPHONE_HZ)
    every_s = len(question) / 2 / _MICROPHONE_HZ + _PAUSE_S
    while True:
        for client in clients:
            client.speak(question)
            await asyncio.sleep(every_s / len(clients))


@contextlib.contextmanager
def _server(base_url: str, store: str, runs: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", __name__, base_url, store, runs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, SECRET_VARIABLE: fresh_secret()},
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _order(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("begin\n")
    process.stdin.flush()


def _ended(process: "subprocess.Popen[str]") -> str:
    out, _ = process.communicate()
    if process.returncode:
        raise CrossfadeError("the measured server failed; see its traceback")
    return out


# The server's process


def _serve(base_url: str, store: str, runs: Path) -> None:
    from loguru import logger

    from crossfade.pipelines.serve import run_server

    prepare()
    logger.disable("pipecat")
    settings = ServeSettings(
        port=0,
        base_url=base_url,
        store=None if store == _NO_STORE else store,
        runs=runs,
        drain_s=0,
        busy_at=0,
    )

    listening = asyncio.Event()

    def announce(line: str) -> None:
        if line.startswith("listening on "):
            listening.set()
            sys.stdout.write(f"{line.split()[2]}\n")
            sys.stdout.flush()

    def stop() -> "asyncio.Future[None]":
        return asyncio.ensure_future(_measure_here(listening))

    asyncio.run(run_server(settings, announce=announce, stop=stop, own_process=True))


async def _measure_here(listening: asyncio.Event) -> None:
    """Measure from when it listens and between the two orders, and tell the result."""
    await listening.wait()
    with beating() as begins:
        await asyncio.to_thread(sys.stdin.readline)
    before_s = time.process_time()
    with beating() as beats:
        await asyncio.to_thread(sys.stdin.read)
    cpu_s = time.process_time() - before_s
    begin_ms = percentile(begins.turns_ms, 100)
    found = {"cpu_s": round(cpu_s, 2), "begin_worst_ms": begin_ms, **_found(beats)}
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()


def _found(beats: Beats) -> dict[str, Any]:
    return {
        "lag_p50_ms": percentile(beats.lags_ms, 50),
        "lag_p99_ms": percentile(beats.lags_ms, 99),
        "lag_worst_ms": percentile(beats.lags_ms, 100),
        "step_worst_ms": percentile(beats.steps_ms, 100),
        "turn_worst_ms": percentile(beats.turns_ms, 100),
        "turns_too_long": sum(turn_ms > FRAME_MS for turn_ms in beats.turns_ms),
        "starved": beats.starved,
        "late_frames": beats.late_frames(1),
    }


def table(result: Sequence[ServeLoad]) -> Table:
    """The result for the terminal."""
    first = result[0]
    shown = Table(
        title=f"A server with {first.calls} calls over WebSocket for {first.seconds:g} s, by store"
    )
    shown.add_column("store")
    for heading in (
        *("CPU s", "longest step, CPU ms", "turn", "beyond 20", "in the beginning"),
        *("loop late p50 ms", "p99 ms", "worst ms"),
        *("late frames", "others had the core", "re-attached"),
    ):
        shown.add_column(heading, justify="right")
    for load in result:
        shown.add_row(
            *(load.store, f"{load.cpu_s:.1f}", f"{load.step_worst_ms:.1f}"),
            *(f"{load.turn_worst_ms:.1f}", str(load.turns_too_long), f"{load.begin_worst_ms:.1f}"),
            *(f"{load.lag_p50_ms:.2f}", f"{load.lag_p99_ms:.2f}", f"{load.lag_worst_ms:.1f}"),
            *(str(load.late_frames), f"{load.starved:.0%}", str(load.reattached)),
        )
    return shown


def content(result: Sequence[ServeLoad]) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "processor time and event loop of a server whose clients talk over "
        "WebSockets, without a store and with each",
        "stores": [asdict(load) for load in result],
    }


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

__all__ = ["ServeLoad", "content", "measure", "table"]
