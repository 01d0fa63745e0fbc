"""The queue before the transport, and the tracker behind it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pipecat.frames.frames import StartFrame
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams

from crossfade.frames.audio import (
    OutputAudioRawFrame,
    SpeechPlayedFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
)
from crossfade.processors.metronome import SLOT_S
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import HUSH_LIMIT_S, PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.transports.paced_output import PacedOutput
from tests.clock import run
from tests.processors.chain import Chain, running, settled

RATE_HZ = 24000
FRAME = bytes(RATE_HZ * 2 // 50)


class Line(PacedOutput):
    """The transport, keeping when it began to write each chunk and how long the chunk is."""

    def __init__(self) -> None:
        super().__init__(rate_hz=RATE_HZ)
        self.written: list[tuple[float, float]] = []

    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        ms = len(frame.audio) / 2 / RATE_HZ * 1000
        self.written.append((asyncio.get_running_loop().time(), ms))
        super().write_audio(frame)

    @property
    def written_ms(self) -> float:
        return sum(ms for _, ms in self.written)


class StockLine(BaseOutputTransport):
    """A transport of pipecat's: it takes each chunk for as long as it sounds."""

    def __init__(self) -> None:
        params = TransportParams(
            audio_out_enabled=True,
            audio_out_sample_rate=RATE_HZ,
            audio_out_10ms_chunks=2,
            audio_out_end_silence_secs=0,
        )
        super().__init__(params)
        self.written: list[tuple[float, float]] = []
        self._until_s = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now_s, sounds_s = asyncio.get_running_loop().time(), len(frame.audio) / 2 / RATE_HZ
        self.written.append((now_s, sounds_s * 1000))
        self._until_s = max(self._until_s, now_s) + sounds_s
        await asyncio.sleep(self._until_s - now_s)
        return True

    @property
    def written_ms(self) -> float:
        return sum(ms for _, ms in self.written)


LINES = pytest.mark.parametrize("kind", [Line, StockLine])


def playing(
    line: Line | StockLine | None = None,
) -> tuple[PlayoutQueue, Line | StockLine, PlayoutTracker]:
    playout = Playout(rate_hz=RATE_HZ)
    return PlayoutQueue(playout), line or Line(), PlayoutTracker(playout)


@LINES
@given(fill=st.integers(0, 60), wait_ms=st.integers(0, 520))
@example(fill=0, wait_ms=0)
@example(fill=30, wait_ms=100)
@example(fill=1, wait_ms=55)
@settings(max_examples=12, deadline=None)
def test_at_most_40_ms_are_written_after_25_frames_and_an_interruption_in_one_loop_turn(
    kind: type[Line | StockLine], fill: int, wait_ms: int
) -> None:
    """At every fill: `fill` frames came `wait_ms` before."""

    async def scenario() -> None:
        line = kind()
        async with running(*playing(line)) as chain:
            for _ in range(fill):
                chain.speak(FRAME)
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
            before_ms = line.written_ms
            for _ in range(25):
                chain.speak(FRAME)
            await chain.down(InterruptionFrame())
            await asyncio.sleep(2)
            assert line.written_ms - before_ms <= 40
            assert chain.first.frames(SpeechPlayedFrame)[0].interrupted

    run(scenario())


def test_speech_that_comes_in_a_burst_is_played_at_its_own_pace() -> None:
    async def scenario() -> None:
        line = Line()
        async with running(*playing(line)) as chain:
            start_s = asyncio.get_running_loop().time()
            for _ in range(50):
                chain.speak(FRAME)
            await asyncio.sleep(3)
            begun = [at_s - start_s for at_s, _ in line.written]
            assert begun[0] == 0
            early_s = [0.02 * n - at_s for n, at_s in enumerate(begun)]
            assert len(begun) == 50
            assert -0.0001 <= min(early_s) <= max(early_s) <= SLOT_S + 0.0001

    run(scenario())


def test_the_transport_is_never_more_than_40_ms_ahead() -> None:
    async def scenario() -> None:
        playout = Playout(rate_hz=RATE_HZ)
        async with running(PlayoutQueue(playout)) as chain:
            start_s = asyncio.get_running_loop().time()
            for _ in range(100):
                chain.speak(FRAME)
            for _ in range(150):
                await asyncio.sleep(0.01)
                elapsed_ms = (asyncio.get_running_loop().time() - start_s) * 1000
                handed_ms = sum(len(f.audio) for f in chain.last.audio) / 2 / RATE_HZ * 1000
                assert handed_ms - elapsed_ms <= 40.001

    run(scenario())


async def _say(chain: Chain, item_id: str, frames: int) -> None:
    await chain.down(TTSStartedFrame(context_id=f"of {item_id}"))
    for _ in range(frames):
        chain.speak(FRAME, item_id)
    await chain.down(TTSStoppedFrame(context_id=f"of {item_id}"))


