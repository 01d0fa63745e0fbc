"""Whatever a client sends costs it an error at most."""

import copy
import random
from typing import Any, Literal

import orjson
import pytest

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.openai import OpenAIEmulator
from tests.clock import run
from tests.emulators.openai.test_images import png
from tests.emulators.openai.wire_client import GET_WEATHER, client_of, loudness_scorer

JUNK: list[Any] = [None, True, -1, 10**18, 0.5, "", "root", [], [[]], {}, {"type": ["x"]}, "☃" * 9]
CONTENT = [
    {"type": "input_text", "text": "Hi"},
    {"type": "input_audio", "audio": "AAAA"},
    {"type": "input_image", "image_url": png(10, 10), "detail": "low"},
]
MESSAGE = {"type": "message", "role": "user", "content": CONTENT}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
EVENTS: list[dict[str, Any]] = [
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "tools": [GET_WEATHER, {"type": "mcp", "server_label": "x"}],
            "tool_choice": {"type": "function", "name": "get_weather"},
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
                    "transcription": {"model": "whisper-1"},
                    "noise_reduction": {"type": "near_field"},
                },
                "output": {"voice": {"id": "voice_1"}, "speed": 1.1},
            },
        },
    },
    {
        "type": "session.update",
        "session": {
            "modalities": ["text"],
            "voice": "ash",
            "input_audio_format": "pcm16",
            "turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000},
        },
    },
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "conversation.item.create", "previous_item_id": "root", "item": MESSAGE},
    {"type": "conversation.item.create", "item": SAID},
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
    },
    {
        "type": "conversation.item.truncate",
        "item_id": "x",
        "content_index": 0,
        "audio_end_ms": 10,
    },
    {
        "type": "response.create",
        "response": {
            "conversation": "none",
            "input": [MESSAGE, {"type": "item_reference", "id": "x"}],
            "metadata": {"a": "b"},
            "output_modalities": ["text"],
        },
    },
    {"type": "response.create", "response": {"modalities": ["text"]}},
    {"type": "response.cancel", "response_id": "x"},
]


def spoil(value: Any, chance: random.Random) -> Any:
    """`value` with junk somewhere in it."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.15:
        return copy.deepcopy(chance.choice(JUNK))
    spoiled = copy.copy(value)
    place = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
    spoiled[place] = spoil(value[place], chance)
    return spoiled


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_junk_in_any_field_ends_no_session(dialect: Literal["ga", "beta"]) -> None:
    async def main() -> None:
        chance = random.Random(7)
        backend = ScriptedBackend()
        async with (
            OpenAIEmulator(backend, dialect=dialect, scorer=loudness_scorer) as emulator,
            client_of(emulator) as client,
        ):
            for _ in range(1500):
                event = chance.choice(EVENTS)
                if chance.random() < 0.7:
                    name = chance.choice(list(event))
                    event = {**event, name: spoil(event[name], chance)}
                await client.connection.send(orjson.dumps(event).decode())
            await client.send("conversation.item.retrieve", item_id="end")
            while (await client.error())["code"] != "item_retrieve_invalid_item_id":
                pass
            assert emulator.sessions[0].failure is None

    run(main())
