"""Sound that comes faster than a loop hears it: in pieces, in order, each sample once."""

import asyncio
from itertools import pairwise

import pytest

from crossfade.audio.vad import VoiceDetector
from crossfade.errors import CallerError
from crossfade.frames.control import Frame, VADUserStartedSpeakingFrame
from crossfade.processors.base import DOWNSTREAM, FrameDirection, Processor
from crossfade.processors.speech_scoring import shared_scoring
from crossfade.processors.speech_to_speech import PREROLL_MS
from crossfade.processors.voice_activity import VoiceActivity
from crossfade.transports.websocket import PIECE_MS, WebSocketTransport
from tests.clock import run
from tests.pipelines.serving import question
from tests.transports.websocket_line import line, tone


def test_seconds_of_sound_at_once_are_heard_in_order_and_piece_by_piece() -> None:
    async def scenario() -> None:
        async with line() as served:
            await asyncio.sleep(0.5)
            transport, loop, sound = served.transport, asyncio.get_running_loop(), tone(20_000)
            heard_in_turn = list[int]()

            def count() -> None:
                heard_in_turn.append(transport.received_samples)
                if transport.received_samples < transport.taken_samples:
                    loop.call_soon(count)

            transport._input.take(sound)
            # The store knows of what was heard, the client of what need not be sent again.
            assert transport.taken_samples == 320_000
            assert transport.received_samples == 16 * PIECE_MS
            loop.call_soon(count)
            await asyncio.sleep(0.5)
            assert transport.received_samples == 320_000
            assert max(b - a for a, b in pairwise(heard_in_turn)) == 16 * PIECE_MS
            assert served.microphone == sound

    run(scenario())


@pytest.mark.parametrize("a_turn", [1, 2, 3, 6, 12])
def test_a_loop_that_is_behind_hears_what_waits_as_one_piece(a_turn: int) -> None:
    """So many frames of 20 ms come in each turn of the loop."""

    async def scenario() -> None:
        async with line() as served:
            await asyncio.sleep(0.5)
            transport, frames, sound = served.transport, served.probe.audio, tone(7200)
            for n in range(0, len(sound), 640 * a_turn):
                for at in range(n, n + 640 * a_turn, 640):
                    transport._input.take(sound[at : at + 640])
                await asyncio.sleep(0)
                heard = len(served.microphone) // 2
                assert transport.received_samples == heard
                if a_turn * 20 <= PIECE_MS:
                    assert transport.taken_samples - heard <= 320 * a_turn
            await asyncio.sleep(0.1)
            assert served.microphone == sound
            assert {len(frame.audio) % 640 for frame in frames} == {0}
            # Two frames are heard alone; of more, all that came since the turn before.
            most = 360 if a_turn <= 2 else max(360 // a_turn, 360 * 20 // PIECE_MS)
            assert len(frames) <= most + 3
            # Who is in time again is heard at once.
            transport._input.take(tone(20))
            assert served.microphone == sound + tone(20)

    run(scenario())


@pytest.mark.parametrize("calls", [1, 8])
def test_speech_in_a_burst_is_told_while_its_beginning_is_kept(calls: int) -> None:
    """With many calls their sound is scored together, later."""

    async def scenario() -> None:
        scoring = shared_scoring()
        others = [scoring.join(VoiceDetector(), lambda _: None) for _ in range(calls - 1)]
        heard_ms: list[float] = []

        class Told(Processor):
            hears = (VADUserStartedSpeakingFrame,)

            def note(self, frame: Frame, direction: FrameDirection) -> None:
                if isinstance(frame, VADUserStartedSpeakingFrame) and direction is DOWNSTREAM:
                    heard_ms.append(len(served.microphone) / 32)

        async with line(VoiceActivity(rate_hz=16000), Told()) as served:
            for before_ms in range(2000, 2100, 20):
                del heard_ms[:], served.probe.audio[:]
                served.transport._input.take(bytes(32 * before_ms) + question() + bytes(64_000))
                await asyncio.sleep(3)
                assert len(heard_ms) == 1
                assert heard_ms[0] - before_ms < PREROLL_MS - 200
        for stream in others:
            stream.leave()

    run(scenario())


def test_a_minute_of_sound_that_waits_is_the_most() -> None:
    async def scenario() -> None:
        async with line() as served:
            await asyncio.sleep(0.5)
            for _ in range(3):
                served.transport._input.take(tone(20_000))
            with pytest.raises(CallerError, match="faster"):
                served.transport._input.take(tone(20_000))

    run(scenario())


def test_who_comes_back_while_a_minute_is_heard_again_is_not_sent_away() -> None:
    async def scenario() -> None:
        transport = WebSocketTransport(received_samples=2_000_000, heard_again=tone(70_000))
        heard: list[bytes] = []
        transport._input.hear = lambda pcm: heard.append(pcm)  # type: ignore[method-assign]
        transport.hear_again()
        transport._input.take(tone(10_000))
        with pytest.raises(CallerError, match="faster"):
            transport._input.take(tone(52_000))
        await asyncio.sleep(5)
        assert b"".join(heard)[: 60 * 32_000] == tone(70_000)[-60 * 32_000 :]
        assert transport.received_samples >= 2_000_000 + 10 * 16_000

    run(scenario())
