"""What a session refuses, by code and parameter, and that it goes on."""

import orjson
import pytest

from tests.clock import run
from tests.emulators.openai.wire_client import (
    quiet,
    session,
)

USER = {"type": "message", "role": "user"}
TEXT = {"type": "input_text", "text": "Hi"}


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (b"\x00\x01", "invalid_event", "binary frames are not supported"),
        ("{", "invalid_json", "failed to parse JSON value"),
        ("[]", "invalid_event", "The 'type' field is missing."),
        ("{}", "invalid_event", "The 'type' field is missing."),
        (
            '{"type":"x"}',
            "invalid_value",
            "'session.update', 'session.close', 'input_audio_buffer.append'",
        ),
        ('{"type":["x"]}', "invalid_value", "Supported values are"),
    ],
)
def test_what_is_no_client_event_is_refused_and_the_session_goes_on(
    message: str | bytes, code: str, words: str
) -> None:
    async def main() -> None:
        async with session() as client:
            await client.connection.send(message)
            refused = await client.error()
            assert refused["code"] == code
            assert words in refused["message"]
            await client.update(instructions="Still here")
            updated = await client.until("session.updated")
            assert updated["session"]["instructions"] == "Still here"

    run(main())


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": 1}, "invalid_type", "session"),
        ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "?"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
        ({"type": "input_audio_buffer.commit", "x": 1}, "unknown_parameter", "x"),
        ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
        (
            {"type": "conversation.item.create", "item": {**USER, "content": [{**TEXT, "x": 1}]}},
            "unknown_parameter",
            "item.content[0].x",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {**USER, "content": [{"type": "input_text"}]},
            },
            "missing_required_parameter",
            "item.content[0].text",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "call_X", "output": ""},
            },
            "invalid_tool_call_id",
            None,
        ),
        (
            {"type": "conversation.item.retrieve", "item_id": "yo"},
            "item_retrieve_invalid_item_id",
            None,
        ),
        (
            {
                "type": "conversation.item.truncate",
                "item_id": "yo",
                "content_index": 0,
                "audio_end_ms": 1,
            },
            "item_truncate_invalid_item_id",
            None,
        ),
        (
            {"type": "conversation.item.delete", "item_id": "yo"},
            "item_delete_invalid_item_id",
            None,
        ),
        ({"type": "response.cancel"}, "response_cancel_not_active", None),
        (
            {"type": "response.create", "response": {"modalities": ["text"]}},
            "unknown_parameter",
            "response.modalities",
        ),
        (
            {
                "type": "response.create",
                "response": {"input": [{"type": "item_reference", "id": "yo"}]},
            },
            "item_not_found",
            "response.input",
        ),
        (
            {"type": "response.create", "response": {"metadata": {str(n): "" for n in range(17)}}},
            "object_above_max_properties",
            "response.metadata",
        ),
    ],
)
def test_a_wrong_client_event_is_refused_by_code_and_parameter(
    event: dict[str, object], code: str, param: str | None
) -> None:
    async def main() -> None:
        async with session() as client:
            await client.connection.send(orjson.dumps({**event, "event_id": "mine"}).decode())
            refused = await client.error()
            assert (refused["code"], refused["param"]) == (code, param)
            assert refused["event_id"] == "mine"
            assert refused["type"] == "invalid_request_error"

    run(main())


def test_a_second_response_is_refused_while_one_is_active() -> None:
    async def main() -> None:
        async with session() as client:
            await client.send("response.create")
            active = (await client.until("response.created"))["response"]["id"]
            await client.send("response.create")
            refused = await client.error()
            assert refused["code"] == "conversation_already_has_active_response"
            assert f"in progress: {active}." in refused["message"]
            await client.until("response.done")

    run(main())


def test_committing_before_speech_under_server_detection_finds_nothing() -> None:
    async def main() -> None:
        async with session() as client:
            await client.append(quiet(1000))
            await client.send("input_audio_buffer.commit")
            refused = await client.error()
            assert refused["code"] == "input_audio_buffer_commit_empty"
            assert refused["message"].endswith("buffer only has 0.00ms of audio.")

    run(main())


def test_the_voice_is_locked_once_the_assistant_has_spoken() -> None:
    async def main() -> None:
        async with session() as client:
            await client.update(audio={"output": {"voice": "marin"}})
            await client.until("session.updated")
            await client.send("response.create")
            await client.until("response.done")
            await client.update(instructions="New", audio={"output": {"voice": "cedar"}})
            refused = await client.error()
            assert (refused["code"], refused["param"]) == ("cannot_update_voice", None)
            await client.update(audio={"output": {"voice": "marin"}})
            updated = (await client.until("session.updated"))["session"]
            assert updated["instructions"] != "New"

    run(main())
