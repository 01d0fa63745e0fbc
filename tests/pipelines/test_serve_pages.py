"""The pages: what they give, to whom, and how strict they are."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.resources import files

import h11
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from crossfade.pipelines.http_server import listening
from crossfade.pipelines.serve_access import Access
from crossfade.pipelines.serve_limits import ClientLimits, Limits
from crossfade.pipelines.serve_pages import HEADERS, LARGEST_BODY_BYTES, pages
from crossfade.transports.client_socket import ClientSocket
from tests.clock import run
from tests.pipelines.test_http_server import ask

TOKEN = "0123456789abcdef"


@dataclass
class Health:
    draining: bool = False
    full: bool = False


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    def __init__(self, port: int) -> None:
        self.port = port

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        peer = h11.Connection(h11.CLIENT)
        named = {"Host": "here", "Connection": "close", "Content-Length": str(len(body))}
        request = h11.Request(
            method=method, target=path, headers=list({**named, **(headers or {})}.items())
        )
        sent = [peer.send(each) or b"" for each in (request, h11.Data(body), h11.EndOfMessage())]
        peer.receive_data(await ask(self.port, b"".join(sent)))
        head = peer.next_event()
        assert isinstance(head, h11.Response)
        content = b""
        while isinstance(event := peer.next_event(), h11.Data):
            content += event.data
        return Answer(
            head.status_code,
            {name.decode(): value.decode() for name, value in head.headers},
            content,
        )


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@contextlib.asynccontextmanager
async def served(
    health: Health | None = None, tokens: tuple[str, ...] = (), limits: Limits | None = None
) -> AsyncIterator[tuple[Client, Access]]:
    access = Access(tokens)
    app = pages(
        health or Health(),
        access,
        ClientLimits(limits or Limits()),
        more=[Route("/echo", echo, methods=["POST"])],
    )

    async def opened(socket: ClientSocket) -> None:
        raise AssertionError("nobody comes in")

    async with listening(app, lambda: ClientSocket(opened), host="127.0.0.1", port=0) as port:
        yield Client(port), access


def test_the_page_and_all_that_it_names_are_there_and_nothing_of_others() -> None:
    async def scenario() -> None:
        async with served() as (client, _):
            page = await client.ask("GET", "/")
            assert page.status == 200
            assert page.headers["content-type"].startswith("text/html")
            named = set(re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()))
            for path in files("crossfade.pipelines.page").iterdir():
                text = path.read_text() if path.name.endswith(".js") else ""
                named |= set(re.findall(r'(?:from|import|addModule\()\s*"\./?([^"]+)"', text))
                named |= set(re.findall(r'addModule\("([^"]+)"\)', text))
            assert len(named) > 8
            assert not [name for name in named if "//" in name]
            for name in named:
                answer = await client.ask("GET", f"/{name}")
                assert answer.status == 200, name
                assert answer.body == files("crossfade.pipelines.page").joinpath(name).read_bytes()

    run(scenario())


@pytest.mark.parametrize("path", ["/", "/page.js", "/healthz", "/nothing", "/session"])
def test_every_answer_is_strict(path: str) -> None:
    async def scenario() -> None:
        async with served() as (client, _):
            answer = await client.ask("GET", path)
            for name, value in HEADERS.items():
                assert answer.headers[name.lower()] == value
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]

    run(scenario())


def test_who_leaves_in_the_middle_of_a_body_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with served() as (client, _):
            _, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf")
            await asyncio.sleep(0.1)
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.1)

    run(scenario())
    assert not caplog.records


@pytest.mark.parametrize("path", ["/__init__.py", "/../page.py", "/%2e%2e/serve.py", "/page/"])
def test_nothing_else_is_given(path: str) -> None:
    async def scenario() -> None:
        async with served() as (client, _):
            assert (await client.ask("GET", path)).status == 404

    run(scenario())


def test_health_is_told() -> None:
    async def scenario() -> None:
        health = Health()
        async with served(health) as (client, _):
            assert (await client.ask("GET", "/readyz")).status == 200
            health.full = True
            assert (await client.ask("GET", "/readyz")).status == 503
            health.full, health.draining = False, True
            assert (await client.ask("GET", "/readyz")).status == 503
            assert (await client.ask("GET", "/healthz")).status == 200

    run(scenario())


def test_tickets_are_for_those_who_show_the_token() -> None:
    async def scenario() -> None:
        async with served(tokens=(TOKEN,)) as (client, _):
            for shown in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"}):
                refused = await client.ask("POST", "/session", shown)
                assert refused.status == 401
            given = await client.ask("POST", "/session", {"Authorization": f"Bearer {TOKEN}"})
            assert given.status == 200
            assert TOKEN.encode() not in given.body
            assert b'"access":"' in given.body
            assert (await client.ask("GET", "/session")).status == 405

    run(scenario())


def test_who_asks_too_often_is_told_to_wait() -> None:
    async def scenario() -> None:
        async with served(tokens=(TOKEN,), limits=Limits(beginnings_a_minute=3)) as (client, _):
            for guess in ("a", "b", "c"):
                asked = await client.ask("POST", "/session", {"Authorization": f"Bearer {guess}"})
                assert asked.status == 401
            asked = await client.ask("POST", "/session", {"Authorization": f"Bearer {TOKEN}"})
            assert asked.status == 429

    run(scenario())


def test_who_sends_too_much_is_cut_off() -> None:
    async def scenario() -> None:
        async with served() as (client, _):
            allowed = await client.ask("POST", "/echo", body=b"x" * LARGEST_BODY_BYTES)
            assert allowed.body == str(LARGEST_BODY_BYTES).encode()
            over = await client.ask("POST", "/echo", body=b"x" * (LARGEST_BODY_BYTES + 1))
            assert over.status == 413

    run(scenario())
