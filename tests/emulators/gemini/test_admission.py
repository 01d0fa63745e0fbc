"""Who is let in: keys, endpoints and ephemeral tokens."""

import asyncio
from typing import Any

import h11
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crossfade.emulators.faults import RefuseHandshake, RefuseKey
from crossfade.emulators.gemini import GeminiEmulator, Timing
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    MODEL_2_5,
    MODEL_3_8,
    WireClient,
    client_of,
    emulator_of,
)

INVALID_KEY = (1007, "API key not valid. Please pass a valid API key.")
DEVELOPER = "/ws/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent"
CONSTRAINED = DEVELOPER.format("v1alpha") + "Constrained"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"


async def close_of(emulator: GeminiEmulator, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """The close that a client gets, or 0 if it can set a session up."""
    url = emulator.url.replace(emulator.path, path)
    async with connect(url, additional_headers=headers, compression=None) as socket:
        client = WireClient(socket)
        if headers.get("x-test") == "refused":
            return await client.closed()
        await client.set_up()
        return 0, ""


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_every_version_is_served(version: str) -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            path = DEVELOPER.format(version)
            assert await close_of(emulator, path, {"x-goog-api-key": "k"}) == (0, "")
            assert await close_of(emulator, f"{path}?key=k", {}) == (0, "")
            # google-genai joins a base that ends with a slash so.
            assert await close_of(emulator, f"/{path}?key=k", {}) == (0, "")

    run(main())


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        (DEVELOPER.format("v1"), {"x-goog-api-key": "invalid"}, 1007),
        (DEVELOPER.format("v1") + "?key=invalid", {}, 1007),
        (DEVELOPER.format("v1"), {}, 1008),
        (DEVELOPER.format("v1"), {"Authorization": "Token auth_tokens/1"}, 1008),
        (CONSTRAINED, {"x-goog-api-key": "k"}, 1007),
        (CONSTRAINED, {"Authorization": "Token auth_tokens/1"}, 1007),
        (CONSTRAINED + "?access_token=auth_tokens/1", {}, 1007),
    ],
)
def test_a_client_without_a_good_key_is_let_in_and_told_by_a_close(
    path: str, headers: dict[str, str], code: int
) -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            close = await close_of(emulator, path, {**headers, "x-test": "refused"})
            assert close[0] == code
            if code == 1007:
                assert close == INVALID_KEY
            assert emulator.sessions == []

    run(main())


def test_keys_can_be_listed() -> None:
    async def main() -> None:
        async with GeminiEmulator(api_keys={"one"}) as emulator:
            path = DEVELOPER.format("v1")
            assert await close_of(emulator, path, {"x-goog-api-key": "one"}) == (0, "")
            headers = {"x-goog-api-key": "two", "x-test": "refused"}
            assert await close_of(emulator, path, headers) == INVALID_KEY

    run(main())


def test_models_can_be_added() -> None:
    async def main() -> None:
        async with (
            GeminiEmulator(models={"gemini-9-live"}) as emulator,
            client_of(emulator) as client,
        ):
            await client.set_up("gemini-9-live")

    run(main())


def test_vertex_refuses_by_http() -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            url = emulator.url.replace(emulator.path, VERTEX)
            for headers in ({}, {"Authorization": "Bearer invalid"}):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url, additional_headers=headers)
                assert refused.value.response.status_code == 401
            async with connect(url, additional_headers={"Authorization": "Bearer ya29.x"}):
                pass

    run(main())


def test_other_paths_and_faults_at_the_door() -> None:
    async def main() -> None:
        faults = [RefuseHandshake(session=2), RefuseKey(session=3)]
        async with emulator_of(faults=faults) as emulator:
            for path, status in (("/ws/nothing", 404), (emulator.path, 503)):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(emulator.url.replace(emulator.path, path))
                assert refused.value.response.status_code == status
            headers = {"x-goog-api-key": "k", "x-test": "refused"}
            assert await close_of(emulator, emulator.path, headers) == INVALID_KEY

    run(main())


async def post(
    emulator: GeminiEmulator, body: Any, *, path: str = "/v1alpha/auth_tokens", key: str = "k"
) -> tuple[int, Any]:
    """A REST call; its status and its JSON."""
    client = h11.Connection(h11.CLIENT)
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = [("host", "x"), ("x-goog-api-key", key), ("content-length", str(len(data)))]
    request = h11.Request(method="POST", target=path, headers=headers)
    for event in (request, h11.Data(data=data), h11.EndOfMessage()):
        writer.write(client.send(event) or b"")
    client.receive_data(await reader.read())
    client.receive_data(b"")
    response = client.next_event()
    assert isinstance(response, h11.Response)
    content = client.next_event()
    assert isinstance(content, h11.Data)
    writer.close()
    await writer.wait_closed()
    return response.status_code, orjson.loads(bytes(content.data))


