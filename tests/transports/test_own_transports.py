"""Our transports' bases: audio by plain calls, and what pipecat expects of a transport."""

import asyncio

import pytest
from pipecat.frames.frames import BotSpeakingFrame, OutputTransportReadyFrame, TextFrame
from pipecat.observers.user_bot_latency_observer import UserBotLatencyObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner

from crossfade.audio.sound_file import Sound
from crossfade.frames.audio import (
    OutputAudioRawFrame,
    SpeechPlayedFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
)
from crossfade.processors.base import DOWNSTREAM, UPSTREAM
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.transports.output import OutputTransport
from crossfade.transports.paced_output import PacedOutput
from crossfade.transports.script import AfterSilence, Line, Script
from crossfade.transports.scripted_caller import ScriptedCaller, ScriptedInput
from tests.clock import run
from tests.processors.chain import Chain, Probe, running, settled

RATE_HZ = 24000
FRAME = bytes([1]) * 960
SPEAKING = (BotStartedSpeakingFrame, BotStoppedSpeakingFrame)


def told(chain: Chain) -> list[str]:
    """What was told of the agent's speaking, checked to have gone both ways."""
    up = [
        type(f).__name__ for f, w in chain.first.seen if isinstance(f, SPEAKING) and w is UPSTREAM
    ]
    down = [
        type(f).__name__ for f, w in chain.last.seen if isinstance(f, SPEAKING) and w is DOWNSTREAM
    ]
    assert up == down
    return up


@pytest.mark.parametrize("how", ["stopped", "interrupted", "call over"])
def test_the_agent_is_told_to_speak_and_to_be_silent_again(how: str) -> None:
    async def scenario() -> None:
        async with running(
            PlayoutQueue(Playout(rate_hz=RATE_HZ)), PacedOutput(rate_hz=RATE_HZ)
        ) as c:
            await c.down(TTSStartedFrame(context_id="r"))
            assert told(c) == []
            for _ in range(150):
                c.speak(FRAME)
            await settled()
            assert told(c) == ["BotStartedSpeakingFrame"]
            match how:
                case "stopped":
                    await c.down(TTSStoppedFrame(context_id="r"))
                    await asyncio.sleep(2.9)
                    assert told(c) == ["BotStartedSpeakingFrame"]
                    await asyncio.sleep(0.12)
                case "interrupted":
                    await asyncio.sleep(1)
                    await c.down(InterruptionFrame())
                    await c.down(InterruptionFrame())
                    await settled()
            if how != "call over":
                assert told(c) == ["BotStartedSpeakingFrame", "BotStoppedSpeakingFrame"]
        assert told(c) == ["BotStartedSpeakingFrame", "BotStoppedSpeakingFrame"]
        assert len(c.first.frames(BotSpeakingFrame)) == 1

    run(scenario())


def test_a_chunk_is_written_at_once_and_passed_on_when_it_was_heard() -> None:
    class Line(OutputTransport):
        def write_audio(self, frame: OutputAudioRawFrame) -> None:
            written.append(asyncio.get_running_loop().time())

    written: list[float] = []

    async def scenario() -> None:
        async with running(Line(rate_hz=RATE_HZ)) as chain:
            start_s = asyncio.get_running_loop().time()
            chain.speak(FRAME)
            assert written == [start_s]
            await asyncio.sleep(0.014)
            assert not chain.last.audio
            await asyncio.sleep(0.027)
            assert [frame.audio for frame in chain.last.audio] == [FRAME]
            # The end does not wait for a beat.
            chain.speak(FRAME)
            await chain.down(TTSStoppedFrame(context_id="r"))
            assert len(chain.last.audio) == 2

    run(scenario())


@pytest.mark.parametrize("phase_ms", [0, 1, 4.9])
def test_what_was_heard_goes_on_in_few_pieces_and_never_long_after(phase_ms: float) -> None:
    async def scenario() -> None:
        line = Timed(rate_hz=RATE_HZ)
        async with running(PlayoutQueue(Playout(rate_hz=RATE_HZ)), line) as chain:
            await asyncio.sleep(1 + phase_ms / 1000)
            for _ in range(100):
                chain.speak(FRAME)
            most_late_ms = 0.0
            while len(line.written_s) < 100:
                await asyncio.sleep(0.003)
                heard_ms = (asyncio.get_running_loop().time() - line.written_s[0]) * 1000
                most_late_ms = max(most_late_ms, heard_ms - passed_ms(chain))
            assert 80 < most_late_ms < 135
            assert 20 <= len(chain.last.audio) <= 25
            # No more comes, and nobody says that it was the last.
            await asyncio.sleep(0.06)
            assert passed_ms(chain) == 2000
            assert chain.last.audio[0].audio == FRAME

    run(scenario())