@LINES
def test_an_answer_played_to_its_end_is_told_both_ways_with_its_length(
    kind: type[Line | StockLine],
) -> None:
    async def scenario() -> None:
        async with running(*playing(kind())) as chain:
            await _say(chain, "a", 10)
            await asyncio.sleep(1)
            for probe in (chain.first, chain.last):
                (frame,) = probe.frames(SpeechPlayedFrame)
                assert [(i.origin.item_id, i.played_ms) for i in frame.items] == [("a", 200.0)]
                assert not frame.interrupted
            assert len(chain.first.frames(BotStartedSpeakingFrame)) == 1
            assert len(chain.first.frames(BotStoppedSpeakingFrame)) == 1

    run(scenario())


@LINES
def test_an_interruption_cuts_at_what_was_played_and_the_next_answer_counts_from_zero(
    kind: type[Line | StockLine],
) -> None:
    async def scenario() -> None:
        async with running(*playing(kind())) as chain:
            await _say(chain, "a", 50)
            await asyncio.sleep(0.5)
            await chain.down(InterruptionFrame())
            await settled()
            (cut,) = chain.first.frames(SpeechPlayedFrame)
            assert cut.items[0].played_ms == pytest.approx(500, abs=20)
            assert cut.items[0].received_ms == 1000
            await _say(chain, "b", 5)
            await asyncio.sleep(1)
            end = chain.first.frames(SpeechPlayedFrame)[1]
            assert [(i.origin.item_id, i.played_ms) for i in end.items] == [("b", 100.0)]

    run(scenario())


@LINES
def test_the_end_of_the_call_waits_until_all_is_played(
    kind: type[Line | StockLine],
) -> None:
    async def scenario() -> None:
        line = kind()
        async with running(*playing(line)) as chain:
            await _say(chain, "a", 50)
        assert line.written_ms == 1000

    run(scenario())


def test_speech_at_another_rate_is_refused_by_name() -> None:
    async def scenario() -> None:
        async with running(PlayoutQueue(Playout(rate_hz=RATE_HZ), name="queue")) as chain:
            chain.speak(bytes(320), rate_hz=8000)
            await settled()
            assert "queue takes 24000 Hz" in str(chain.errors[0].error)

    run(scenario())


@given(st.integers(1, 3000))
@settings(max_examples=20, deadline=None)
def test_the_end_comes_also_when_speech_stopped_short_of_a_chunk(samples: int) -> None:
    async def scenario() -> None:
        line = Line()
        async with running(*playing(line)) as chain:
            chain.speak(bytes(2 * samples))
        assert line.written_ms >= samples / RATE_HZ * 1000

    run(scenario(), timeout_s=60)


@LINES
def test_an_interruption_does_not_drop_the_end(
    kind: type[Line | StockLine],
) -> None:
    async def scenario() -> None:
        async with running(*playing(kind())) as chain:
            for _ in range(50):
                chain.speak(FRAME)
            await chain.end()
            await asyncio.sleep(0.1)
            await chain.down(InterruptionFrame())

    run(scenario(), timeout_s=60)


