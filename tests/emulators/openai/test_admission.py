"""Who may open a session."""

from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from crossfade.emulators.openai import OpenAIEmulator
from tests.clock import run

MODEL = "?model=gpt-realtime"


async def first_event(emulator: OpenAIEmulator, query: str, **options: Any) -> dict[str, Any]:
    """What a client is told first, with the close that follows an error."""
    async with connect(emulator.url + query, compression=None, **options) as connection:
        event: dict[str, Any] = orjson.loads(await connection.recv())
        if event["type"] == "error":
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            event["close"] = (connection.close_code, connection.close_reason)
        event["subprotocol"] = connection.subprotocol
        return event


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("query", "headers", "code", "close_code"),
    [
        (MODEL, bearer("sk-invalid-key"), "invalid_api_key", 3000),
        ("", bearer("sk-test"), "missing_model", 4000),
        ("?model=", bearer("sk-test"), "missing_model", 4000),
        ("?model=gpt-9", bearer("sk-test"), "invalid_model", 4000),
        (
            MODEL,
            {**bearer("sk-test"), "OpenAI-Beta": "realtime=v1"},
            "beta_api_shape_disabled",
            4000,
        ),
    ],
)
def test_a_refused_client_gets_101_then_an_error_then_a_close(
    query: str, headers: dict[str, str], code: str, close_code: int
) -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            event = await first_event(emulator, query, additional_headers=headers)
            assert (event["type"], event["error"]["code"]) == ("error", code)
            assert event["error"]["type"] == "invalid_request_error"
            assert event["close"] == (close_code, f"invalid_request_error.{code}")
            assert emulator.sessions == []

    run(main())


def test_a_refused_key_is_not_repeated_in_full() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            headers = bearer("sk-invalid-0123456789")
            event = await first_event(emulator, MODEL, additional_headers=headers)
            assert "invalid-01234" not in event["error"]["message"]
            assert event["error"]["message"].startswith("Incorrect API key provided: sk-")

    run(main())


def test_only_listed_keys_are_taken_where_some_are_listed() -> None:
    async def main() -> None:
        async with OpenAIEmulator(api_keys={"sk-one"}) as emulator:
            taken = await first_event(emulator, MODEL, additional_headers=bearer("sk-one"))
            assert taken["type"] == "session.created"
            refused = await first_event(emulator, MODEL, additional_headers=bearer("sk-two"))
            assert refused["error"]["code"] == "invalid_api_key"

    run(main())


def test_a_browser_gives_its_key_in_a_subprotocol() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            offered = [Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.sk-test")]
            event = await first_event(emulator, MODEL, subprotocols=offered)
            assert (event["type"], event["subprotocol"]) == ("session.created", "realtime")

    run(main())


def test_models_may_be_added() -> None:
    async def main() -> None:
        async with OpenAIEmulator(models=["house-model"]) as emulator:
            headers = bearer("sk-test")
            event = await first_event(emulator, "?model=house-model", additional_headers=headers)
            assert event["session"]["model"] == "house-model"

    run(main())


def test_another_path_is_not_found() -> None:
    async def main() -> None:
        async with OpenAIEmulator() as emulator:
            url = emulator.url.replace("/v1/realtime", "/v1/chat")
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, additional_headers=bearer("sk-test"))
            assert refused.value.response.status_code == 404

    run(main())
