"""CPU of a minute of audio each way, ours against the least it could cost, and others beside."""

import asyncio
import gc
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from .dated import write_dated
from .peers import installed
from .wire_clients import Client, Opener, floor, gemini_floor, session
from .wire_peers import PEERS
from .wire_server import served

GOAL_RATIO = 1.5
GOAL_DOWN_MS = 15.0
GOAL_UP_MS = 40.0
_SPOKEN_MESSAGES = 3000
"""Of 20 ms each: a minute."""
_SPOKEN: Mapping[str, bytes] = {
    "openai": bytes(range(240)) * 4,
    "gemini": bytes(range(160)) * 4,
}
"""20 ms of audio, at 24 and 16 kHz."""

OWN: Mapping[str, Mapping[str, Opener]] = {
    "openai": {"floor": floor, "crossfade": session("openai:gpt-realtime-2.1", "openai")},
    "gemini": {"floor": gemini_floor, "crossfade": session("gemini:gemini-3.8-live", "gemini")},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Medians of process CPU per minute of audio, in ms and in floors.

    Down come messages of 100 ms, up go messages of 20 ms.
    """

    wire: str
    client: str
    down_ms: float
    up_ms: float
    down_ratio: float
    up_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WireResult:
    costs: Sequence[Cost]
    missing: Sequence[str]
    """Peers that are not installed."""
    rounds: int


def measure(rounds: int) -> WireResult:
    """Measure everybody in turn, so many times, each against one service in another process."""
    return asyncio.run(_measure(rounds))


async def _measure(rounds: int) -> WireResult:
    costs: list[Cost] = []
    missing: list[str] = []
    async with served() as port:
        for wire, own in OWN.items():
            peers = PEERS.get(wire, {})
            missing += [name for name in peers if not installed(name)]
            openers = {**own, **{name: peers[name] for name in peers if installed(name)}}
            costs += await _measure_wire(wire, openers, port, rounds)
    return WireResult(costs=costs, missing=missing, rounds=rounds)


async def _measure_wire(
    wire: str, openers: Mapping[str, Opener], port: int, rounds: int
) -> list[Cost]:
    down: dict[str, list[float]] = {name: [] for name in openers}
    up: dict[str, list[float]] = {name: [] for name in openers}
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(opener(port)) for name, opener in openers.items()
        }
        # As a server does once all is loaded: what others imported costs nobody a collection.
        gc.freeze()
        # The first round warms up.
        for number in range(rounds + 1):
            for name, client in clients.items():
                heard, spoken = await _hear_ms(client), await _speak_ms(client, wire)
                if number:
                    down[name].append(heard)
                    up[name].append(spoken)
        gc.unfreeze()
    return [
        Cost(
            wire=wire,
            client=name,
            down_ms=round(statistics.median(down[name]), 2),
            up_ms=round(statistics.median(up[name]), 2),
            down_ratio=_ratio(down[name], down["floor"]),
            up_ratio=_ratio(up[name], up["floor"]),
        )
        for name in openers
    ]


def _ratio(ours: Sequence[float], floor_ms: Sequence[float]) -> float:
    """The median of the rounds' ratios: what slows the machine down slows both of a round."""
    return round(statistics.median(a / b for a, b in zip(ours, floor_ms, strict=True)), 2)


async def _hear_ms(client: Client) -> float:
    gc.collect()
    before = time.process_time()
    await client.hear()
    return (time.process_time() - before) * 1e3


async def _speak_ms(client: Client, wire: str) -> float:
    gc.collect()
    pcm = _SPOKEN[wire]
    before = time.process_time()
    for _ in range(_SPOKEN_MESSAGES):
        await client.speak(pcm)
        # As from a microphone or a line: each piece comes in a turn of the loop of its own.
        await asyncio.sleep(0)
    await client.flush()
    return (time.process_time() - before) * 1e3


def table(result: WireResult) -> Table:
    """The result for the terminal."""
    shown = Table(title="CPU per minute of audio: 100 ms down, 20 ms up", min_width=60)
    for heading in ("wire", "client"):
        shown.add_column(heading)
    for heading in ("down ms", "× floor", "up ms", "× floor"):
        shown.add_column(heading, justify="right")
    wire = ""
    for cost in result.costs:
        if wire and cost.wire != wire:
            shown.add_section()
        wire = cost.wire
        shown.add_row(
            cost.wire,
            cost.client,
            f"{cost.down_ms:.1f}",
            f"{cost.down_ratio:.2f}",
            f"{cost.up_ms:.1f}",
            f"{cost.up_ratio:.2f}",
        )
    return shown


def content(result: WireResult) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "process CPU in ms per minute of audio, medians, client side of loopback; "
        "messages of 100 ms down, of 20 ms up",
        "goal_ratio": GOAL_RATIO,
        "goal_down_ms": GOAL_DOWN_MS,
        "goal_up_ms": GOAL_UP_MS,
        **asdict(result),
        "ratios": ratios(result),
    }


def ratios(result: WireResult) -> dict[str, float]:
    """How many of ours another's session costs, by wire, client and direction."""
    ours = {cost.wire: cost for cost in result.costs if cost.client == "crossfade"}
    found = {}
    for cost in result.costs:
        own = ours.get(cost.wire)
        if own is not None and cost.client not in ("crossfade", "floor"):
            name = f"{cost.wire}_{cost.client}"
            found[f"{name}_down"] = round(cost.down_ratio / own.down_ratio, 2)
            found[f"{name}_up"] = round(cost.up_ratio / own.up_ratio, 2)
    return found


def write_result(result: WireResult, folder: Path, now: datetime) -> Path:
    """Keep the result as dated JSON.

    Raises:
        SettingsError: The folder cannot be written.
    """
    return write_dated("wire", content(result), folder, now)