@pytest.mark.parametrize("late_s", [0.0014, 0.016])
def test_late_wake_ups_do_not_add_up(late_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine wakes each sleeper late; the speech still takes its own time."""

    async def scenario() -> None:
        loop, line = asyncio.get_running_loop(), Line()
        on_time = loop.call_at

        def late(
            when_s: float, callback: Callable[..., object], *args: Any, context: Any = None
        ) -> asyncio.TimerHandle:
            return on_time(when_s + late_s, callback, *args, context=context)

        async with running(*playing(line)) as chain:
            monkeypatch.setattr(loop, "call_at", late, raising=False)
            for _ in range(100):
                chain.speak(FRAME)
            await asyncio.sleep(3)
            begun = [at_s for at_s, _ in line.written]
            assert len(begun) == 100
            assert begun[-1] - begun[0] == pytest.approx(1.98, abs=0.005 + late_s)

    run(scenario())


@pytest.mark.parametrize(("stall_s", "later_s"), [(0.05, 0.0), (0.2, 0.2)])
def test_a_short_stall_is_made_up_for_and_a_long_one_is_a_pause(
    stall_s: float, later_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        loop, line = asyncio.get_running_loop(), Line()
        on_time, from_s = loop.call_at, loop.time() + 0.5

        def stalled(
            when_s: float, callback: Callable[..., object], *args: Any, context: Any = None
        ) -> asyncio.TimerHandle:
            if from_s < when_s < from_s + stall_s:
                when_s = from_s + stall_s
            return on_time(when_s, callback, *args, context=context)

        async with running(*playing(line)) as chain:
            monkeypatch.setattr(loop, "call_at", stalled, raising=False)
            for _ in range(100):
                chain.speak(FRAME)
            await asyncio.sleep(3)
            begun = [at_s for at_s, _ in line.written]
            assert len(begun) == 100
            assert begun[-1] - begun[0] == pytest.approx(1.98 + later_s, abs=0.03)

    run(scenario())


def test_ten_minutes_of_speech_take_ten_minutes() -> None:
    async def scenario() -> None:
        line = Line()
        async with running(*playing(line)) as chain:
            start_s = asyncio.get_running_loop().time()
            chain.speak(FRAME * 30_000)
            await chain.down(TTSStoppedFrame(context_id="of item"))
            await asyncio.sleep(620)
            assert line.written_ms == 600_000
            assert line.written[-1][0] - start_s == pytest.approx(599.98, abs=0.006)
            (over,) = chain.first.frames(SpeechPlayedFrame)
            assert over.items[0].played_ms == 600_000

    run(scenario())


@LINES
def test_a_hold_stops_the_line_within_a_chunk_and_a_resume_loses_and_doubles_nothing(
    kind: type[Line | StockLine],
) -> None:
    async def scenario() -> None:
        line, speech = kind(), bytes(range(1, 241)) * 4 * 50
        async with running(*playing(line)) as chain:
            chain.speak(speech)
            await chain.down(TTSStoppedFrame(context_id="of item"))
            await asyncio.sleep(0.207)
            await chain.down(PlayoutHoldFrame())
            await asyncio.sleep(0.5)
            held_ms = line.written_ms
            assert held_ms <= 207 + (25 if kind is Line else 40)
            resumed_s = asyncio.get_running_loop().time()
            await chain.down(PlayoutResumeFrame())
            await settled()
            assert line.written[-1][0] == resumed_s
            await asyncio.sleep(2)
            heard = b"".join(f.audio for f in chain.last.audio)
            assert heard == speech
            (over,) = chain.first.frames(SpeechPlayedFrame)
            assert over.items[0].played_ms == 1000

    run(scenario())


@LINES
def test_an_interruption_of_a_held_answer_cuts_where_it_was_held(
    kind: type[Line | StockLine],
) -> None:
    async def scenario() -> None:
        line = kind()
        async with running(*playing(line)) as chain:
            await _say(chain, "a", 50)
            await asyncio.sleep(0.305)
            await chain.down(PlayoutHoldFrame())
            await asyncio.sleep(0.25)
            # What comes in meanwhile waits, too.
            chain.speak(FRAME, "a")
            await chain.down(InterruptionFrame())
            await settled()
            (cut,) = chain.first.frames(SpeechPlayedFrame)
            assert cut.items[0].played_ms == line.written_ms
            assert line.written_ms == pytest.approx(305, abs=20 if kind is Line else 40)
            await _say(chain, "b", 5)
            await asyncio.sleep(1)
            assert line.written_ms == cut.items[0].played_ms + 100

    run(scenario())


@LINES
def test_the_end_of_a_held_call_waits_for_the_resume(kind: type[Line | StockLine]) -> None:
    async def scenario() -> None:
        async with running(*playing(kind())) as chain:
            await _say(chain, "a", 50)
            await asyncio.sleep(0.3)
            await chain.down(PlayoutHoldFrame())
            await chain.end()
            await asyncio.sleep(0.5)
            await chain.down(PlayoutResumeFrame())
        assert b"".join(frame.audio for frame in chain.last.audio) == 50 * FRAME

    run(scenario(), timeout_s=60)


def test_nothing_is_written_after_a_hush_and_the_interruption_behind_it_empties_the_queue() -> None:
    async def scenario() -> None:
        line = Line()
        async with running(*playing(line)) as chain:
            for _ in range(50):
                chain.speak(FRAME)
            await asyncio.sleep(0.2)
            before_ms = line.written_ms
            chain.first.hush(InterruptionFrame)
            chain.speak(FRAME)
            await asyncio.sleep(0.2)
            assert line.written_ms == before_ms
            await chain.down(InterruptionFrame())
            chain.speak(FRAME, "new")
            await asyncio.sleep(0.2)
            assert line.written_ms == before_ms + 20

    run(scenario())


def test_a_hold_behind_a_hush_is_ended_by_nothing_but_a_resume() -> None:
    async def scenario() -> None:
        line = Line()
        async with running(*playing(line)) as chain:
            for _ in range(50):
                chain.speak(FRAME)
            chain.first.hush(PlayoutHoldFrame)
            await chain.down(PlayoutHoldFrame())
            before_ms = line.written_ms
            await asyncio.sleep(2 * HUSH_LIMIT_S)
            assert line.written_ms == before_ms
            await chain.down(PlayoutResumeFrame())
            await asyncio.sleep(0.1)
            assert line.written_ms > before_ms

    run(scenario())


def test_speech_goes_on_where_a_hush_was_for_nothing() -> None:
    async def scenario() -> None:
        line = Line()
        async with running(*playing(line)) as chain:
            for _ in range(50):
                chain.speak(FRAME)
            chain.first.hush(InterruptionFrame)
            before_ms = line.written_ms
            await asyncio.sleep(HUSH_LIMIT_S - 0.1)
            assert line.written_ms == before_ms
            await asyncio.sleep(2)
            assert line.written_ms == 1000

    run(scenario())
