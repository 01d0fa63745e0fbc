"""The emulators' event log against the schema that Crossfade's own is checked by."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from websockets.frames import Opcode

from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.session_log import SessionLog
from crossfade.errors import SettingsError
from tests.clock import run
from tests.emulators.raw_client import raw
from tests.project import ROOT

SCHEMA = orjson.loads((ROOT / "docs" / "event-log.schema.json").read_bytes())


def lines_of(path: Path) -> list[dict[str, Any]]:
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line in lines:
        validator.validate(line)
    return lines


def test_a_session_is_logged_by_the_schema(tmp_path: Path) -> None:
    async def main() -> None:
        async with OpenAIEmulator(log=tmp_path) as emulator, raw(emulator) as client:
            audio = base64.b64encode(bytes(4800)).decode()
            client.say("input_audio_buffer.append", audio=audio)
            client.send(Opcode.TEXT, b'{"type":""}')
            client.send(Opcode.TEXT, b'{"type":["x"],"event_id":7}')
            client.send(Opcode.TEXT, b"no JSON")
            client.send(Opcode.BINARY, b"no JSON")
            client.ask("hello")
            await client.until("response.done")

    run(main())
    lines = lines_of(tmp_path / "session-0001.jsonl")
    types = [(line["dir"], line["type"]) for line in lines]
    assert types[0] == ("call", "call.started")
    assert types[1] == ("out", "session.created")
    assert types[-2:] == [("call", "call.ended"), ("call", "log.closed")]
    (sound,) = [line for line in lines if line["type"] == "input_audio_buffer.append"]
    assert sound["audio_bytes"] == 4800
    assert "body" not in sound
    deltas = [line for line in lines if line["type"] == "response.output_audio.delta"]
    assert deltas
    assert all(delta["audio_bytes"] and delta["response_id"] for delta in deltas)


def test_a_refused_client_is_logged_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with OpenAIEmulator(log=tmp_path, api_keys=["other"]) as emulator:
            async with raw(emulator) as client:
                await client.close_code()
            async with raw(emulator, opened=False) as client:
                client.writer.write(b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\n\r\n")
                assert await client.reader.read()

    run(main())
    assert [line["type"] for line in lines_of(tmp_path / "session-0001.jsonl")] == [
        "call.started",
        "error",
        "call.ended",
        "log.closed",
    ]
    assert len(list(tmp_path.iterdir())) == 1


def logged(folder: Path, type: str, body: dict[str, Any], **sizes: int) -> dict[str, Any]:
    """One message of the client as it is logged."""

    async def main() -> None:
        log = SessionLog(folder, 1)
        fields = {"size_bytes": 10, "audio_bytes": 0} | sizes
        log.message("in", type, body, **fields)
        log.close()

    run(main())
    return lines_of(folder / "session-0001.jsonl")[1]


@pytest.mark.parametrize(
    "body",
    [
        {"setup": {"sessionResumption": {"handle": "h-secret"}}},
        {"sessionResumptionUpdate": {"newHandle": "h-secret", "resumable": True}},
        {"session_resumption_update": {"new_handle": "h-secret"}},
        {"session": {"client_secret": {"value": "h-secret"}}},
        {"tools": [{"type": "mcp", "authorization": "h-secret"}]},
        {"token": "h-secret"},
        {"apiKey": ["h-secret"]},
        {"text": "the key is sk-proj-h-secret-0123456789"},
        {"text": 'in JSON {"key": "ek_h-secret0123456789"}'},
        {"error": {"message": "Bearer h-secret"}},
        {"name": "auth_tokens/h-secret"},
    ],
)
def test_credentials_are_not_in_it(tmp_path: Path, body: dict[str, Any]) -> None:
    line = logged(tmp_path, "setup", body)
    assert b"h-secret" not in orjson.dumps(line)
    assert b"[redacted]" in orjson.dumps(line)


def test_sound_and_images_are_their_length(tmp_path: Path) -> None:
    parts = [{"inlineData": {"mimeType": "image/png", "data": "A" * 5000}}]
    line = logged(tmp_path, "serverContent", {"serverContent": {"parts": parts}})
    (part,) = line["body"]["serverContent"]["parts"]
    assert part["inlineData"] == {"mimeType": "image/png", "data": "[5000 characters]"}


def test_words_with_a_hyphen_are_no_keys(tmp_path: Path) -> None:
    text = "task-management, risk-assessment and desk-organisation"
    assert logged(tmp_path, "text", {"text": text})["body"]["text"] == text


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def main() -> None:
        SessionLog(tmp_path / "file", 1)

    with pytest.raises(SettingsError, match=r"session-0001.jsonl: .*choose another folder"):
        run(main())


def test_a_full_disk_ends_the_log_and_not_the_session(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")

    async def main() -> None:
        (tmp_path / "session-0001.jsonl").symlink_to(full)
        async with OpenAIEmulator(log=tmp_path) as emulator, raw(emulator) as client:
            await client.until("session.created")
            await asyncio.sleep(1)
            client.ask()
            await client.until("response.done")

    run(main())
