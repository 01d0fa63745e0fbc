"""In real time, beside other people's sessions: what a caller who is speaking loses when the
connection is replaced, and when it dies.
"""

import asyncio
import contextlib
import importlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from crossfade.providers import SessionConfig, connect
from crossfade.providers.continuity.settings import Continuity

from .continuity_check import Said, runs_in
from .continuity_service import CONNECT_S, RATE_HZ, SET_UP_S, Service

ROTATE_AT_S = 5.0
"""So long after it began the session is replaced."""
GOAL_GAP_MS = 20.0
GOAL_RESTORED_MS = (CONNECT_S + SET_UP_S) * 1000 + 30.0
_ABORT_AT_S = 3.0
_LASTS_S = {"rotation": 8.0, "abort": 6.0}
_NEAR_S = 1.5
_FRAME_S = 0.02
_FRAME_BYTES = int(RATE_HZ * _FRAME_S) * 2
_SAMPLES_A_MS = RATE_HZ / 1000

Speak = Callable[[bytes], Any]
"""Takes 20 ms of the user; may give something to await."""
Opener = Callable[[int, bool], AbstractAsyncContextManager[Speak]]
"""Opens a session at a port; told whether it is to rotate after `ROTATE_AT_S`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What one client's caller lost."""

    client: str
    event: str
    """rotation or abort."""
    gap_ms: float | None
    """The longest time without sound at the service, beyond the usual between two messages, about
    the handover; None: none came any more."""
    restored_ms: float | None
    """Of an abort: until sound reached the service again."""
    lost_ms: float
    """Sound that no connection was given."""
    stranded_ms: float
    """Sound of the utterance in progress that the connection that goes on was not given."""


@asynccontextmanager
async def _ours(port: int, rotates: bool) -> AsyncIterator[Speak]:
    settings = Continuity(
        rotate_before_s=ROTATE_AT_S if rotates else 1.0,
        force_before_s=ROTATE_AT_S - 1.0 if rotates else 0.5,
    )
    session = connect(
        "openai:gpt-realtime",
        SessionConfig(),
        base_url=f"ws://127.0.0.1:{port}/v1/realtime",
        api_key="none",
        continuity=settings,
    )
    async with session:
        reading = asyncio.create_task(_read(session))
        session.user_speaking(True)
        try:
            yield session.send_audio
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading


async def _read(session: Any) -> None:
    async for _ in session:
        pass


@asynccontextmanager
async def _livekit(port: int, rotates: bool) -> AsyncIterator[Speak]:
    openai = importlib.import_module("livekit.plugins.openai")
    rtc = importlib.import_module("livekit.rtc")
    aiohttp = importlib.import_module("aiohttp")
    async with aiohttp.ClientSession() as http:
        model = openai.realtime.RealtimeModel(
            api_key="none",
            base_url=f"http://127.0.0.1:{port}/v1",
            http_session=http,
            max_session_duration=ROTATE_AT_S if rotates else None,
        )
        session = model.session()

        def speak(pcm: bytes) -> None:
            samples = len(pcm) // 2
            frame = rtc.AudioFrame(
                data=pcm, sample_rate=RATE_HZ, num_channels=1, samples_per_channel=samples
            )
            session.push_audio(frame)

        try:
            yield speak
        finally:
            await session.aclose()


@asynccontextmanager
async def _pydantic_ai(port: int, rotates: bool) -> AsyncIterator[Speak]:
    ai = importlib.import_module("pydantic_ai")
    openai = importlib.import_module("pydantic_ai.realtime.openai")
    providers = importlib.import_module("pydantic_ai.providers.openai")
    provider = providers.OpenAIProvider(base_url=f"http://127.0.0.1:{port}/v1", api_key="none")
    model = openai.OpenAIRealtimeModel(
        "gpt-realtime", provider=provider, settings={"reconnect": {"max_attempts": 5}}
    )
    async with ai.Agent().realtime(model).session() as session:
        reading = asyncio.create_task(_read(session))
        try:
            yield session.send_audio
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await reading


@asynccontextmanager
async def _pipecat(port: int, rotates: bool) -> AsyncIterator[Speak]:
    frames = importlib.import_module("pipecat.frames.frames")
    worker_module = importlib.import_module("pipecat.pipeline.worker")
    pipeline = importlib.import_module("pipecat.pipeline.pipeline")
    runner_module = importlib.import_module("pipecat.workers.runner")
    llm = importlib.import_module("pipecat.services.openai.realtime.llm")
    service = llm.OpenAIRealtimeLLMService(
        api_key="none", base_url=f"ws://127.0.0.1:{port}/v1/realtime"
    )
    worker = worker_module.PipelineWorker(
        pipeline.Pipeline([service]),
        params=worker_module.PipelineParams(
            audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ
        ),
    )
    runner = runner_module.WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())

    async def speak(pcm: bytes) -> None:
        await worker.queue_frame(
            frames.InputAudioRawFrame(audio=pcm, sample_rate=RATE_HZ, num_channels=1)
        )

    try:
        yield speak
    finally:
        await worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


CLIENTS: dict[str, tuple[Opener, str, Sequence[str]]] = {
    "crossfade": (_ours, "crossfade", ("rotation", "abort")),
    "livekit": (_livekit, "livekit.plugins.openai", ("rotation", "abort")),
    # It has no rotation.
    "pydantic-ai": (_pydantic_ai, "pydantic_ai.realtime", ("abort",)),
    "pipecat": (_pipecat, "pipecat.services.openai.realtime.llm", ("abort",)),
}
"""By name: how it is opened, the module it needs, and what can befall it."""


