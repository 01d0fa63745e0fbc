"""How much of the caller's sound a message holds can be set for every kind of call."""

import asyncio
from typing import Any

import pytest

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines import call_nodes
from crossfade.pipelines.assembly import new_conversation
from crossfade.pipelines.call_nodes import native_node
from crossfade.pipelines.serve_settings import ServeSettings
from crossfade.pipelines.settings import NativeSettings
from crossfade.processors.speech_to_speech import SpeechToSpeech
from crossfade.processors.uplink import UPLINK_MS
from crossfade.providers import SessionConfig


def test_a_node_that_can_be_changed_packs_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    class Node(SpeechToSpeech):
        def __init__(self, *args: Any, **options: Any) -> None:
            made.append(options)
            super().__init__(*args, **options)

    monkeypatch.setattr(call_nodes, "SpeechToSpeech", Node)

    async def scenario() -> None:
        async with OpenAIEmulator() as emulator:
            node = native_node(
                "openai:gpt-realtime-2.1",
                conversation=new_conversation(),
                config=SessionConfig(),
                base_url=emulator.url,
                api_key="emulated",
                uplink_ms=100,
            )
            assert node.kept["uplink_ms"] == 100
            async with node():
                pass

    asyncio.run(scenario())
    assert [options["uplink_ms"] for options in made] == [100]


def test_the_commands_pack_as_native_call_does_unless_told_otherwise() -> None:
    assert NativeSettings().uplink_ms == ServeSettings().uplink_ms == UPLINK_MS
    assert ServeSettings(uplink_ms=100).uplink_ms == 100
