"""The Beta of 2024-25: the names, the shapes and the order in which it spoke."""

from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from crossfade.audio.g711 import encode_mu_law
from crossfade.audio.resample import resample
from crossfade.emulators.backends import Call, Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.faults import State
from crossfade.emulators.openai import OpenAIEmulator, faults
from tests.clock import run
from tests.emulators.openai.wire_client import (
    GET_WEATHER,
    UTTERANCE,
    WireClient,
    session,
)

MODEL = "gpt-4o-realtime-preview"


def beta(*turns: Turn, **options: Any) -> Any:
    return session(*turns, model=MODEL, dialect="beta", **options)


async def update(client: WireClient, **fields: Any) -> dict[str, Any]:
    await client.send("session.update", session=fields)
    updated: dict[str, Any] = (await client.until("session.updated"))["session"]
    return updated


def test_a_session_has_the_shape_of_the_beta() -> None:
    async def main() -> None:
        async with beta() as client:
            await client.until("conversation.created")
            created, conversation = client.events
            assert conversation["conversation"]["object"] == "realtime.conversation"
            settings = dict(created["session"])
            assert settings.pop("id").startswith("sess_")
            assert settings.pop("instructions")
            assert settings.pop("expires_at")
            assert settings == {
                "object": "realtime.session",
                "model": MODEL,
                "modalities": ["audio", "text"],
                "voice": "alloy",
                "speed": 1.0,
                "input_audio_format": "pcm16",
                "output_audio_format": "pcm16",
                "input_audio_transcription": None,
                "input_audio_noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200,
                    "create_response": True,
                    "interrupt_response": True,
                },
                "tools": [],
                "tool_choice": "auto",
                "temperature": 0.8,
                "max_response_output_tokens": "inf",
            }

    run(main())


def test_a_session_is_updated_by_the_names_of_the_beta() -> None:
    async def main() -> None:
        async with beta() as client:
            changed = {
                "modalities": ["text"],
                "voice": "sage",
                "speed": 1.2,
                "input_audio_format": "g711_ulaw",
                "output_audio_format": "g711_alaw",
                "input_audio_transcription": {"model": "whisper-1"},
                "turn_detection": None,
                "temperature": 1.1,
                "max_response_output_tokens": 100,
            }
            updated = await update(client, **changed)
            transcription = {"model": "whisper-1", "language": None, "prompt": None}
            expected = {**changed, "input_audio_transcription": transcription}
            assert {name: updated[name] for name in expected} == expected

    run(main())


@pytest.mark.parametrize(
    ("fields", "code", "param", "words"),
    [
        ({"type": "realtime"}, "unknown_parameter", "session.type", ""),
        ({"output_modalities": ["text"]}, "unknown_parameter", "session.output_modalities", ""),
        ({"audio": {}}, "unknown_parameter", "session.audio", ""),
        ({"truncation": "auto"}, "unknown_parameter", "session.truncation", ""),
        ({"modalities": ["audio"]}, "invalid_value", "session.modalities", "['text']"),
        ({"input_audio_format": "mp3"}, "invalid_value", "session.input_audio_format", "'pcm16'"),
        ({"voice": "nobody"}, "invalid_value", "session.voice", "'alloy'"),
        ({"temperature": 2}, "decimal_above_max_value", "session.temperature", "1.2"),
        (
            {"turn_detection": {"type": "server_vad", "threshold": 2}},
            "decimal_above_max_value",
            "session.turn_detection.threshold",
            "'session.turn_detection.threshold'",
        ),
        (
            {"max_response_output_tokens": 0},
            "integer_below_min_value",
            "session.max_response_output_tokens",
            "'session.max_response_output_tokens'",
        ),
    ],
)
def test_refusals_speak_of_the_names_of_the_beta(
    fields: dict[str, Any], code: str, param: str, words: str
) -> None:
    async def main() -> None:
        async with beta() as client:
            await client.send("session.update", session=fields)
            error = await client.error()
            assert (error["code"], error["param"]) == (code, param)
            assert words in error["message"]

    run(main())


