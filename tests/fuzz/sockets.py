"""Broken messages on real sockets, in virtual time: to the emulators, and to the server of calls.

What comes may end its own connection. Afterwards a whole one must be served as ever.
"""

import asyncio
import base64
import contextlib
import logging
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from loguru import logger
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from tests.clock import run
from tests.fuzz.inputs import CLIENT
from tests.fuzz.mutation import Mutator
from tests.fuzz.target import Finding
from tests.pipelines.serving import serving
from tests.providers.replay.session_file import Kind, Step, load
from tests.providers.wires import SESSIONS

Emulator = OpenAIEmulator | GeminiEmulator | MoshiEmulator
Attack = Callable[[float, random.Random, int], int]
"""Goes on for so many seconds, each loop with so many connections; gives how much was sent."""

_MOST_MESSAGES = 30
_WHOLE = 0.5
_ANSWER_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Whom to connect to, and how."""

    make: Callable[[], Emulator]
    query: str = ""
    headers: Mapping[str, str]


_KEY = {"Authorization": "Bearer any"}
WIRES: Mapping[str, Wire] = {
    "openai": Wire(make=OpenAIEmulator, query="?model=gpt-realtime-2.1", headers=_KEY),
    "gemini": Wire(make=GeminiEmulator, query="?key=any", headers={}),
    "moshi": Wire(make=MoshiEmulator, headers={}),
}


def _rounds(seconds: float, attack: Callable[[], int]) -> int:
    until_s = time.monotonic() + seconds
    sent = attack()
    while time.monotonic() < until_s:
        sent += attack()
    return sent


@contextlib.contextmanager
def nothing_logged() -> Iterator[None]:
    """Find what is told as an error, by whoever tells it.

    Raises:
        Finding: There was such a thing.
    """
    told: list[str] = []

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(f"{record.name}: {self.format(record)}")

    handler = Told(logging.ERROR)
    logging.getLogger().addHandler(handler)
    sink = logger.add(lambda text: told.append(str(text)), level="ERROR")
    try:
        yield
    finally:
        logger.remove(sink)
        logging.getLogger().removeHandler(handler)
    if told:
        raise Finding("\n".join(told)[:4000])


# The emulators


def emulator(name: str, seconds: float, dice: random.Random, connections: int) -> int:
    """Be a bad client of an emulator."""
    sessions = [
        [_said(step) for step in load(path) if step.sent and step.kind is not Kind.CLOSE]
        for path in sorted((SESSIONS / name).glob("*.yaml"))
    ]
    whole = [said for said in sessions if said]
    mutator = Mutator([each for said in whole for each in said], dice)

    async def scenario() -> int:
        wire, sent = WIRES[name], 0
        async with wire.make() as served:
            for _ in range(connections):
                async with _line(f"{served.url}{wire.query}", wire.headers) as line:
                    async for one in _talk(line, dice.choice(whole), mutator, dice):
                        sent += one
            if served.failures:
                raise Finding(f"{name}: a session failed") from served.failures[0]
        return sent

    return _rounds(seconds, lambda: run(scenario()))


def _said(step: Step) -> bytes:
    if step.kind is Kind.MESSAGE:
        return orjson.dumps(step.data)
    return step.data.encode() if isinstance(step.data, str) else bytes(step.data)


@contextlib.asynccontextmanager
async def _line(url: str, headers: Mapping[str, str]) -> AsyncIterator[ClientConnection]:
    """A connection that may end in any way."""
    with contextlib.suppress(ConnectionClosed, WebSocketException, ConnectionError, TimeoutError):
        async with connect(url, additional_headers=headers, close_timeout=1) as line:
            yield line


async def _talk(
    line: ClientConnection, said: Sequence[bytes], mutator: Mutator, dice: random.Random
) -> AsyncIterator[int]:
    """Say all that, broken or whole; gives a 1 for each."""
    for message in said[:_MOST_MESSAGES]:
        broken = message if dice.random() < _WHOLE else mutator.mutate(message)
        text = dice.random() < 0.9 and _is_text(broken)
        await line.send(broken.decode() if text else broken)
        yield 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(dice.random() * _ANSWER_S):
                while True:
                    await line.recv()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# The server


def calls(seconds: float, dice: random.Random, connections: int) -> int:
    """Be a bad client of the server's calls."""
    mutator = Mutator(CLIENT, dice)

    async def scenario() -> int:
        sent = 0
        with tempfile.TemporaryDirectory() as folder:
            async with OpenAIEmulator() as model, serving(Path(folder), model) as server:
                for _ in range(connections):
                    async with _line(server.url, {}) as line:
                        hello = {"type": "hello", "version": 1, "reports": True, "details": True}
                        if dice.random() < 0.9:
                            await line.send(orjson.dumps(hello).decode())
                            await line.recv()
                        said = [*dice.sample(CLIENT, 5), dice.randbytes(640)] * 2
                        async for one in _talk(line, said, mutator, dice):
                            sent += one
                        await line.send('{"type": "bye"}')
                await _answers(server.url)
        return sent

    with nothing_logged():
        return _rounds(seconds, lambda: run(scenario()))


