"""How evenly the OpenAI emulator paces many sessions on one core."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from crossfade.errors import SettingsError

from .emulator_clients import opened, run
from .emulator_server import CHUNK_MS, served

GOAL_SESSIONS = 200
GOAL_P99_MS = 10.0
_WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """Times in ms, over all audio deltas of all sessions."""

    sessions: int
    seconds: float
    deltas_each_per_s: float
    """Received."""
    jitter_p50_ms: float
    jitter_p99_ms: float
    jitter_max_ms: float
    """How late a delta was written, against the even schedule of its session."""
    server_cpu_percent: float
    """Of one core."""
    server_waited_percent: float
    """Of the time: it could have run, and other processes had its core."""
    server_memory_mib: float
    clients_send_late_p99_ms: float
    clients_read_late_p99_ms: float
    """Lateness of the clients themselves, which is no part of the jitter."""
    load_average: float
    """Of the machine, over the last minute, when it ended."""


def measure(sessions: int, seconds: float) -> LoadResult:
    """Hold so many calls at once: 20 ms of audio each way, fifty times a second.

    Raises:
        SettingsError: The machine has only one core.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SettingsError("the emulator and its clients need a core each; this machine has one")
    with served(cores[0]) as server:
        os.sched_setaffinity(0, set(cores[1:]))
        try:
            clients = [opened(server.port) for _ in range(sessions)]
            run(clients, _WARM_UP_S, CHUNK_MS / 1000, ask=True)
            for client in clients:
                client.arrived_s.clear()
                client.read_late_s.clear()
            cpu_s, waited_s = server.cpu_s, server.waited_s
            late_s = run(clients, seconds, CHUNK_MS / 1000)
            cpu_s, waited_s = server.cpu_s - cpu_s, server.waited_s - waited_s
            memory_mib = server.memory_mib
        finally:
            os.sched_setaffinity(0, set(cores))
    jitter_ms = np.concatenate([_jitter_ms(client.arrived_s) for client in clients])
    read_late_s = np.concatenate([client.read_late_s for client in clients])
    for client in clients:
        client.sock.close()
    return LoadResult(
        sessions=sessions,
        seconds=seconds,
        deltas_each_per_s=round(jitter_ms.size / sessions / seconds, 2),
        jitter_p50_ms=_at(jitter_ms, 50),
        jitter_p99_ms=_at(jitter_ms, 99),
        jitter_max_ms=_at(jitter_ms, 100),
        server_cpu_percent=round(100 * cpu_s / seconds, 1),
        server_waited_percent=round(100 * waited_s / seconds, 1),
        server_memory_mib=round(memory_mib, 1),
        clients_send_late_p99_ms=_at(np.asarray(late_s) * 1000, 99),
        clients_read_late_p99_ms=_at(read_late_s * 1000, 99),
        load_average=round(os.getloadavg()[0], 2),
    )


def _jitter_ms(arrived_s: Sequence[float]) -> NDArray[np.float64]:
    """How late each delta came, against the schedule that fits the earliest."""
    due_s = np.arange(len(arrived_s)) * CHUNK_MS / 1000
    late_s: NDArray[np.float64] = np.asarray(arrived_s, dtype=np.float64) - due_s
    return np.asarray((late_s - late_s.min()) * 1000, dtype=np.float64)


def _at(values: NDArray[np.float64], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 2)


def table(result: LoadResult) -> Table:
    """The result for people."""
    title = f"{result.sessions} sessions on one core, {result.seconds:g} s"
    shown = Table("", "measured", "goal", title=title)
    jitter = f"{result.jitter_p50_ms} / {result.jitter_p99_ms} / {result.jitter_max_ms} ms"
    shown.add_row("jitter p50 / p99 / max", jitter, f"p99 under {GOAL_P99_MS:g} ms")
    shown.add_row("deltas a second, each", f"{result.deltas_each_per_s}", "50")
    used = f"{result.server_cpu_percent} % CPU, {result.server_memory_mib} MiB"
    shown.add_row("server", used, "")
    shown.add_row("server kept waiting by others", f"{result.server_waited_percent} %", "")
    late = f"{result.clients_send_late_p99_ms} / {result.clients_read_late_p99_ms} ms"
    shown.add_row("clients late to send / read, p99", late, "")
    shown.add_row("load average", f"{result.load_average}", "")
    return shown


def content(result: LoadResult) -> dict[str, Any]:
    """The result as it is kept."""
    return {
        "measurement": "pacing of the OpenAI emulator on one core, clients on another; scripted "
        "backend, server turn detection by energy, 50 audio messages a second each way",
        "goal_sessions": GOAL_SESSIONS,
        "goal_jitter_p99_ms": GOAL_P99_MS,
        **asdict(result),
    }
