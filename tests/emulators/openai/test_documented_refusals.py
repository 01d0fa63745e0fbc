"""Every refusal that is known of the service, as a client without any library sees it."""

import re
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.openai import OpenAIEmulator
from tests.clock import run
from tests.emulators.openai.wire_client import BYTES_PER_MS, session

KEY = {"Authorization": "Bearer sk-test"}
MODEL = "?model=gpt-realtime"


@pytest.mark.parametrize(
    ("query", "headers", "code", "message", "close"),
    [
        pytest.param(
            MODEL,
            {"Authorization": "Bearer sk-invalid-0123456789"},
            "invalid_api_key",
            r"Incorrect API key provided: sk-\*\*\*6789\. You can find your API key at "
            r"https://platform\.openai\.com/account/api-keys\.",
            (3000, "invalid_request_error.invalid_api_key"),
            id="bad key",
        ),
        pytest.param(
            MODEL,
            {},
            None,
            "Missing bearer or basic authentication in header",
            (3000, "invalid_request_error"),
            id="no key",
        ),
        pytest.param(
            "",
            KEY,
            "missing_model",
            r"You must provide a model parameter, for example "
            r"wss://api\.openai\.com/v1/realtime\?model=gpt-realtime-1\.5",
            (4000, "invalid_request_error.missing_model"),
            id="no model",
        ),
        pytest.param(
            "?model=gpt-nope",
            KEY,
            "invalid_model",
            r'Model "gpt-nope" is not supported in realtime mode\. .*',
            (4000, "invalid_request_error.invalid_model"),
            id="bad model",
        ),
        pytest.param(
            MODEL,
            {**KEY, "OpenAI-Beta": "realtime=v1"},
            "beta_api_shape_disabled",
            r"The Realtime Beta API is no longer supported\. Please use /v1/realtime for the GA "
            r"API\.",
            (4000, "invalid_request_error.beta_api_shape_disabled"),
            id="beta header",
        ),
        pytest.param(
            "?intent=transcription",
            {**KEY, "OpenAI-Beta": "realtime=v1"},
            "beta_api_shape_disabled",
            "The Realtime Beta API is no longer supported.*",
            (4000, "invalid_request_error.beta_api_shape_disabled"),
            id="beta header of a transcription",
        ),
    ],
)
def test_a_client_that_may_not_come_in_is_told_and_closed(
    query: str, headers: dict[str, str], code: str | None, message: str, close: tuple[int, str]
) -> None:
    async def main() -> None:
        async with (
            OpenAIEmulator() as emulator,
            connect(
                emulator.url + query, additional_headers=headers, compression=None
            ) as connection,
        ):
            event = orjson.loads(await connection.recv())
            assert event["type"] == "error"
            assert event["event_id"].startswith("event_")
            error = event["error"]
            assert re.fullmatch(message, error.pop("message"))
            assert error == {
                "type": "invalid_request_error",
                "code": code,
                "param": None,
                "event_id": None,
            }
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert (connection.close_code, connection.close_reason) == close

    run(main())


Event = dict[str, Any]


def update(**fields: Any) -> Event:
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def user(*content: Event, **fields: Any) -> Event:
    item = {"type": "message", "role": "user", "content": list(content)}
    return {"type": "conversation.item.create", "item": item, **fields}


def truncate(item_id: str, audio_end_ms: Any) -> Event:
    place = {"item_id": item_id, "content_index": 0, "audio_end_ms": audio_end_ms}
    return {"type": "conversation.item.truncate", **place}


def tools(count: int, description: str) -> list[Event]:
    names = [f"tool_{number}" for number in range(count)]
    fields = [{"type": "function", "name": name, "description": "Fine."} for name in names]
    return [*fields[:-1], {**fields[-1], "description": description}]


TEXT = {"type": "input_text", "text": "Hi"}
FORMAT = "session.audio.input.format"
COMMIT_EMPTY = (
    r"Error committing input audio buffer: buffer too small\. Expected at least 100ms of audio, "
    r"but buffer only has 0\.00ms of audio\."
)


