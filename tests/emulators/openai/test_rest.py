"""HTTP calls beside the WebSocket."""

import asyncio
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.openai import OpenAIEmulator
from tests.clock import run
from tests.emulators.openai.wire_client import GET_WEATHER, client_of

JSON = dict[str, Any]


async def call(
    emulator: OpenAIEmulator,
    path: str,
    body: Any = None,
    *,
    method: str = "POST",
    key: str = "sk-test",
) -> tuple[int, JSON]:
    """The status and the JSON of an answer."""
    content = body if isinstance(body, bytes) else orjson.dumps({} if body is None else body)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(head.encode() + content)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    first, _, rest = answer.partition(b"\r\n")
    return int(first.split()[1]), orjson.loads(rest.partition(b"\r\n\r\n")[2])


SECRETS = "/v1/realtime/client_secrets"


def test_a_secret_starts_the_session_that_it_was_made_for() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            wanted = {
                "type": "realtime",
                "model": "gpt-realtime-2.1",
                "instructions": "Be kind.",
                "tools": [GET_WEATHER],
            }
            status, made = await call(emulator, SECRETS, {"session": wanted})
            assert status == 200
            assert made["value"].startswith("ek_")
            assert made["session"]["expires_at"] == 0
            assert {name: made["session"][name] for name in wanted} == wanted
            for _ in range(2):
                async with client_of(emulator, query="", key=made["value"]) as client:
                    created = client.events[0]["session"]
                    assert {name: created[name] for name in wanted} == wanted
                    assert created["expires_at"] > 0

    run(main())


def test_a_secret_for_transcription_needs_no_model() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            heard = {"transcription": {"model": "gpt-transcribe"}}
            wanted = {"type": "transcription", "audio": {"input": heard}}
            _, made = await call(emulator, SECRETS, {"session": wanted})
            async with client_of(emulator, query="", key=made["value"]) as client:
                created = client.events[0]["session"]
                assert created["type"] == "transcription"
                model = created["audio"]["input"]["transcription"]["model"]
                assert model == "gpt-transcribe"

    run(main())


def test_a_secret_gates_the_start_and_not_the_life_of_a_session() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            after = {"anchor": "created_at", "seconds": 10}
            _, made = await call(emulator, SECRETS, {"expires_after": after})
            key = made["value"]
            async with client_of(emulator, key=key) as client:
                await asyncio.sleep(25)
                await client.update(instructions="Still here")
                await client.until("session.updated")
            headers = {"Authorization": f"Bearer {key}"}
            async with connect(
                f"{emulator.url}?model=gpt-realtime", additional_headers=headers
            ) as late:
                error = orjson.loads(await late.recv())["error"]
                assert error["code"] == "invalid_api_key"
                assert key not in error["message"]
                with pytest.raises(ConnectionClosed):
                    await late.recv()
                assert late.close_code == 3000

    run(main())


@pytest.mark.parametrize("seconds", [10, 7200])
def test_a_secret_lives_as_long_as_asked(seconds: int) -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            after = {"anchor": "created_at", "seconds": seconds}
            status, made = await call(emulator, SECRETS, {"expires_after": after})
            _, usual = await call(emulator, SECRETS)
            assert status == 200
            assert abs((usual["expires_at"] - made["expires_at"]) - (600 - seconds)) <= 1

    run(main())


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (
            {"expires_after": {"anchor": "created_at", "seconds": 9}},
            "integer_below_min_value",
            "expires_after.seconds",
        ),
        (
            {"expires_after": {"anchor": "created_at", "seconds": 7201}},
            "integer_above_max_value",
            "expires_after.seconds",
        ),
        ({"expires_after": {"anchor": "now"}}, "invalid_value", "expires_after.anchor"),
        ({"model": "gpt-realtime"}, "unknown_parameter", "model"),
        ({"session": {}}, "missing_required_parameter", "session.type"),
        ({"session": {"type": "realtime", "x": 1}}, "unknown_parameter", "session.x"),
        ({"session": {"type": "realtime", "model": "gpt-9"}}, "invalid_model", None),
        (b"{", "invalid_json", None),
        (b"[]", "invalid_type", None),
    ],
)
def test_a_wrong_request_is_refused_by_code_and_parameter(
    body: Any, code: str, param: str | None
) -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            status, answer = await call(emulator, SECRETS, body)
            assert status == 400
            error = answer["error"]
            assert (error["code"], error["param"]) == (code, param)
            assert error["type"] == "invalid_request_error"
            assert error["message"]

    run(main())


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("POST", SECRETS, "sk-invalid", 401),
        ("POST", SECRETS, "", 401),
        ("DELETE", SECRETS, "sk-test", 405),
        ("POST", "/v1/realtime/sessions", "sk-test", 400),
        ("POST", "/v1/realtime/calls", "sk-test", 501),
        ("POST", "/v1/realtime/calls/rtc_1/hangup", "sk-test", 501),
        ("POST", "/v1/realtime/translations/client_secrets", "sk-test", 501),
        ("POST", "/v1/realtime/transcription_sessions", "sk-test", 501),
        ("POST", "/v1/chat/completions", "sk-test", 404),
    ],
)
def test_what_is_not_served_says_so(method: str, path: str, key: str, status: int) -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            found, answer = await call(emulator, path, method=method, key=key)
            assert found == status
            assert answer["error"]["message"]

    run(main())


def test_the_beta_asks_for_a_session_with_a_key_in_it() -> None:
    async def main() -> None:
        async with OpenAIEmulator(dialect="beta") as emulator:
            model = "gpt-4o-realtime-preview"
            body = {"model": model, "modalities": ["text"], "voice": "sage"}
            status, made = await call(emulator, "/v1/realtime/sessions", body)
            assert status == 200
            assert (made["model"], made["modalities"], made["voice"]) == (model, ["text"], "sage")
            assert "type" not in made
            key = made["client_secret"]["value"]
            async with client_of(emulator, query=f"?model={model}", key=key) as client:
                assert client.events[0]["session"]["modalities"] == ["text"]

    run(main())


def test_an_unknown_ephemeral_key_is_refused() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            headers = {"Authorization": "Bearer ek_0123456789abcdef"}
            url = f"{emulator.url}?model=gpt-realtime"
            async with connect(url, additional_headers=headers) as connection:
                error = orjson.loads(await connection.recv())["error"]
                assert error["code"] == "invalid_api_key"

    run(main())
