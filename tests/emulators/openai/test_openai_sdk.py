"""OpenAI's own Python client, unmodified, against the emulator."""

import asyncio
import base64
from typing import Any

import pytest

from crossfade.emulators.openai import OpenAIEmulator
from tests.emulators.openai.wire_client import GET_WEATHER, loudness_scorer, quiet, tone

openai = pytest.importorskip("openai")

UTTERANCE = base64.b64encode(tone(600) + quiet(600)).decode()


@pytest.mark.realtime
def test_the_official_client_speaks_calls_a_tool_and_interrupts() -> None:
    async def main() -> list[str]:
        async with OpenAIEmulator(scorer=loudness_scorer) as emulator:
            base_url = f"http://127.0.0.1:{emulator.port}/v1"
            client = openai.AsyncOpenAI(api_key="sk-test", base_url=base_url)
            async with client, client.realtime.connect(model="gpt-realtime") as connection:
                await connection.session.update(
                    session={"type": "realtime", "tools": [GET_WEATHER]}
                )
                await connection.input_audio_buffer.append(audio=UTTERANCE)
                return await call(connection)

    assert asyncio.run(main()) == [
        "completed message",
        "completed function_call",
        "cancelled message",
        "completed message",
    ]


@pytest.mark.realtime
def test_the_official_client_makes_a_secret_and_starts_a_session_with_it() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            base_url = f"http://127.0.0.1:{emulator.port}/v1"
            async with openai.AsyncOpenAI(api_key="sk-test", base_url=base_url) as client:
                made = await client.realtime.client_secrets.create(
                    expires_after={"anchor": "created_at", "seconds": 60},
                    session={"type": "realtime", "instructions": "Be kind."},
                )
            assert made.session.instructions == "Be kind."
            browser = openai.AsyncOpenAI(api_key=made.value, base_url=base_url)
            async with browser, browser.realtime.connect(model="gpt-realtime") as connection:
                event = await connection.recv()
                assert event.type == "session.created"
                assert event.session.instructions == "Be kind."

    asyncio.run(main())


async def call(
    connection: Any,
) -> list[str]:
    """Asks when greeted, answers the tool call, and interrupts the answer at its first sound."""
    outcomes: list[str] = []
    interrupted = False
    async for event in connection:
        assert event.type != "error", event
        if event.type == "response.output_audio.delta" and len(outcomes) == 2 and not interrupted:
            interrupted = True
            await connection.input_audio_buffer.append(audio=UTTERANCE)
        if event.type != "response.done":
            continue
        item = event.response.output[0]
        outcomes.append(f"{event.response.status} {item.type}")
        if len(outcomes) == 1:
            await connection.input_audio_buffer.append(audio=UTTERANCE)
        elif len(outcomes) == 2:
            result = {"type": "function_call_output", "call_id": item.call_id, "output": "18"}
            await connection.conversation.item.create(item=result)
            await connection.response.create()
        elif len(outcomes) == 4:
            break
    return outcomes
