"""Many callers at one process of `crossfade serve`, over WebSockets, as pages talk to it.

The server is the command itself. The service behind it and the callers are processes on one core;
the server has all, as one process of any other machine has: its event loop fills one core at most,
and its other threads, which write records and the store, may use what the callers leave of theirs.
How much of a core each of both took is told beside the sum. On one core alone it is measured where
that is asked for.

What the callers say is a person's voice, a sentence of 1.4 s every ten seconds, so 14 % of the
time, in the noise of a quiet room. In a conversation the answer is of 5 s, so that the agent speaks
half of the time; in a talk they say it into an answer that goes on until then and is given anew, so
the agent speaks nearly always. Its speech comes in messages of 100 ms, half as fast again as it
sounds.

Added latency is what the server adds: upwards from when 20 ms of a microphone were sent to their
arrival at the service; downwards by how much later than the pace of their answer 20 ms come to the
caller. The pace itself, which is the wait of a piece for its turn to sound, is told beside it.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table

from crossfade.errors import CrossfadeError

from .call_script import FRAME_MS
from .call_server import ANSWERS, BYTES_PER_MS, COUNTED, served
from .serve_clients import APART_S, BUSY, Order
from .starvation import STARVED_SHARE
from .store import percentile

GOAL_ADDED_MS = 20.0
GOAL_GROWTH = 0.05
"""Of the server's memory, from the beginning of the measurement to its end."""
_WARM_UP_S = 20.0
_SPEED = 1.5
"""Services are ahead of the speech they send, by more than this."""
_PIECES = 5
"""Of 20 ms, in each message of the service's sound."""
_NOTE_EVERY = 25
_LOOK_S = 5.0
_SERVER = """
import os, sys
os.sched_setaffinity(0, map(int, sys.argv.pop(1).split(",")))
profile = sys.argv.pop(1)
from crossfade.cli import app
if profile:
    import cProfile
    import time
    profiler = cProfile.Profile(time.thread_time)
    try:
        profiler.runcall(app)
    finally:
        profiler.dump_stats(profile)
else:
    app()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the server had used by a moment of the monotonic clock."""

    at_s: float
    cpu_s: float
    loop_cpu_s: float
    """Of it, in the thread of its event loop."""
    mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How the calls went."""

    calls: int
    cycle: str
    """What the callers do, by name."""
    seconds: float
    refused: int
    """Callers who were told that the server is busy."""
    died: int
    """Lines that did not hold."""
    cpu_percent: float
    """Of one core, of the server."""
    loop_cpu_percent: float
    """Of it, in the thread of its event loop, which has one core at most."""
    cpu_worst_percent: float
    """In five seconds."""
    cores: int
    """That the server might use."""
    up_p50_ms: float
    up_p99_ms: float
    pace_p50_ms: float
    """From when the service sent a piece to its arrival at the caller."""
    down_p99_ms: float
    down_p999_ms: float
    late_pieces: int
    """Pieces of the agent's sound that came more than 20 ms later than the pace of their answer."""
    pieces: int
    heard_share: float
    """Of what the callers said, so much came."""
    mib_begin: float
    mib_end: float
    mib: Sequence[float]
    """Every five seconds."""
    starved: float
    """Share of the time in which others had the core of the service; the worst of both cores."""

    @property
    def added_p99_ms(self) -> float:
        """The worse of both ways."""
        return max(self.up_p99_ms, self.down_p99_ms)

    @property
    def held(self) -> bool:
        """Whether all goals were reached."""
        flat = self.mib_end <= self.mib_begin * (1 + GOAL_GROWTH)
        return not self.died and self.added_p99_ms < GOAL_ADDED_MS and flat