_PATHS = [
    "/", "/ws", "/session", "/healthz", "/readyz", "/twilio", "/telnyx", "/plivo", "/calls",
    "/dashboard", "/client/", "/offer", "/api/offer", "/twilio/stream", "/%2e%2e/x", "//", "*",
]  # fmt: skip
_BODIES = [
    b'{"sdp": "v=0", "type": "offer", "pc_id": "x"}',
    b"CallSid=CA1&CallStatus=in-progress&to=sales&Digits=%23",
    b"token=abc",
    b"5\r\nhello\r\n0\r\n\r\n",
]
_UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"


def requests(seconds: float, dice: random.Random, connections: int) -> int:
    """Ask the server for what nobody asks for."""

    def request(port: int) -> bytes:
        path, body = dice.choice(_PATHS), dice.choice(_BODIES)
        lines = [f"{dice.choice(['GET', 'POST', 'PUT', 'HEAD'])} {path} HTTP/1.1"]
        lines += [f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}"]
        extra = [
            "Authorization: Bearer abc", "Origin: null", "Origin: http://127.0.0.1",
            "Cookie: visit=visit.1.2.3", "X-Twilio-Signature: abc", "X-Forwarded-For: ::1",
            "Transfer-Encoding: chunked", "Content-Type: application/x-www-form-urlencoded",
            "Content-Type: multipart/form-data; boundary=x", "Content-Type: application/json",
            "Expect: 100-continue", f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
        ]  # fmt: skip
        lines += dice.sample(extra, dice.randrange(5))
        head = "\r\n".join(lines).encode() + b"\r\n"
        return head + (_UPGRADE if dice.random() < 0.2 else b"") + b"\r\n" + body

    async def scenario() -> int:
        with tempfile.TemporaryDirectory() as folder:
            async with OpenAIEmulator() as model, serving(Path(folder), model) as server:
                port = urlsplit(server.url).port or 0
                whole = [request(port) for _ in range(connections)]
                mutator = Mutator(whole, dice)
                for each in whole:
                    sent = each if dice.random() < _WHOLE else mutator.mutate(each)
                    answer = await _asked(port, sent)
                    if answer.startswith(b"HTTP/1.1 500"):
                        raise Finding(f"the answer to {sent[:2000]!r} is {answer[:200]!r}")
                await _answers(server.url)
        return len(whole)

    with nothing_logged():
        return _rounds(seconds, lambda: run(scenario()))


async def _asked(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(4096), _ANSWER_S)
    writer.transport.abort()
    return answer


async def _answers(url: str) -> None:
    """Hold the server to answering as ever.

    Raises:
        Finding: It does not.
    """
    port = urlsplit(url).port or 0
    alive = await _asked(port, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    if not alive.startswith(b"HTTP/1.1 200"):
        raise Finding(f"/healthz is answered by {alive[:200]!r}")
    async with connect(url) as line:
        await line.send('{"type": "hello", "version": 1}')
        if orjson.loads(await line.recv())["type"] != "ready":
            raise Finding("no call begins any more")


SOCKETS: Mapping[str, Attack] = {
    **{f"emulated {name}": partial(emulator, name) for name in WIRES},
    "calls": calls,
    "requests": requests,
}

__all__ = ["SOCKETS", "nothing_logged"]
