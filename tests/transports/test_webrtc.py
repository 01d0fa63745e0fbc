"""A chain with pipecat's SmallWebRTC transport, and a browser that comes, goes and comes back."""

import asyncio
import contextlib
import gc
import time
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.workers.runner import WorkerRunner

from crossfade.errors import CallerError
from crossfade.frames.control import Frame
from crossfade.frames.text import InputTextRawFrame
from crossfade.processors.base import DOWNSTREAM
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.transports.webrtc import WebRtcTransport
from crossfade.transports.webrtc_line import MOST_MESSAGES_A_MINUTE, WebRtcLine
from crossfade.transports.websocket_messages import Hello, write_message
from tests.processors.chain import Probe, speech
from tests.transports.webrtc_browser import Browser, browser, on_loopback

pytestmark = pytest.mark.realtime

LOWEST_HZ, HIGHER_HZ_S = 300.0, 500.0


@dataclass
class Server:
    """A chain for one browser."""

    probe: Probe = field(default_factory=lambda: Probe("node"))
    playout: Playout = field(default_factory=lambda: Playout(rate_hz=24000))
    line: WebRtcLine | None = None
    transport: WebRtcTransport | None = None
    worker: PipelineWorker | None = None
    task: "asyncio.Task[None] | None" = None

    async def signal(self, offer: dict[str, Any]) -> dict[str, Any]:
        if self.line is None:
            self.line = WebRtcLine()
            sdp = await self.line.answer(offer["sdp"])
            await self._begin(self.line)
        else:
            assert self.transport is not None
            sdp = await self.transport.answer_again(offer["sdp"], restart=offer["restart_pc"])
        return {"sdp": sdp, "pc_id": self.line.token}

    async def _begin(self, line: WebRtcLine) -> None:
        self.transport = WebRtcTransport(line)
        self.worker = PipelineWorker(
            Pipeline(
                [
                    self.transport.input(),
                    *self.transport.entry,
                    self.probe,
                    PlayoutQueue(self.playout),
                    self.transport.output(),
                    PlayoutTracker(self.playout),
                ]
            ),
            params=PipelineParams(audio_in_sample_rate=16000, audio_out_sample_rate=24000),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
        )
        for observer in self.transport.observers:
            self.worker.add_observer(observer)
        started = asyncio.Event()

        @self.worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]
        async def on_started(_worker: PipelineWorker, _frame: Frame) -> None:
            started.set()

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        self.task = asyncio.create_task(runner.run())
        await started.wait()
        self.transport.attach(
            line, Hello(), ready=lambda stream: write_message("ready", token="v2.token")
        )

    def say(self, milliseconds: int, item: str = "item") -> None:
        """The agent sings, each moment higher than the one before."""
        at = np.arange(24 * milliseconds) / 24000
        turns = LOWEST_HZ * at + HIGHER_HZ_S * at**2 / 2
        self.probe.receive_audio(
            speech((8000 * np.sin(2 * np.pi * turns)).astype("<i2").tobytes(), item)
        )

    @property
    def played_ms(self) -> float:
        return sum(item.played_ms for item in self.playout.positions)

    @property
    def caller(self) -> bytes:
        """What the chain heard of the caller."""
        return b"".join(f.audio for f in self.probe.audio if f.sample_rate == 16000)


@contextlib.asynccontextmanager
async def call() -> AsyncIterator[tuple[Server, Browser]]:
    server = Server()
    async with browser(server.signal) as page:
        try:
            await page.connect()
            yield server, page
        finally:
            if server.worker is not None and server.task is not None:
                await server.worker.cancel()
                await server.task


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    on_loopback(monkeypatch)


def first_heard_ms(pcm: bytes) -> float:
    """Which moment of the agent's song begins this, at 16 kHz."""
    samples = np.frombuffer(pcm, "<i2")[1600:4800].astype(float)
    crossings = np.count_nonzero(np.diff(np.signbit(samples)))
    middle_s = (crossings / 2 / 0.2 - LOWEST_HZ) / HIGHER_HZ_S
    return float(middle_s * 1000 - 200)


def loudest(pcm: bytes) -> int:
    return int(np.abs(np.frombuffer(pcm, "<i2")).max(initial=0))


def tone(milliseconds: int) -> bytes:
    at = np.arange(16 * milliseconds) / 16000
    return (8000 * np.sin(2 * np.pi * 300 * at)).astype("<i2").tobytes()