@pytest.mark.parametrize(
    ("message", "code", "param", "words"),
    [
        pytest.param(
            {"type": "nope"},
            "invalid_value",
            "type",
            r"Invalid value: 'nope'\. Supported values are: 'session\.update', 'session\.close', "
            r"'input_audio_buffer\.append', 'session\.input_audio_buffer\.append', "
            r"'input_audio_buffer\.commit', 'input_audio_buffer\.clear', "
            r"'conversation\.item\.create', 'conversation\.item\.truncate', "
            r"'conversation\.item\.delete', 'conversation\.item\.retrieve', 'response\.create', "
            r"and 'response\.cancel'\.",
            id="unknown type",
        ),
        pytest.param(
            {"type": "transcription_session.update", "session": {}},
            "invalid_value",
            "type",
            "Invalid value: 'transcription_session.update'. Supported values are: .*",
            id="the Beta's transcription update",
        ),
        pytest.param(
            {"type": "output_audio_buffer.clear"},
            "invalid_value",
            "type",
            "Invalid value: 'output_audio_buffer.clear'. .*",
            id="an event of WebRTC",
        ),
        pytest.param(
            {"type": "session.close"},
            "invalid_value",
            "type",
            ".* only taken in a translation session.",
            id="the end of a translation",
        ),
        pytest.param(
            {"type": "session.input_audio_buffer.append", "audio": ""},
            "invalid_value",
            "type",
            ".* only taken in a translation session.",
            id="the sound of a translation",
        ),
        pytest.param(
            "not json",
            "invalid_json",
            None,
            r"Invalid event: failed to parse JSON value\.",
            id="bad JSON",
        ),
        pytest.param(
            b"\x00" * 64,
            "invalid_event",
            None,
            "Expected a text WebSocket message; binary frames are not supported.",
            id="binary frame",
        ),
        pytest.param({}, "invalid_event", None, "The 'type' field is missing.", id="no type"),
        pytest.param(
            {"type": "session.update", "session": {}},
            "missing_required_parameter",
            "session.type",
            r"Missing required parameter: 'session\.type'\.",
            id="session.update without type",
        ),
        pytest.param(
            update(bogus_field=1),
            "unknown_parameter",
            "session.bogus_field",
            r"Unknown parameter: 'session\.bogus_field'\.",
            id="unknown field",
        ),
        pytest.param(
            update(modalities=["text"]),
            "unknown_parameter",
            "session.modalities",
            r"Unknown parameter: 'session\.modalities'\.",
            id="field of the Beta",
        ),
        pytest.param(
            update(temperature=0.8),
            "unknown_parameter",
            "session.temperature",
            r"Unknown parameter: 'session\.temperature'\.",
            id="temperature",
        ),
        *(
            pytest.param(
                update(audio={"input": {"format": {"type": "audio/pcm", "rate": rate}}}),
                "integer_below_min_value",
                f"{FORMAT}.rate",
                rf".*Expected a value >= 24000, but got {rate} instead\.",
                id=f"{rate} Hz",
            )
            for rate in (8000, 16000)
        ),
        pytest.param(
            update(audio={"input": {"format": {"type": "audio/pcm"}}}),
            "missing_required_parameter",
            f"{FORMAT}.rate",
            rf"Missing required parameter: '{FORMAT}\.rate'\.",
            id="PCM without rate",
        ),
        pytest.param(
            update(tools=tools(4, "x" * 1025)),
            "string_above_max_length",
            "session.tools[3].description",
            ".* maximum length 1024, but got a string with length 1025 instead.",
            id="long tool description",
        ),
        pytest.param(
            update(audio={"output": {"voice": "cedar"}}),
            "cannot_update_voice",
            None,
            r"Cannot update a conversation's voice if assistant audio is present\.",
            id="voice after audio",
        ),
        pytest.param(
            {"type": "input_audio_buffer.commit"},
            "input_audio_buffer_commit_empty",
            None,
            COMMIT_EMPTY,
            id="commit of nothing",
        ),
        pytest.param(
            {"type": "response.cancel"},
            "response_cancel_not_active",
            None,
            "Cancellation failed: no active response found",
            id="cancel without a response",
        ),
        pytest.param(
            truncate("SAID", 60_000),
            "invalid_value",
            "audio_end_ms",
            r"Audio content of \d+ms is already shorter than 60000ms",
            id="truncate past the end",
        ),
        pytest.param(
            truncate("typed", 0),
            "unsupported_content_type",
            None,
            "Only model output audio messages can be truncated",
            id="truncate a user's item",
        ),
        pytest.param(
            truncate("yo", 0),
            "item_truncate_invalid_item_id",
            None,
            ".*'yo' does not exist.",
            id="truncate an unknown item",
        ),
        pytest.param(
            {"type": "conversation.item.delete", "item_id": "yo"},
            "item_delete_invalid_item_id",
            None,
            r"Error deleting item: the item with id 'yo' does not exist\.",
            id="delete an unknown item",
        ),
        pytest.param(
            {"type": "conversation.item.retrieve", "item_id": "yo"},
            "item_retrieve_invalid_item_id",
            None,
            "Error retrieving item: .*",
            id="retrieve an unknown item",
        ),
        pytest.param(
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "call_X", "output": "1"},
            },
            "invalid_tool_call_id",
            None,
            r"Tool call ID 'call_X' not found in conversation\.",
            id="output of an unknown call",
        ),
        pytest.param(
            user({"type": "input_text"}),
            "missing_required_parameter",
            "item.content[0].text",
            r"Missing required parameter: 'item\.content\[0\]\.text'\.",
            id="item without text",
        ),
        pytest.param(
            user(TEXT, previous_item_id="yo"),
            "item_not_found",
            "previous_item_id",
            ".*'yo' does not exist.",
            id="unknown previous item",
        ),
        pytest.param(
            {
                "type": "conversation.item.create",
                "item": {"id": "typed", "type": "message", "role": "user", "content": [TEXT]},
            },
            "invalid_value",
            "item.id",
            ".*'typed' already exists.",
            id="duplicate id",
        ),
        pytest.param(
            {"type": "session.update", "session": {"type": "transcription"}},
            "invalid_value",
            "session.type",
            "Passing a transcription session update to a realtime session is not allowed.",
            id="transcription update",
        ),
    ],
)
def test_a_wrong_event_is_refused_in_the_words_of_the_service_and_nothing_ends(
    message: Event | str | bytes, code: str, param: str | None, words: str
) -> None:
    async def main() -> None:
        async with session() as client:
            typed = {"id": "typed", "type": "message", "role": "user", "content": [TEXT]}
            await client.send("conversation.item.create", item=typed)
            await client.send("response.create")
            said = (await client.until("response.done"))["response"]["output"][0]["id"]
            assert len(client.sound(said)) < 60_000 * BYTES_PER_MS
            sent = orjson.dumps(message).decode() if isinstance(message, dict) else message
            if isinstance(sent, str):
                sent = sent.replace("SAID", said)
            await client.connection.send(sent)
            error = await client.error()
            assert re.fullmatch(words, error.pop("message"))
            assert error == {
                "type": "invalid_request_error",
                "code": code,
                "param": param,
                "event_id": None,
            }
            await client.update(instructions="Still here")
            await client.until("session.updated")
            assert len(client.of("error")) == 1

    run(main())


def test_a_response_beside_another_is_refused() -> None:
    async def main() -> None:
        async with session() as client:
            await client.send("response.create")
            active = (await client.until("response.created"))["response"]["id"]
            await client.send("response.create", event_id="second")
            assert await client.error() == {
                "type": "invalid_request_error",
                "code": "conversation_already_has_active_response",
                "message": "Conversation already has an active response in progress: "
                f"{active}. Wait until the response is finished before creating a new one.",
                "param": None,
                "event_id": "second",
            }
            done = await client.until("response.done")
            assert (done["response"]["id"], done["response"]["status"]) == (active, "completed")

    run(main())


def test_a_voice_that_stays_the_same_may_be_sent_again() -> None:
    async def main() -> None:
        async with session() as client:
            await client.send("response.create")
            await client.until("response.done")
            await client.update(audio={"output": {"voice": "alloy"}}, instructions="New")
            updated = await client.until("session.updated")
            assert updated["session"]["instructions"] == "New"

    run(main())
