"""Keys of the phone, gathered and told."""

import asyncio

from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import InputDTMFFrame

from crossfade.frames.text import InputTextRawFrame
from crossfade.processors.keypad import MOST_KEYS, PAUSE_S, Keypad
from tests.clock import run
from tests.processors.chain import Chain, running


async def press(chain: Chain, keys: str) -> None:
    for key in keys:
        await chain.down(InputDTMFFrame(KeypadEntry(key)))
        await asyncio.sleep(0.2)


def told(chain: Chain) -> list[str]:
    return [frame.text for frame in chain.last.frames(InputTextRawFrame)]


def test_keys_are_told_together_after_a_pause() -> None:
    async def scenario() -> None:
        async with running(Keypad()) as chain:
            await press(chain, "123")
            assert told(chain) == []
            await asyncio.sleep(PAUSE_S)
            assert told(chain) == ["(The caller pressed on the phone's keypad: 123)"]
            assert len(chain.last.frames(InputDTMFFrame)) == 3

    run(scenario())


def test_the_last_key_ends_the_input_at_once() -> None:
    async def scenario() -> None:
        async with running(Keypad()) as chain:
            await press(chain, "12#3")
            assert told(chain) == ["(The caller pressed on the phone's keypad: 12#)"]
            await asyncio.sleep(PAUSE_S)
            assert len(told(chain)) == 2

    run(scenario())


def test_there_is_an_end_to_what_is_gathered() -> None:
    async def scenario() -> None:
        async with running(Keypad()) as chain:
            await press(chain, "1" * (MOST_KEYS + 1))
            assert len(told(chain)) == 1

    run(scenario())


def test_the_end_of_the_call_forgets_what_was_not_told() -> None:
    async def scenario() -> None:
        async with running(Keypad()) as chain:
            await press(chain, "1")
        await asyncio.sleep(PAUSE_S)
        assert told(chain) == []

    run(scenario())
