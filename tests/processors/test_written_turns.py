"""Texts of the user: the agent falls silent first."""

import asyncio

from crossfade.frames.audio import SpeechPlayedFrame
from crossfade.frames.control import InterruptionFrame
from crossfade.frames.text import InputTextRawFrame
from crossfade.processors.written_turns import LIMIT_S, WrittenTurns
from tests.clock import run
from tests.processors.chain import Chain, running


def texts(chain: Chain) -> list[str]:
    return [frame.text for frame in chain.last.frames(InputTextRawFrame)]


def test_a_text_follows_what_was_heard_of_the_answer_that_it_interrupts() -> None:
    async def scenario() -> None:
        async with running(WrittenTurns()) as chain:
            for text in ("one", "two"):
                await chain.down(InputTextRawFrame(text=text))
            await asyncio.sleep(LIMIT_S / 2)
            assert len(chain.last.frames(InterruptionFrame)) == 2
            assert len(chain.first.frames(InterruptionFrame)) == 2
            assert texts(chain) == []
            # Told at a stream's end, too, when nothing was interrupted.
            await chain.up(SpeechPlayedFrame(items=(), interrupted=False))
            await asyncio.sleep(0.01)
            assert texts(chain) == []
            await chain.up(SpeechPlayedFrame(items=(), interrupted=True))
            await asyncio.sleep(0.01)
            assert texts(chain) == ["one", "two"]

    run(scenario())


def test_a_text_waits_for_nobody_for_long() -> None:
    async def scenario() -> None:
        async with running(WrittenTurns()) as chain:
            await chain.down(InputTextRawFrame(text="one"))
            await asyncio.sleep(LIMIT_S + 0.01)
            assert texts(chain) == ["one"]

    run(scenario())


def test_texts_of_the_agents_side_pass() -> None:
    async def scenario() -> None:
        async with running(WrittenTurns()) as chain:
            await chain.up(InputTextRawFrame(text="one"))
            await asyncio.sleep(0.01)
            assert chain.first.frames(InputTextRawFrame)
            assert not chain.first.frames(InterruptionFrame)

    run(scenario())