def test_a_spoken_turn_has_the_order_of_the_beta() -> None:
    async def main() -> None:
        async with beta(Turn(on=Trigger.SPEECH, hear="hello", say=("Hello there.",))) as client:
            await client.stream(UTTERANCE)
            done = (await client.until("response.done"))["response"]
            order = client.order(after="conversation.created")
            assert [step for step in order if not step.endswith("delta")] == [
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
                "conversation.item.created",
                "response.created",
                "rate_limits.updated",
                "response.output_item.added",
                "conversation.item.created",
                "response.content_part.added",
                "response.audio.done",
                "response.audio_transcript.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.done",
            ]
            assert {step for step in order if step.endswith("delta")} == {
                "response.audio.delta",
                "response.audio_transcript.delta",
            }
            (item,) = done["output"]
            assert item["object"] == "realtime.item"
            assert item["content"] == [{"type": "audio", "transcript": "Hello there."}]
            assert (done["modalities"], done["voice"], done["output_audio_format"]) == (
                ["audio", "text"],
                "alloy",
                "pcm16",
            )
            assert done["temperature"] == 0.8
            assert not {"audio", "output_modalities"} & done.keys()

    run(main())


def test_a_written_turn_after_one_that_the_client_tells() -> None:
    async def main() -> None:
        async with beta() as client:
            content = [{"type": "text", "text": "Earlier."}]
            item = {"type": "message", "role": "assistant", "content": content}
            await client.send("conversation.item.create", item=item)
            created = (await client.until("conversation.item.created"))["item"]
            assert created["content"] == content
            await client.send("response.create", response={"modalities": ["text"]})
            done = (await client.until("response.done"))["response"]
            assert done["output"][0]["content"] == [{"type": "text", "text": "Hello there."}]
            assert "response.text.done" in client.order(after="response.created")
            await client.send("response.create", response={"output_modalities": ["text"]})
            error = await client.error()
            assert error["param"] == "response.output_modalities"
            item["content"] = [{"type": "output_text", "text": "No."}]
            await client.send("conversation.item.create", item=item)
            assert "Supported values are: 'text'" in (await client.error())["message"]

    run(main())


def test_a_call_is_done_without_its_name() -> None:
    async def main() -> None:
        turn = Turn(on=None, call=(Call(name="get_weather", arguments="{}"),))
        async with beta(turn) as client:
            await update(client, tools=[GET_WEATHER])
            await client.send("response.create")
            done = await client.until("response.function_call_arguments.done")
            assert "name" not in done
            assert done["arguments"] == "{}"

    run(main())


def test_telephone_sound_by_the_names_of_the_beta() -> None:
    async def main() -> None:
        async with beta() as client:
            await update(client, input_audio_format="g711_ulaw", output_audio_format="g711_ulaw")
            await client.append(encode_mu_law(resample(UTTERANCE, 24_000, 8000)))
            done = (await client.until("response.done"))["response"]
            assert done["output_audio_format"] == "g711_ulaw"
            assert done["status"] == "completed"

    run(main())


def test_faults_go_by_the_names_of_the_beta() -> None:
    async def main() -> None:
        fault = faults.TrailingDeltas(at=State.THINKING, count=2)
        async with beta(faults=[fault]) as client:
            await client.send("response.create")
            await client.until("response.done")
            for _ in range(2):
                assert (await client.receive())["type"] == "response.audio.delta"

    run(main())


def test_the_header_and_the_subprotocol_of_the_beta_are_taken() -> None:
    async def main() -> None:
        async with OpenAIEmulator(dialect="beta") as emulator:
            url = f"{emulator.url}?model={MODEL}"
            offered = ["realtime", "openai-insecure-api-key.sk-test", "openai-beta.realtime-v1"]
            options: list[dict[str, Any]] = [
                {
                    "additional_headers": {
                        "Authorization": "Bearer sk-test",
                        "OpenAI-Beta": "realtime=v1",
                    }
                },
                {"subprotocols": [Subprotocol(name) for name in offered]},
            ]
            for option in options:
                async with connect(url, compression=None, **option) as connection:
                    assert orjson.loads(await connection.recv())["type"] == "session.created"

    run(main())
