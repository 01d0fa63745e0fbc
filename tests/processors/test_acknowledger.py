"""The agent's words while tools run, in a chain with a queue and a line that keeps time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from crossfade.audio.energy import rms_dbfs
from crossfade.audio.pcm import silence, to_pcm
from crossfade.frames.audio import (
    AudioRawFrame,
    SpeechFrame,
    SpeechOrigin,
    SpeechPlayedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import (
    Frame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import SpokenTextFrame
from crossfade.frames.tools import AcknowledgeFrame, ToolActivityFrame, ToolPhase
from crossfade.processors.acknowledger import Acknowledger
from crossfade.processors.audio_tap import AudioTap
from crossfade.processors.base import DOWNSTREAM, UPSTREAM
from crossfade.processors.phrase_rendering import Rendering
from crossfade.processors.phrases import Phrases, PhraseStore, Voice
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.transports.paced_output import PacedOutput
from tests.clock import run
from tests.processors.chain import Chain, running

RATE_HZ = 24000
AFTER_S = 0.3
PHRASES = ("One moment.", "Still on it.")
LATEST_S = 0.020
PHRASE_S = 0.5


def tone(seconds: float, hz: float = 200) -> bytes:
    samples = np.arange(round(seconds * RATE_HZ))
    return to_pcm(0.3 * np.sin(2 * np.pi * hz * samples / RATE_HZ))


@dataclass
class Line:
    """The chain with what its far end heard."""

    chain: Chain
    heard_s: list[tuple[float, float]] = field(default_factory=list)
    """Stretches of sound."""

    def hear(self, frame: AudioRawFrame) -> None:
        now_s = asyncio.get_running_loop().time()
        if rms_dbfs(frame.audio) < -45:
            return
        began_s = now_s - frame.num_frames / frame.sample_rate
        if self.heard_s and began_s - self.heard_s[-1][1] < 0.03:
            began_s = self.heard_s.pop()[0]
        self.heard_s.append((began_s, now_s))

    async def tool(self, phase: ToolPhase, call_id: str = "call", response: str = "r") -> None:
        """What the dispatcher, further on, tells of a call."""
        await self.chain.up(
            ToolActivityFrame(
                call_id=call_id,
                function_name="tool",
                phase=phase,
                response_id=response,
                phrases=PHRASES,
            )
        )

    async def slow_tool(self) -> None:
        await self.tool(ToolPhase.STARTED)
        await asyncio.sleep(AFTER_S)
        await self.tool(ToolPhase.SLOW)

    async def answer(self, seconds: float, name: str = "answer", tail_s: float = 0) -> None:
        """The model speaks, all at once."""
        await self.chain.down(ResponseStartFrame(response_id=name))
        self.chain.first.push_audio(
            SpeechFrame(
                audio=tone(seconds) + silence(tail_s * 1000, RATE_HZ),
                sample_rate=RATE_HZ,
                num_channels=1,
                origin=SpeechOrigin(item_id=f"item of {name}", response_id=name),
            )
        )
        await self.chain.down(TTSStoppedFrame(context_id=name))
        await self.chain.down(ResponseEndFrame(response_id=name))

    @property
    def said(self) -> list[str]:
        return [frame.text for frame in self.chain.last.frames(SpokenTextFrame)]


async def spoken(text: str) -> Rendering:
    quiet = silence(120, RATE_HZ)
    return Rendering(pcm=quiet + tone(PHRASE_S) + quiet, words=text, complete=True)


@contextlib.asynccontextmanager
async def line(texts: Sequence[str] = PHRASES, *, own_voice: bool = True) -> AsyncIterator[Line]:
    playout = Playout(rate_hz=RATE_HZ)
    voice = Voice(provider="p", model="m", name="v", rate_hz=RATE_HZ)
    phrases = Phrases(PhraseStore(None), voice, spoken) if own_voice else None
    taps: list[Line] = []
    async with running(
        Acknowledger(playout, phrases=phrases, texts=texts),
        PlayoutQueue(playout),
        PacedOutput(rate_hz=RATE_HZ),
        PlayoutTracker(playout),
        AudioTap(lambda frame: taps[0].hear(frame)),
    ) as chain:
        taps.append(Line(chain))
        # Odd, so that nothing falls on a beat by chance.
        await asyncio.sleep(5.0037)
        yield taps[0]


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_a_slow_call_is_acknowledged_within_20_ms_of_being_due() -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.chain.down(VADUserStoppedSpeakingFrame(stop_secs=0.0))
            await asyncio.sleep(0.5)
            due_s = now_s() + AFTER_S
            await call.slow_tool()
            await asyncio.sleep(0.8)
            ((began_s, ended_s),) = call.heard_s
            assert due_s <= began_s <= due_s + LATEST_S
            assert ended_s - began_s == pytest.approx(PHRASE_S, abs=0.021)

    run(scenario())


def test_every_second_of_silence_brings_another_phrase_until_the_result_is_there() -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.slow_tool()
            await asyncio.sleep(5)
            await call.tool(ToolPhase.ENDED)
            await asyncio.sleep(5)
            gaps = [
                after - before
                for (_, before), (after, _) in zip(call.heard_s, call.heard_s[1:], strict=False)
            ]
            assert call.said == ["One moment.", "Still on it.", "One moment.", "Still on it."]
            # A chunk may be filled up with silence at the end of a phrase.
            assert all(1.0 - LATEST_S <= gap <= 1.0 + LATEST_S for gap in gaps)

    run(scenario())


def test_a_quick_call_needs_no_word() -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.tool(ToolPhase.STARTED)
            await asyncio.sleep(0.09)
            await call.tool(ToolPhase.ENDED)
            await asyncio.sleep(3)
            assert call.said == []
            assert call.heard_s == []

    run(scenario())


def test_a_model_that_spoke_before_it_called_is_given_its_second() -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.answer(0.8, "r", tail_s=0.25)
            ended_s = now_s() + 0.8
            await call.slow_tool()
            await asyncio.sleep(2.2)
            assert call.said == ["One moment."]
            # The silence that the model's speech ended with counts.
            assert call.heard_s[1][0] == pytest.approx(ended_s + 1.0, abs=2 * LATEST_S)

    run(scenario())


def test_an_answer_that_comes_meanwhile_queues_behind_the_phrase() -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.slow_tool()
            await asyncio.sleep(0.2)
            await call.tool(ToolPhase.ENDED)
            await call.answer(1.0)
            await asyncio.sleep(2)
            (heard,) = call.heard_s
            assert heard[1] - heard[0] == pytest.approx(PHRASE_S + 1.0, abs=0.05)
            told = [item for f in call.chain.last.frames(SpeechPlayedFrame) for item in f.items]
            assert [item.origin.injected for item in told] == [True, False]
            # Each counts its own samples.
            assert [item.played_ms for item in told] == pytest.approx([500, 1000], abs=21)
            assert all(item.played_ms == item.received_ms for item in told)

    run(scenario())


def test_a_phrase_is_a_response_of_its_own_that_is_marked_as_injected() -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.slow_tool()
            await asyncio.sleep(1)
            (start,) = call.chain.last.frames(ResponseStartFrame)
            (words,) = call.chain.last.frames(SpokenTextFrame)
            (end,) = call.chain.last.frames(ResponseEndFrame)
            assert start.injected
            assert words.injected
            assert start.response_id == words.response_id == end.response_id
            (told,) = call.chain.last.frames(AcknowledgeFrame, DOWNSTREAM)
            assert (told.call_id, told.text) == ("call", "One moment.")

    run(scenario())


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (UserStartedSpeakingFrame(), UserStoppedSpeakingFrame()),
        (VADUserStartedSpeakingFrame(), VADUserStoppedSpeakingFrame(stop_secs=0.0)),
        (PlayoutHoldFrame(), PlayoutResumeFrame()),
    ],
    ids=["turn", "sound", "hold"],
)
def test_nothing_is_said_over_the_user(begins: Frame, ends: Frame) -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.tool(ToolPhase.STARTED)
            await call.chain.down(begins)
            await asyncio.sleep(AFTER_S)
            await call.tool(ToolPhase.SLOW)
            await asyncio.sleep(4)
            assert call.said == []
            await call.chain.down(ends)
            await asyncio.sleep(1.1)
            assert call.said == ["One moment."]

    run(scenario())


def test_the_user_cuts_a_phrase_like_anything_else_the_agent_says() -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.slow_tool()
            await asyncio.sleep(0.2)
            cut_s = now_s()
            await call.chain.down(UserStartedSpeakingFrame())
            await call.chain.down(InterruptionFrame())
            await asyncio.sleep(1)
            ((_, ended_s),) = call.heard_s
            # The chunk that sounds, and the next one.
            assert ended_s <= cut_s + 0.045
            (cut,) = [f for f in call.chain.last.frames(SpeechPlayedFrame) if f.interrupted]
            assert [item.origin.injected for item in cut.items] == [True]
            assert call.said == ["One moment."]

    run(scenario())


def test_nothing_is_put_between_two_pieces_of_an_answer_that_is_late() -> None:
    async def scenario() -> None:
        async with line() as call:
            await call.slow_tool()
            await asyncio.sleep(0.6)
            origin = SpeechOrigin(item_id="item", response_id="answer")
            piece = SpeechFrame(audio=tone(0.2), sample_rate=RATE_HZ, num_channels=1, origin=origin)
            await call.chain.down(ResponseStartFrame(response_id="answer"))
            call.chain.first.push_audio(piece)
            await asyncio.sleep(3)
            assert call.said == ["One moment."]
            await call.chain.down(ResponseEndFrame(response_id="answer"))
            await asyncio.sleep(0.1)
            assert call.said == ["One moment.", "Still on it."]

    run(scenario())


def test_a_phrase_that_comes_late_from_the_provider_is_said_as_soon_as_it_is_there() -> None:
    async def slowly(text: str) -> Rendering:
        await asyncio.sleep(2)
        return await spoken(text)

    async def scenario() -> None:
        playout = Playout(rate_hz=RATE_HZ)
        voice = Voice(provider="p", model="m", name="v", rate_hz=RATE_HZ)
        phrases = Phrases(PhraseStore(None), voice, slowly)
        acknowledger = Acknowledger(playout, phrases=phrases, texts=PHRASES)
        async with running(acknowledger, PlayoutQueue(playout)) as chain:
            call = Line(chain)
            await call.slow_tool()
            await asyncio.sleep(1.6)
            assert call.said == []
            await asyncio.sleep(0.2)
            assert call.said == ["One moment."]

    run(scenario())


def test_a_node_with_a_voice_of_its_own_is_asked_to_speak() -> None:
    async def scenario() -> None:
        async with line(own_voice=False) as call:
            await call.slow_tool()
            await asyncio.sleep(0.1)
            asked = call.chain.first.frames(AcknowledgeFrame, UPSTREAM)
            assert [(frame.call_id, frame.text) for frame in asked] == [("call", "One moment.")]
            assert call.said == []

    run(scenario())