def passed_ms(chain: Chain) -> float:
    return sum(frame.num_frames for frame in chain.last.audio) * 1000 / RATE_HZ


def test_an_interruption_is_told_what_was_heard_by_then() -> None:
    async def interrupted(after_s: float) -> None:
        playout = Playout(rate_hz=RATE_HZ)
        line = Timed(rate_hz=RATE_HZ)
        async with running(PlayoutQueue(playout), line, PlayoutTracker(playout)) as chain:
            for _ in range(50):
                chain.speak(FRAME)
            await asyncio.sleep(after_s)
            heard_ms = (asyncio.get_running_loop().time() - line.written_s[0]) * 1000
            await chain.down(InterruptionFrame())
            await settled()
            (told,) = chain.first.frames(SpeechPlayedFrame)
            assert heard_ms - 20.1 < told.items[0].played_ms < heard_ms + 0.1

    async def scenario() -> None:
        # Each call of a loop has beats of its own.
        for number in range(20):
            await asyncio.sleep(0.0037 * number)
            await interrupted(0.2 + 0.0023 * number)

    run(scenario())


class Timed(OutputTransport):
    """Notes when each chunk is written."""

    def __init__(self, *, rate_hz: int) -> None:
        super().__init__(rate_hz=rate_hz)
        self.written_s: list[float] = []

    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        self.written_s.append(asyncio.get_running_loop().time())


def test_audio_at_another_rate_is_refused_by_name() -> None:
    async def scenario() -> None:
        line = PacedOutput(rate_hz=8000, name="line")
        async with running(line) as chain:
            chain.speak(FRAME)
            await settled()
            assert "line takes 8000 Hz" in str(chain.errors[0].error)

    run(scenario())


def test_a_caller_speaks_50_frames_a_second_without_drift_and_hangs_up() -> None:
    async def scenario() -> None:
        sound = Sound(pcm=bytes([1]) * 32000, rate_hz=16000)
        line = Line(name="one", sound=sound, cue=AfterSilence(after_s=60))
        caller = ScriptedInput(Script([line], patience_s=120), rate_hz=16000)
        async with running(caller) as chain:
            await asyncio.sleep(100)
            frames = chain.last.audio
            assert len(frames) == pytest.approx(5000, abs=1)
            assert {len(frame.audio) for frame in frames} == {640}
            speech = [n for n, frame in enumerate(frames) if any(frame.audio)]
            assert len(speech) == 50
            assert speech[0] == pytest.approx(3000, abs=2)
            assert not caller.hung_up.is_set()
        assert len(frames) == len(chain.last.audio)

    run(scenario())


def test_they_serve_in_a_pipeline_of_stock_processors_as_any_transport_does() -> None:
    """With pipecat's observers, RTVI and idle timeout on, and stock processors at either side."""

    async def scenario() -> None:
        sound = Sound(pcm=bytes([1]) * 32000, rate_hz=16000)
        line = Line(name="one", sound=sound, cue=AfterSilence(after_s=0.1))
        caller: BaseTransport = ScriptedCaller(Script([line], patience_s=1))
        before, after = Probe("before"), Probe("after")
        chain = [
            caller.input(),
            IdentityFilter(),
            before,
            PlayoutQueue(Playout(rate_hz=RATE_HZ)),
            caller.output(),
            IdentityFilter(),
            after,
        ]
        worker = PipelineWorker(
            Pipeline(chain),
            params=PipelineParams(audio_in_sample_rate=16000, audio_out_sample_rate=RATE_HZ),
            observers=[UserBotLatencyObserver()],
            idle_timeout_secs=6,
        )
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running_task = asyncio.create_task(runner.run())
        await asyncio.sleep(0.5)
        frames: list[Frame] = [TTSStartedFrame(), TextFrame("hi"), TTSStoppedFrame()]
        for frame in frames:
            await worker.queue_frame(frame)
        for _ in range(12):
            for _ in range(50):
                before.push_audio(
                    OutputAudioRawFrame(audio=FRAME, sample_rate=RATE_HZ, num_channels=1)
                )
            await asyncio.sleep(1)
        await worker.stop_when_done()
        await asyncio.wait_for(running_task, 10)
        assert len([f for f in before.audio if any(f.audio)]) == 50
        assert before.frames(OutputTransportReadyFrame, UPSTREAM)
        assert before.frames(BotStartedSpeakingFrame, UPSTREAM)
        heard = b"".join(f.audio for f in after.audio if isinstance(f, OutputAudioRawFrame))
        assert heard == 600 * FRAME

    run(scenario())