def measure(
    *,
    calls: int = 100,
    cycle: str = "conversation",
    seconds: float = 600.0,
    busy_at: float = 0.0,
    one_core: bool = False,
    profile: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> Load:
    """Have so many callers talk to a server.

    Args:
        calls: At once.
        cycle: What the callers do, by name.
        seconds: Measured, after all are there.
        busy_at: Share of the core at which the server takes no more; 0 takes all.
        one_core: Whether the whole server has one core, and the callers' is none of its own.
        profile: Where cProfile's statistics of the server go; empty is no profile.
        tell: Told what happens.

    Raises:
        CrossfadeError: A process failed.
    """
    cores = sorted(os.sched_getaffinity(0))
    servers = cores[:1] if one_core else cores
    with (
        served(cores[-1], cycle, speed=_SPEED, pieces=_PIECES) as service,
        tempfile.TemporaryDirectory() as folder,
        _server(
            Path(folder),
            f"ws://127.0.0.1:{service.port}/talk/{COUNTED}/0/{_NOTE_EVERY}",
            cores=servers,
            busy_at=busy_at,
            profile=profile,
        ) as (pid, port),
    ):
        order = Order(
            host="127.0.0.1", port=port, calls=calls, warm_up_s=_WARM_UP_S, seconds=seconds
        )
        tell(f"{calls} calls begin")
        with _clients(order, cores[-1]) as clients:
            assert clients.stdout is not None
            if clients.stdout.readline() != b"begun\n":
                raise CrossfadeError("the callers failed; see their traceback")
            tell(f"{calls} calls for {seconds:g} s")
            looks = _looks(pid, seconds)
            out, _ = clients.communicate()
        if clients.returncode:
            raise CrossfadeError("the callers failed; see their traceback")
        noted = service.end()
    return _load(order, orjson.loads(out), noted, looks, cycle=cycle, cores=len(servers))


def _looks(pid: int, seconds: float) -> list[Look]:
    found, began_s = [], time.monotonic()
    while True:
        found.append(_look(pid))
        left_s = began_s + seconds - time.monotonic()
        if left_s <= 0.1:
            return found
        time.sleep(min(_LOOK_S, left_s))


def _look(pid: int) -> Look:
    status = Path(f"/proc/{pid}/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return Look(
        at_s=time.monotonic(),
        cpu_s=_cpu_s(Path(f"/proc/{pid}/stat")),
        # The first thread of a process is called as it is.
        loop_cpu_s=_cpu_s(Path(f"/proc/{pid}/task/{pid}/stat")),
        mib=int(kib) / 1024,
    )


def _cpu_s(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _load(
    order: Order,
    callers: Sequence[Mapping[str, Any]],
    noted: Mapping[str, Any],
    looks: Sequence[Look],
    *,
    cycle: str,
    cores: int,
) -> Load:
    talked = [each for each in callers if each["close_code"] != BUSY]
    up_ms, heard, said = [], 0.0, 0.0
    for caller in talked:
        service = noted["calls"].get(str(caller["service_number"] // ANSWERS))
        if service is None or not service["came"]:
            continue
        began_ns = looks[0].at_s * 1e9
        for came_ns, came_bytes in service["came"]:
            # The last sample of a piece is due when its frame is sent.
            due_ns = caller["first_due_ns"] + (came_bytes / BYTES_PER_MS - FRAME_MS) * 1e6
            if came_ns >= began_ns:
                up_ms.append((came_ns - due_ns) / 1e6)
        last_ns, heard_bytes = service["came"][-1]
        heard += heard_bytes / BYTES_PER_MS
        # All frames whose time had come when the last one was noted.
        said += (last_ns - caller["first_due_ns"]) // (FRAME_MS * 1_000_000) * FRAME_MS + FRAME_MS
    down_ms = [ms for caller in talked for ms in caller["down_ms"]]
    late_ms = [ms for caller in talked for ms in caller["late_ms"]]
    shares = [
        (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s)
        for before, after in pairwise(looks)
    ]
    begin, end = looks[0], looks[-1]
    took_s = max(1e-9, end.at_s - begin.at_s)
    return Load(
        calls=len(talked),
        cycle=cycle,
        seconds=order.seconds,
        refused=len(callers) - len(talked),
        died=sum(each["died"] or each["close_code"] is not None for each in talked),
        cpu_percent=round(100 * (end.cpu_s - begin.cpu_s) / took_s, 1),
        loop_cpu_percent=round(100 * (end.loop_cpu_s - begin.loop_cpu_s) / took_s, 1),
        cpu_worst_percent=round(100 * max(shares, default=0.0), 1),
        cores=cores,
        up_p50_ms=percentile(up_ms, 50),
        up_p99_ms=percentile(up_ms, 99),
        pace_p50_ms=percentile(down_ms, 50),
        down_p99_ms=percentile(late_ms, 99),
        down_p999_ms=percentile(late_ms, 99.9),
        late_pieces=sum(each["late"] for each in talked),
        pieces=sum(each["pieces"] for each in talked),
        heard_share=round(heard / said, 4) if said else 0.0,
        mib_begin=round(begin.mib, 1),
        mib_end=round(end.mib, 1),
        mib=[round(look.mib, 1) for look in looks],
        starved=round(noted["starved"], 3),
    )


@contextlib.contextmanager
def _clients(order: Order, core: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "crossfade.benchmarks.serve_clients"]
    with subprocess.Popen(
        [*command, str(core), orjson.dumps(asdict(order)).decode()],
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextlib.contextmanager
def _server(
    folder: Path, base_url: str, *, cores: Sequence[int], busy_at: float, profile: str
) -> Iterator[tuple[int, int]]:
    """The command on its cores; gives its process and its port."""
    options = ["serve", "--port", "0", "--base-url", base_url, "--busy-at", str(busy_at)]
    options += ["--store", str(folder / "calls.db"), "--runs", str(folder / "runs")]
    options += ["--drain-s", "0", "--most-calls", "10000"]
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, ",".join(map(str, cores)), profile, *options],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("listening on "):
                    yield process.pid, int(line.rpartition(":")[2].partition("/")[0])
                    break
            else:
                raise CrossfadeError("the server did not begin; see what it says above")
        finally:
            process.terminate()
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def table(load: Load) -> Table:
    """The result for the terminal."""
    shown = Table(
        title=f"{load.calls} callers ({load.cycle}) at one process for {load.seconds:g} s"
    )
    shown.add_column("")
    shown.add_column("measured", justify="right")
    shown.add_column("goal", justify="right")
    goal = f"< {GOAL_ADDED_MS:g}"
    rows = (
        ("lines that died", f"{load.died}", "0"),
        ("told that the server is busy", f"{load.refused}", ""),
        ("CPU of the server, % of a core", f"{load.cpu_percent:.0f}", ""),
        ("of it in the thread of its loop", f"{load.loop_cpu_percent:.0f}", ""),
        ("all of it in its worst 5 s", f"{load.cpu_worst_percent:.0f}", ""),
        ("added upwards p50, ms", f"{load.up_p50_ms:.1f}", ""),
        ("added upwards p99, ms", f"{load.up_p99_ms:.1f}", goal),
        ("wait for the turn to sound p50, ms", f"{load.pace_p50_ms:.1f}", ""),
        ("added downwards p99, ms", f"{load.down_p99_ms:.1f}", goal),
        ("added downwards p99.9, ms", f"{load.down_p999_ms:.1f}", ""),
        ("late pieces of sound", f"{load.late_pieces} of {load.pieces}", ""),
        ("of the callers' sound came, %", f"{100 * load.heard_share:.2f}", "100"),
        ("memory at the beginning, MiB", f"{load.mib_begin:.0f}", ""),
        ("memory at the end, MiB", f"{load.mib_end:.0f}", f"+ {100 * GOAL_GROWTH:g} % at most"),
    )
    for row in rows:
        shown.add_row(*row)
    if load.starved > STARVED_SHARE:
        shown.caption = (
            f"The machine was busy with something else: others had the core of the service for "
            f"{100 * load.starved:.0f} % of the time. Measure again when it is quiet."
        )
    return shown


def content(load: Load) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "callers over WebSockets at one process of crossfade serve with an SQLite "
        "store, records and metrics: a sentence of a person every 10 s, and an answer of 5 s, or, "
        f"in a talk, one that goes on; one call begins each {APART_S:g} s",
        "goals": {"added_p99_ms": GOAL_ADDED_MS, "died": 0, "memory_growth": GOAL_GROWTH},
        "held": load.held,
        **asdict(load),
    }


__all__ = ["Load", "content", "measure", "table"]