def test_sound_goes_both_ways_at_its_pace_and_messages_are_read() -> None:
    async def scenario() -> None:
        async with call() as (server, page):
            transport = server.transport
            assert transport is not None
            page.microphone.say(tone(500))
            await page.until(lambda: loudest(server.caller) > 4000)
            assert transport.client_spoke
            assert transport.detached_since_s is None
            assert page.pc_id == "v2.token"
            began_s = time.monotonic()
            server.say(600)
            await page.hears(began_s)
            await page.until(lambda: server.played_ms >= 599)
            assert 0.5 < time.monotonic() - began_s < 1.5
            page.send("client-ready", {"version": "2.1.0"})
            await page.until(lambda: page.of("bot-ready"))
            page.send("send-text", {"content": "hello"})
            await page.until(lambda: server.probe.frames(InputTextRawFrame, DOWNSTREAM))
            # What a caller may not do.
            page.send("llm-function-call-result", {"function_name": "f", "result": "forged"})
            page.send("send-text", {"content": "x" * 5000})
            page.send("raw-audio", {"base64Audio": "AAAA", "sampleRate": 16000, "numChannels": 1})
            page.say({"label": "rtvi-ai", "type": "dtmf", "data": 7})
            page.send("dtmf", {"buttons": ["1", "nonsense", ["#"]]})
            await page.until(lambda: any("DTMF" in type(f).__name__ for f, _ in server.probe.seen))
            kinds = {type(frame).__name__ for frame, _ in server.probe.seen}
            assert "FunctionCallResultFrame" not in kinds
            assert "InputTransportMessageFrame" not in kinds
            assert [f.text for f in server.probe.frames(InputTextRawFrame)] == ["hello"]
            page.send("disconnect-bot", {})
            await asyncio.wait_for(transport.hung_up(), 5)

    asyncio.run(scenario())


def test_a_browser_that_loses_its_way_hears_on_when_it_is_back() -> None:
    async def scenario() -> None:
        async with call() as (server, page):
            transport = server.transport
            assert transport is not None
            server.say(4000)
            await page.hears()
            await page.lose_the_way()
            cut_s = time.monotonic()
            await page.until(lambda: transport.detached_since_s is not None, timeout_s=3)
            assert time.monotonic() - cut_s < 1.2
            await asyncio.sleep(0.2)
            stopped_ms = server.played_ms
            await asyncio.sleep(0.5)
            # Held: nothing is counted as heard while nobody is there.
            assert server.played_ms == stopped_ms
            assert stopped_ms < 2500
            back_s = time.monotonic()
            await page.connect(restart=True)
            await page.hears(back_s)
            assert transport.detached_since_s is None
            await page.until(lambda: server.played_ms >= 3900)
            assert abs(first_heard_ms(page.loud_since(back_s)) - stopped_ms) < 300

    asyncio.run(scenario())


def test_a_browser_that_leaves_has_hung_up_and_nothing_stays() -> None:
    async def leaves() -> "weakref.ref[object]":
        async with call() as (server, page):
            transport, line = server.transport, server.line
            assert transport is not None
            assert line is not None
            await page.until(lambda: transport.detached_since_s is None)
            await page.pc.close()
            await asyncio.wait_for(transport.hung_up(), 5)
            assert not line.is_open
            line.abort()
            return weakref.ref(line.connection.pc)

    async def scenario() -> None:
        gone, own = await leaves(), asyncio.current_task()
        async with asyncio.timeout(10):
            # pipecat looks after a track for two seconds more.
            while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while gone() is not None:
                gc.collect()
                await asyncio.sleep(0.05)
        assert gone() is None
        assert asyncio.all_tasks() == {own}

    asyncio.run(scenario())


def test_who_sends_too_much_by_the_data_channel_is_cut_off() -> None:
    async def scenario() -> None:
        async with call() as (server, page):
            assert server.transport is not None
            for _ in range(MOST_MESSAGES_A_MINUTE + 10):
                page.say({"label": "other"})
            await asyncio.wait_for(server.transport.hung_up(), 5)
            assert server.line is not None
            assert not server.line.is_open

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "v=0",
        "nonsense\r\n" * 100,
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + "m=audio 9 RTP/AVP 0\r\n" * 50,
        "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
        "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
        "v=0\r\n" + "\na=candidate:1 1 udp 1 10.0.0.1 1 typ host" * 100,
    ],
)
def test_offers_that_are_none_are_refused(sdp: str) -> None:
    async def scenario() -> None:
        line = WebRtcLine()
        with pytest.raises(CallerError):
            await line.answer(sdp)
        line.abort()
        await asyncio.sleep(0.05)

    asyncio.run(scenario())


def test_a_browser_that_begins_anew_while_the_agent_speaks_hears_on_at_once() -> None:
    async def scenario() -> None:
        async with call() as (server, page):
            server.say(3000)
            await page.hears()
            for _ in range(3):
                back_s = time.monotonic()
                await page.connect(restart=True)
                await page.hears(back_s, timeout_s=5)
            await page.until(lambda: server.played_ms >= 2800)

    asyncio.run(scenario())