async def token_of(emulator: GeminiEmulator, **body: Any) -> str:
    status, answer = await post(emulator, body)
    assert status == 200
    assert set(answer) == {"name"}
    assert answer["name"].startswith("auth_tokens/")
    return str(answer["name"])


async def opened(emulator: GeminiEmulator, token: str, **setup: Any) -> tuple[int, str]:
    """How a session with a token ends; 0 if it is set up."""
    url = emulator.url.replace(emulator.path, CONSTRAINED)
    headers = {"Authorization": f"Token {token}"}
    async with connect(url, additional_headers=headers, compression=None) as socket:
        client = WireClient(socket)
        await client.send(setup={"model": f"models/{MODEL_2_5}", **setup})
        try:
            await client.until("setupComplete")
        except ConnectionClosed:
            return await client.closed()
        return 0, ""


def test_an_ephemeral_token_opens_one_session_within_a_minute() -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            token = await token_of(emulator)
            assert await opened(emulator, token) == (0, "")
            assert await opened(emulator, token) == INVALID_KEY
            many = await token_of(emulator, uses=0)
            assert await opened(emulator, many) == (0, "")
            assert await opened(emulator, many) == (0, "")
            async with client_of(emulator) as client:
                await client.rest(61)
            assert await opened(emulator, many) == INVALID_KEY

    run(main())


def test_a_token_may_be_given_in_the_url_and_its_sessions_end_with_it() -> None:
    async def main() -> None:
        timing = Timing(connection_seconds=5000, session_seconds=5000)
        async with emulator_of(timing=timing) as emulator:
            token = await token_of(emulator)
            path = f"{CONSTRAINED}?access_token={token}"
            async with client_of(emulator, key="", path=path) as client:
                await client.set_up()
                assert await client.closed() == (1008, "The operation was aborted")
                assert emulator.sessions[0].failure is None

    run(main())


def test_a_token_locks_what_it_says() -> None:
    async def main() -> None:
        own = {
            "model": f"models/{MODEL_3_8}",
            "generation_config": {"temperature": 0.5},
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
        }
        wanted = {"systemInstruction": {"parts": [{"text": "Be rude."}]}}
        async with emulator_of() as emulator:
            whole = await token_of(emulator, bidiGenerateContentSetup=own)
            part = await token_of(
                emulator,
                bidiGenerateContentSetup=own,
                fieldMask="model,generationConfig.temperature",
            )
            for token, instructions in ((whole, "Be kind."), (part, "Be rude.")):
                url = emulator.url.replace(emulator.path, CONSTRAINED)
                headers = {"Authorization": f"Token {token}"}
                async with connect(url, additional_headers=headers) as socket:
                    client = WireClient(socket)
                    # The model is the token's, however bad the client's is.
                    await client.send(setup={"model": "models/nothing", **wanted})
                    await client.until("setupComplete")
                    talk = emulator.sessions[-1].talk
                    assert talk is not None
                    assert talk.configuration.model.name == MODEL_3_8
                    assert talk.configuration.instructions == instructions

    run(main())


@pytest.mark.parametrize(
    ("body", "key", "message"),
    [
        ({}, "invalid", "API key not valid. Please pass a valid API key."),
        ({"use": 1}, "k", 'Invalid JSON payload received. Unknown name "use": Cannot find field.'),
        ({"uses": -1}, "k", "Request contains an invalid argument."),
        ({"expireTime": "2027-01-01T00:00:00Z"}, "k", "Request contains an invalid argument."),
        ({"expireTime": "soon"}, "k", "Invalid value at 'expire_time'"),
        (b"{", "k", "Invalid JSON payload received. Expected an object."),
    ],
)
def test_a_token_that_is_not_made(body: Any, key: str, message: str) -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            status, answer = await post(emulator, body, key=key)
            assert status == 400
            assert answer["error"]["message"].startswith(message)
            assert answer["error"]["status"] == "INVALID_ARGUMENT"

    run(main())


def test_no_other_rest_call_is_served() -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            status, _ = await post(emulator, {}, path="/v1beta/models")
            assert status == 404

    run(main())
