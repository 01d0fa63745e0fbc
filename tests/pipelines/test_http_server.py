"""Pages and WebSockets at one port."""

import asyncio
import contextlib
import logging
import random
import runpy
import socket
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from crossfade.errors import SettingsError
from crossfade.pipelines.http_server import (
    ASK_S,
    LARGEST_HEAD_BYTES,
    READ_S,
    Certificate,
    listening,
)
from crossfade.transports.client_socket import ClientSocket
from tests.clock import run
from tests.project import ROOT


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()).decode(errors="replace"))


MUCH_BYTES = 20_000_000


async def much(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * MUCH_BYTES)


APP = Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/much", much)])


def line() -> ClientSocket:
    async def opened(client: ClientSocket) -> None:
        client.deliver_to(lambda message, text: client.write(message, text=text))
        await client.wait_closed()

    return ClientSocket(
        opened,
        refuse=lambda asked: None if asked.path == "/ws" else (HTTPStatus.NOT_FOUND, "no"),
    )


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def test_pages_and_lines_come_from_one_port() -> None:
    async def scenario() -> None:
        async with listening(APP, line, host="127.0.0.1", port=0) as port:
            answer = await ask(
                port,
                b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                b"Content-Length: 2\r\n\r\nhi",
            )
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"hi")
            assert b"server:" not in answer.lower()
            async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as client:
                for message in (b"\x01" * 70_000, "text"):
                    await client.send(message)
                    assert await client.recv() == message
            with pytest.raises(InvalidStatus):
                await connect(f"ws://127.0.0.1:{port}/other", proxy=None)

    run(scenario())


def test_a_head_without_end_is_cut_off() -> None:
    async def scenario() -> None:
        async with listening(APP, line, host="127.0.0.1", port=0) as port:
            head = b"GET / HTTP/1.1\r\nX: " + b"x" * (2 * LARGEST_HEAD_BYTES)
            assert (await ask(port, head)).startswith(b"HTTP/1.1 400")

    run(scenario())


@pytest.mark.parametrize(
    ("begun", "drop"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", b"x"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
    ],
    ids=["nothing", "head", "body", "second head"],
)
def test_who_does_not_come_to_the_point_is_dropped(begun: bytes, drop: bytes) -> None:
    async def scenario() -> None:
        async with listening(APP, line, host="127.0.0.1", port=0) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            async with asyncio.timeout(2 * ASK_S + 1):
                with contextlib.suppress(ConnectionError):
                    while not reader.at_eof():
                        writer.write(drop)
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(reader.read(1000), 1)
            writer.transport.abort()

    run(scenario())


def test_who_does_not_read_the_answer_is_dropped() -> None:
    async def scenario() -> None:
        async with listening(APP, line, host="127.0.0.1", port=0) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(READ_S + 1)
            came = 0
            with contextlib.suppress(ConnectionResetError):
                while some := await reader.read(1_000_000):
                    came += len(some)
            writer.close()
            assert came < MUCH_BYTES

    run(scenario())


def test_a_line_outlives_the_time_for_asking() -> None:
    async def scenario() -> None:
        async with (
            listening(APP, line, host="127.0.0.1", port=0) as port,
            connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as client,
        ):
            await asyncio.sleep(2 * ASK_S)
            await client.send("still here")
            assert await client.recv() == "still here"

    run(scenario())


def test_a_port_that_is_taken_is_told() -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(SettingsError, match="choose another --port"):
                async with listening(APP, line, host="127.0.0.1", port=port):
                    pass

    run(scenario())


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("nothing")

    async def scenario() -> None:
        certificate = Certificate(chain=tmp_path / "c.pem", key=tmp_path / "c.pem")
        with pytest.raises(SettingsError, match="two PEM files"):
            async with listening(APP, line, host="127.0.0.1", port=0, certificate=certificate):
                pass

    run(scenario())


def test_broken_requests_and_frames_do_no_harm() -> None:
    whole = [
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        b"\x81\x82\0\0\0\0{}\x02\x82\0\0\0\0ab\x80\x81\0\0\0\0c\x89\x80\0\0\0\0\x88\x80\0\0\0\0",
    ]
    dice = random.Random(10)

    def broken() -> bytes:
        message = bytearray(dice.choice(whole))
        head = message.rfind(b"\r\n\r\n") + 4 if dice.random() < 0.7 else 0
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(min(head, len(message) - 1), len(message))
            match dice.randrange(3):
                case 0:
                    message[at] = dice.randrange(256)
                case 1:
                    message[at:at] = dice.randbytes(dice.randint(1, 8))
                case 2:
                    del message[at : at + dice.randint(1, 8)]
        return bytes(message)

    async def scenario() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what))
        async with listening(APP, line, host="127.0.0.1", port=0) as port:
            for _ in range(300):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(broken())
                with contextlib.suppress(TimeoutError, ConnectionError):
                    await asyncio.wait_for(reader.read(100), 0.05)
                writer.transport.abort()
            assert (
                await ask(port, whole[0].replace(b"a\r", b"a\r\nConnection: close\r"))
            ).endswith(b"hi")
        assert told == []

    run(scenario())


@pytest.mark.parametrize("asked", [b"HEAD /echo", b"POST /echo", b"GET /nothing"])
def test_a_request_with_a_broken_body_is_refused_without_a_word(
    asked: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what))
        head = b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        request = asked + head + b"no size\r\n"
        async with listening(APP, line, host="127.0.0.1", port=0) as port:
            assert (await ask(port, request)).startswith(b"HTTP/1.1 400")
        assert told == []

    run(scenario())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SettingsError, match=r"\(uvicorn\); install 'crossfade\[serve\]'"):
        runpy.run_path(str(ROOT / "pipelines" / "http_server.py"))
