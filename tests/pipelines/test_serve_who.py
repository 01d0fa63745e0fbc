"""Who may begin calls at a server, how many, and by which lines."""

import asyncio
import json
import ssl
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crossfade.cli import app
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.serve_settings import TOKEN_VARIABLE, ServeSettings, server_access
from crossfade.transports.websocket_client import CallClient
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run
from tests.pipelines.serving import scripted, serving
from tests.pipelines.test_serve_pages import Client

TOKEN = "0123456789abcdef"
OLD = "fedcba9876543210"


async def asks(url: str, hello: dict[str, object], authorization: str | None = None) -> str:
    """What a client is told first: ready, or the code with which it is refused."""
    headers = {} if authorization is None else {"Authorization": authorization}
    async with connect(url, proxy=None, additional_headers=headers) as socket:
        await socket.send(json.dumps({"type": "hello", **hello}))
        told = json.loads(await socket.recv())
        if told["type"] == "ready":
            await socket.send('{"type": "bye"}')
            return "ready"
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return str(told["code"])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "crossfade.example"])
def test_only_this_machine_is_served_without_a_token(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    option = ["serve", "--base-url", "ws://127.0.0.1:9", "--store", "none", "--host", host]
    ran = CliRunner().invoke(app, option)
    assert ran.exit_code == 2
    assert "CROSSFADE_TOKEN" in ran.output


def test_a_server_with_a_public_address_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever brings the phone company to loopback brings everybody."""
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    option = ["serve", "--base-url", "ws://127.0.0.1:9", "--store", "none"]
    ran = CliRunner().invoke(app, [*option, "--public-url", "https://calls.example"])
    assert ran.exit_code == 2
    assert "CROSSFADE_TOKEN" in ran.output
    settings = ServeSettings(public_url="http://localhost:7860")
    assert not server_access(settings).needed


@pytest.mark.parametrize(
    "option",
    [
        ("--transfer-to", "sales"),
        ("--transfer-to", "sales="),
        ("--transfer-to", "=+15550123"),
        ("--transfer-to", "sales=tomorrow"),
        ("--public-url", "calls.example.org"),
        ("--public-url", "https://["),
        ("--public-url", "https://"),
        ("--public-url", "wss://calls.example.org"),
        ("--public-url", "https://calls.example.org:99999"),
        ("--public-url", "https://calls.example.org?a=b"),
    ],
)
def test_what_phones_need_is_checked_without_any(
    option: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    ran = CliRunner().invoke(
        app, ["serve", "--base-url", "ws://127.0.0.1:9", "--store", "none", *option]
    )
    assert ran.exit_code == 2
    (line,) = ran.output.splitlines()
    assert line.startswith("error: ")
    assert "+15551234567" in line or "https://calls.example.org" in line


def test_an_address_may_stand_in_brackets() -> None:
    settings = ServeSettings(host="[::1]")
    assert settings.host == "::1"
    assert settings.on_loopback
    assert settings.base == "ws://[::1]"


@pytest.mark.parametrize("host", ["[", "[::1", "a]b"])
def test_a_host_that_is_none_is_told_in_a_line(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    option = ["serve", "--base-url", "ws://127.0.0.1:9", "--store", "none", "--host", host]
    ran = CliRunner().invoke(app, option)
    assert ran.exit_code == 2
    assert "error: " in ran.output


def test_a_token_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, f"{TOKEN},short")
    ran = CliRunner().invoke(app, ["serve", "--base-url", "ws://127.0.0.1:9", "--store", "none"])
    assert ran.exit_code == 2
    assert "16 characters" in ran.output
    assert "short" not in ran.output


def test_calls_begin_with_a_token_or_its_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, f"{TOKEN}, {OLD}")

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            refused = str(int(CloseCode.REFUSED))
            assert await asks(server.url, {}) == refused
            assert await asks(server.url, {"access": "x" * 16}) == refused
            assert await asks(server.url, {}, f"Bearer {'x' * 16}") == refused
            assert await asks(server.url, {"access": TOKEN}) == "ready"
            assert await asks(server.url, {}, f"Bearer {OLD}") == "ready"
            page = Client(int(server.url.split(":")[2].split("/")[0]))
            bearer = {"Authorization": f"Bearer {TOKEN}"}
            told = await page.ask("POST", "/session", bearer)
            ticket = json.loads(told.body)["access"]
            assert await asks(server.url, {"access": ticket}) == "ready"
            # It is for one call.
            assert await asks(server.url, {"access": ticket}) == refused
            late = json.loads((await page.ask("POST", "/session", bearer)).body)
            await asyncio.sleep(0)
            assert late["lifetime_s"] <= 60

    run(scenario())


def test_who_is_in_a_call_comes_back_without_the_servers_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
            CallClient([server.url], access=TOKEN) as client,
        ):
            await client.attached()
            async with connect(server.url, proxy=None) as socket:
                await socket.send(json.dumps({"type": "hello", "token": client.token}))
                assert json.loads(await socket.recv())["call_id"] == client.call_id

    run(scenario())


def test_one_address_has_so_many_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, host="0.0.0.0", client_calls=2) as server,
        ):
            url = server.url.replace("0.0.0.0", "127.0.0.1")
            async with (
                CallClient([url], access=TOKEN) as first,
                CallClient([url], access=TOKEN) as second,
            ):
                await first.attached()
                await second.attached()
                assert await asks(url, {"access": TOKEN}) == str(int(CloseCode.BUSY))
                await first.hang_up()
                await asyncio.sleep(1)
                assert await asks(url, {"access": TOKEN}) == "ready"

    run(scenario())


def test_who_guesses_too_often_is_told_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, host="0.0.0.0") as server,
        ):
            url = server.url.replace("0.0.0.0", "127.0.0.1")
            codes = [await asks(url, {"access": f"guess {i}"}) for i in range(61)]
            assert codes == ["4401"] * 60 + ["4503"]
            assert await asks(url, {"access": TOKEN}) == "4503"
            await asyncio.sleep(61)
            assert await asks(url, {"access": TOKEN}) == "ready"

    run(scenario())


PAGE = {"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1"}
NAMED = {"Host": "calls.example", "Origin": "https://calls.example"}


@pytest.mark.parametrize(
    ("headers", "without_token", "with_token"),
    [
        ({"Host": "127.0.0.1:1"}, True, True),
        (PAGE, True, True),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, True, True),
        ({**PAGE, "Sec-Fetch-Site": "same-origin"}, True, True),
        ({**PAGE, "Origin": "http://evil.example"}, False, False),
        ({**PAGE, "Origin": "null"}, False, False),
        ({**PAGE, "Origin": "http://[evil"}, False, False),
        # Of the same name, but by http, where somebody on the way may have put a page.
        ({**NAMED, "Origin": "http://calls.example", "Sec-Fetch-Site": "cross-site"}, False, False),
        # A name that leads here: the owner's, or one of another site that was made to.
        (NAMED, False, True),
        # No browser, and by a proxy of this machine, which lets everybody come to loopback.
        ({"Host": "calls.example"}, False, True),
        ({}, False, True),
    ],
)
def test_pages_of_other_sites_are_refused(
    tmp_path: Path,
    headers: dict[str, str],
    without_token: bool,
    with_token: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def status() -> bytes:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator) as server,
        ):
            port = int(server.url.split(":")[2].split("/")[0])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head += "Sec-WebSocket-Version: 13\r\n"
            writer.write(f"{head}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
            told = (await reader.readline()).split()[1]
            writer.close()
            return told

    let_in = {True: (b"101",), False: (b"403", b"400")}
    assert run(status()) in let_in[without_token]
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert run(status()) in (let_in[with_token] if headers else (b"101", b"400"))


def test_lines_may_be_encrypted(tmp_path: Path) -> None:
    chain, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(chain)),
        ],
        check=True,
        capture_output=True,
    )

    async def scenario() -> None:
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, tls_cert=chain, tls_key=key) as server,
        ):
            assert server.url.startswith("wss://127.0.0.1:")
            assert "talk at https://127.0.0.1:" in "\n".join(server.told)
            trusted = ssl.create_default_context(cafile=str(chain))
            async with connect(server.url, proxy=None, ssl=trusted) as socket:
                await socket.send('{"type": "hello"}')
                assert json.loads(await socket.recv())["type"] == "ready"

    run(scenario())