def measure(rounds: int) -> list[Beside]:
    """Measure every client that is installed."""
    found = []
    for name, (opener, module, events) in CLIENTS.items():
        if not _installed(module):
            continue
        for event in events:
            taken = [asyncio.run(_take(name, opener, event)) for _ in range(rounds)]
            found.append(_worst(taken))
    return found


def missing() -> list[str]:
    """The clients that are not installed."""
    return [name for name, (_, module, _) in CLIENTS.items() if not _installed(module)]


def _installed(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _worst(taken: Sequence[Beside]) -> Beside:
    """The round with the median gap; one in which no sound came any more is the worst."""
    return sorted(taken, key=lambda one: (one.gap_ms is None, one.gap_ms or 0.0))[len(taken) // 2]


async def _take(name: str, opener: Opener, event: str) -> Beside:
    # A session that is to rotate ends after twice the time.
    lives_s = 2 * ROTATE_AT_S if event == "rotation" else 3600.0
    async with Service(lives_s).listening() as service:
        async with opener(service.port, event == "rotation") as speak:
            said, struck_s = await _speak(speak, service, event)
            # The time of what was said last.
            await asyncio.sleep(0.1)
        return judged(name, event, service, said, struck_s)


async def _speak(speak: Speak, service: Service, event: str) -> tuple[bytes, float | None]:
    """Speak on and on, frame by frame; gives what was said, and when the connection was cut."""
    await service.connected.wait()
    await asyncio.sleep(CONNECT_S + 4 * SET_UP_S)
    noise = np.random.default_rng(3)
    frames = int(_LASTS_S[event] / _FRAME_S)
    pcm = noise.integers(-8000, 8000, frames * _FRAME_BYTES // 2).astype("<i2").tobytes()
    began_s, struck_s = time.monotonic(), None
    for number in range(frames):
        if event == "abort" and struck_s is None and number * _FRAME_S >= _ABORT_AT_S:
            struck_s = service.abort()
        with contextlib.suppress(Exception):
            sending = speak(pcm[number * _FRAME_BYTES : (number + 1) * _FRAME_BYTES])
            if asyncio.iscoroutine(sending):
                await sending
        await asyncio.sleep(max(0.0, began_s + (number + 1) * _FRAME_S - time.monotonic()))
    return pcm, struck_s


def judged(name: str, event: str, service: Service, said: bytes, struck_s: float | None) -> Beside:
    heard = [one for one in service.connections if one.times_s]
    index = Said(said)
    given = [_given(bytes(one.pcm), index) for one in heard]
    anywhere = np.logical_or.reduce(given)
    # What is on its way when the measurement ends is not lost.
    settled = np.arange(anywhere.size) < anywhere.size - int(300 * _SAMPLES_A_MS)
    restored_ms = None
    if struck_s is not None and len(heard) > 1:
        restored_ms = round((heard[-1].times_s[0] - struck_s) * 1000, 1)
    alive = event != "abort" or len(heard) > 1
    times = np.sort(np.concatenate([one.times_s for one in heard]))
    near = np.abs(times - heard[-1].times_s[0]) < _NEAR_S
    gap_s = float(np.diff(times[near]).max() - np.median(np.diff(heard[0].times_s)))
    last = given[-1] if alive else np.zeros_like(anywhere)
    return Beside(
        client=name,
        event=event,
        gap_ms=round(gap_s * 1000, 1) if alive else None,
        restored_ms=restored_ms,
        lost_ms=round(float((~anywhere & settled).sum()) / _SAMPLES_A_MS, 1),
        stranded_ms=round(float((anywhere & ~last & settled).sum()) / _SAMPLES_A_MS, 1),
    )


def _given(pcm: bytes, said: Said) -> Any:
    """Which samples of what was said a connection was given."""
    given = np.zeros(said.samples.size, dtype=bool)
    for run in runs_in(pcm, said):
        if run.said_at is not None:
            given[run.said_at : run.said_at + run.count] = True
    return given


def holds(found: Sequence[Beside]) -> bool:
    """Whether ours meets its goals."""
    ours = [one for one in found if one.client == "crossfade"]
    return bool(ours) and all(
        not one.lost_ms
        and not one.stranded_ms
        and one.gap_ms is not None
        and (one.event != "rotation" or one.gap_ms <= GOAL_GAP_MS)
        and (one.restored_ms is None or one.restored_ms <= GOAL_RESTORED_MS)
        for one in ours
    )


def table(found: Sequence[Beside]) -> Table:
    """The result for the terminal."""
    shown = Table(title="The user speaks while the connection is replaced, or dies")
    shown.add_column("client")
    shown.add_column("what befalls it")
    for heading in ("gap ms", "restored after ms", "lost ms", "stranded ms"):
        shown.add_column(heading, justify="right")
    for one in found:
        gap = "no end" if one.gap_ms is None else f"{one.gap_ms:g}"
        restored = "" if one.restored_ms is None else f"{one.restored_ms:g}"
        shown.add_row(
            one.client, one.event, gap, restored, f"{one.lost_ms:g}", f"{one.stranded_ms:g}"
        )
    shown.add_section()
    shown.add_row("goal", "rotation", f"{GOAL_GAP_MS:g}", "", "0", "0")
    shown.add_row("goal", "abort", "", f"{GOAL_RESTORED_MS:g}", "0", "0")
    return shown


def content(found: Sequence[Beside]) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "a caller who speaks without a pause, 20 ms a frame, in real time; the "
        f"service takes {CONNECT_S * 1000:g} ms to connect and {SET_UP_S * 1000:g} ms to tell of "
        "its session; the median of the rounds",
        "goal_gap_ms": GOAL_GAP_MS,
        "goal_restored_ms": GOAL_RESTORED_MS,
        "clients": [asdict(one) for one in found],
    }
