"""What a caller writes while the agent speaks, in served calls."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.serve_nodes import ServedNode
from crossfade.transports.websocket_client import CallClient
from tests.clock import run
from tests.pipelines.serving import Caller, Serving, scripted, serving

STORY = "Once upon a time there was a keeper of a lighthouse far out at sea. " * 4
SCENARIO = f"""
turns:
  - {{on: text, hear: tell me a story, say: {STORY!r}}}
  - {{on: text, hear: stop, say: As you like.}}
"""
CASCADE = "cascade"


@contextlib.asynccontextmanager
async def calls(folder: Path, node: str) -> AsyncIterator[Serving]:
    make = GeminiEmulator if node == "gemini" else OpenAIEmulator
    async with make(scripted(folder, SCENARIO)) as emulator:
        others = [ServedNode(name=CASCADE)] if node == CASCADE else []
        async with serving(folder, emulator, others=others) as server:
            yield server


@pytest.mark.parametrize(
    ("node", "asked", "second", "answer"),
    [
        ("openai", "tell me a story", "stop", "As you like."),
        ("gemini", "tell me a story", "stop", "As you like."),
        (CASCADE, "what can you do", "stop", "All right."),
    ],
)
def test_what_is_written_interrupts_the_agent_as_speech_does(
    tmp_path: Path, node: str, asked: str, second: str, answer: str
) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            calls(tmp_path, node) as server,
            CallClient(
                [server.url], details=True, on_sound=caller.hear, on_message=caller.note
            ) as c,
        ):

            async def say(**message: str) -> None:
                await c.send_raw(json.dumps(message))

            await c.attached()
            if node == CASCADE:
                await say(type="node", name=CASCADE)
                await asyncio.sleep(4)
            await say(type="text", text=asked)
            await caller.hears_sound()
            await asyncio.sleep(1)
            generated = caller.words
            written_s = asyncio.get_running_loop().time()
            await say(type="text", text=second)
            await asyncio.sleep(8)
            cut = next(m for m in caller.of("heard") if m["interrupted"])
            assert generated.startswith(cut["text"].strip())
            assert 0 < len(cut["text"].strip()) < len(generated)
            assert answer in caller.words.removeprefix(generated)
            assert await caller.hears_sound(written_s + 0.3) - written_s < 2
            assert not caller.of("problem")
            await c.hang_up()

    run(scenario())
