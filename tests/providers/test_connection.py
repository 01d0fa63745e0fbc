"""How connecting fails, and what a slow or silent peer does."""

import asyncio
import socket
import traceback

import orjson
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import (
    ConnectionLost,
    CredentialsRefused,
    CrossfadeError,
    ProviderFault,
    SettingsError,
)
from crossfade.providers import RealtimeSession, connect
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.events import (
    Event,
    ProviderError,
    ResponseStarted,
    SessionOpened,
    UserTranscript,
)
from crossfade.providers.tap import WireDirection
from tests.clock import run
from tests.providers.loopback import Peer, Script, loopback, settle
from tests.providers.openai_messages import Message, committed, created, error, transcribed

SPEC = "openai:gpt-realtime-2.1"


async def opening(url: str, config: SessionConfig | None = None) -> CrossfadeError:
    """What opening a session fails with."""
    with pytest.raises(CrossfadeError) as caught:
        await connect(SPEC, config, base_url=url, continuity=None, api_key="secret-key").open()
    assert "secret" not in str(caught.value)
    return caught.value


def opening_with(script: Script) -> CrossfadeError:
    async def main() -> CrossfadeError:
        async with loopback(script) as url:
            return await opening(url)

    return run(main())


def test_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        failure = run(opening(f"ws://user:secret@127.0.0.1:{port}/?key=secret"))
    assert isinstance(failure, ConnectionLost)
    assert f"127.0.0.1:{port}" in str(failure)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror("unknown"), ConnectionLost),
        (UnicodeError("label too long"), SettingsError),
    ],
)
def test_a_host_that_is_not_found(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[CrossfadeError]
) -> None:
    def look_up(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    failure = run(opening("ws://nowhere.example/"))
    assert type(failure) is kind
    assert "nowhere.example:80" in str(failure)


async def answer_with(text: bytes, scheme: str = "ws") -> CrossfadeError:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(text)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await opening(f"{scheme}://127.0.0.1:{port}/v1/realtime")


def test_a_peer_that_speaks_no_websocket() -> None:
    failure = run(answer_with(b"220 mail ready\r\n"))
    assert isinstance(failure, ConnectionLost)
    assert "does not speak WebSocket" in str(failure)


def test_a_peer_that_speaks_no_tls() -> None:
    failure = run(answer_with(b"HTTP/1.1 400 Bad Request\r\n\r\n", scheme="wss"))
    assert isinstance(failure, ConnectionLost)
    assert "secure" in str(failure)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, CredentialsRefused),
        (403, CredentialsRefused),
        (404, ProviderFault),
        (503, ProviderFault),
    ],
)
def test_a_refused_upgrade(status: int, kind: type[CrossfadeError]) -> None:
    def gate(websocket: ServerConnection, request: Request) -> Response:
        return Response(status, "No", Headers())

    async def script(peer: Peer) -> None:
        raise AssertionError("not reached")

    async def main() -> CrossfadeError:
        async with loopback(script, gate) as url:
            return await opening(url)

    failure = run(main())
    assert type(failure) is kind
    assert f"HTTP {status}" in str(failure)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()
    await writer.wait_closed()


def test_a_redirect_is_not_followed() -> None:
    elsewhere: list[str] = []

    def redirect(websocket: ServerConnection, request: Request) -> Response:
        elsewhere.append(request.path)
        location = Headers({"Location": "/elsewhere", "Content-Length": "0"})
        return Response(302, "Found", location, b"")

    async def main() -> CrossfadeError:
        async with loopback(Peer.accept, gate=redirect) as url:
            return await opening(url)

    failure = run(main())
    assert isinstance(failure, ProviderFault)
    assert failure.code == "302"
    assert elsewhere == ["/v1/realtime?model=gpt-realtime-2.1"]


def test_a_peer_that_never_answers_the_handshake() -> None:
    async def main() -> CrossfadeError:
        async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            failure = await opening(f"ws://127.0.0.1:{port}/")
            await settle()
            return failure

    failure = run(main())
    assert isinstance(failure, ConnectionLost)
    assert "within 10 s" in str(failure)


def test_a_peer_that_never_opens_the_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.expect("session.update")
        await peer.until_closed()

    failure = opening_with(script)
    assert isinstance(failure, ConnectionLost)
    assert "no session began" in str(failure)


def test_a_refused_model_is_named() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(error("invalid_model", "Model is not supported in realtime mode."))
        await peer.websocket.close(4000, "invalid_request_error.invalid_model")

    failure = opening_with(script)
    assert type(failure) is ProviderFault
    assert '"gpt-realtime-2.1"' in str(failure)


@pytest.mark.parametrize(
    ("close_code", "kind"),
    [(3000, CredentialsRefused), (4000, ProviderFault), (4004, ProviderFault)],
)
def test_a_close_that_says_why_by_its_code_alone(
    close_code: int, kind: type[CrossfadeError]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.websocket.close(close_code)

    assert type(opening_with(script)) is kind


def test_a_traceback_holds_no_key_that_the_close_reason_quotes() -> None:
    async def script(peer: Peer) -> None:
        await peer.websocket.close(3000, "the key secret-key is wrong")

    failure = opening_with(script)
    assert "the key secret" not in "".join(traceback.format_exception(failure))


@pytest.mark.parametrize(
    "url", ["ws://user@host/?key=planted#fragment", "ws://pass word@host/?key=planted"]
)
def test_a_traceback_holds_nothing_of_the_address(url: str) -> None:
    try:
        failure: BaseException = run(opening(url))
    except CrossfadeError as refused:
        failure = refused
    assert "planted" not in "".join(traceback.format_exception(failure))


def test_a_refused_configuration() -> None:
    async def script(peer: Peer) -> None:
        await peer.expect("session.update")
        await peer.send(error("invalid_value", "Invalid value: 'growl'."))
        await peer.until_closed()

    failure = opening_with(script)
    assert type(failure) is ProviderFault
    assert "growl" in str(failure)


def test_a_session_that_expires_while_it_opens() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(error("session_expired"))
        await peer.websocket.close(1001)

    assert isinstance(opening_with(script), ConnectionLost)


def test_a_configuration_that_json_cannot_say_is_refused_before_dialling() -> None:
    tool = ToolDeclaration(name="t", description="", parameters={"type": object()})
    failure = run(opening("ws://127.0.0.1:1/", SessionConfig(tools=[tool])))
    assert isinstance(failure, SettingsError)


def test_a_peer_that_stops_reading_loses_old_audio_and_no_text() -> None:
    reads_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        await reads_on.wait()
        await peer.expect("conversation.item.create")
        # The text has overtaken the audio that still waited.
        later = [await peer.expect("input_audio_buffer.append") for _ in range(10)]
        assert len(later) == 10

    async def use(session: RealtimeSession) -> None:
        for _ in range(300):
            session.send_audio_nowait(bytes(48_000))
            await asyncio.sleep(0)
        await session.send_text("Still here?", respond=False)
        statistics = session.statistics()
        assert statistics.dropped_audio_ms >= 100_000
        assert statistics.waiting_audio_ms == 10_000
        assert statistics.waiting_messages == 11
        reads_on.set()
        await settle()
        assert session.statistics().waiting_messages == 0

    async def main() -> None:
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key") as session,
        ):
            await use(session)

    run(main())


async def flood(session: RealtimeSession) -> None:
    for _ in range(10_000):
        await session.send_text("x" * 3_000, respond=False)


def test_a_peer_that_reads_no_requests_is_lost() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.websocket.transport.pause_reading()
        await asyncio.sleep(60)
        peer.websocket.transport.abort()

    async def main() -> None:
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key") as session,
        ):
            await anext(session)
            await settle()
            with pytest.raises(ConnectionLost, match="stopped reading") as caught:
                await flood(session)
            assert caught.value.close_code == 1006
            with pytest.raises(ConnectionLost, match="stopped reading"):
                await anext(session)

    run(main())


def test_a_caller_who_asks_much_at_once_is_not_refused_while_the_peer_reads() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        for _ in range(10_000):
            await peer.expect("conversation.item.create")
        await peer.websocket.close(1000)

    async def main() -> None:
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key") as session,
        ):
            for _ in range(10_000):
                await session.send_text("x", respond=False)
            await settle()

    run(main())


def test_a_turn_of_scraps_and_much_after_it_is_sent_whole() -> None:
    """Audio that waits before the end of a turn takes no room from requests."""
    reads_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.accept()
        peer.websocket.transport.pause_reading()
        await reads_on.wait()
        peer.websocket.transport.resume_reading()
        await peer.expect("input_audio_buffer.commit")
        for _ in range(100):
            await peer.expect("conversation.item.create")

    async def main() -> None:
        config = SessionConfig(turn_detection=TurnDetection.CALLER)
        async with (
            loopback(script) as url,
            connect(SPEC, config, base_url=url, continuity=None, api_key="key") as session,
        ):
            await settle()
            await session.start_turn()
            while not session.statistics().dropped_audio_ms:
                await session.send_audio(bytes(48))
            assert session.statistics().waiting_messages > 9_000
            await session.end_turn()
            for _ in range(100):
                await session.send_text("x", respond=False)
            reads_on.set()
            await settle()
            assert session.statistics().waiting_messages == 0

    run(main())


def test_a_tap_that_fails_is_not_silent() -> None:
    class Tap:
        armed = False

        def message(self, direction: WireDirection, message: str | bytes) -> None:
            if direction is WireDirection.SENT and self.armed:
                raise RuntimeError("tap")

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.until_closed()

    async def main() -> None:
        tap = Tap()
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key", tap=tap) as session,
        ):
            await anext(session)
            tap.armed = True
            await session.send_text("x")
            await settle()
            with pytest.raises(RuntimeError, match="tap"):
                await anext(session)

    run(main())


@pytest.mark.parametrize(
    "first", ["<html>", error("rate_limit_exceeded", "slow down"), {"type": "response.done"}]
)
def test_what_is_no_refusal_does_not_end_the_opening(first: str | Message) -> None:
    async def script(peer: Peer) -> None:
        await peer.websocket.send(first if isinstance(first, str) else orjson.dumps(first).decode())
        await peer.accept()
        await peer.until_closed()

    async def main() -> list[Event]:
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key") as session,
        ):
            return [await anext(session) for _ in range(2)]

    reported, opened = run(main())
    assert isinstance(reported, ProviderError)
    assert isinstance(opened, SessionOpened)


@pytest.mark.parametrize("hangs_up", [True, False])
def test_an_opening_that_fails_tells_what_was_said_last(hangs_up: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(error("rate_limit_exceeded", "slow down"))
        if not hangs_up:
            await peer.until_closed()

    failure = opening_with(script)
    assert isinstance(failure, ConnectionLost)
    assert "slow down" in str(failure)
    assert failure.code == "rate_limit_exceeded"


def test_requests_on_a_dead_line_are_told_how_it_died() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(created())
        await peer.websocket.close(1001, "Going away.")

    async def main() -> None:
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key") as session,
        ):
            await settle()
            with pytest.raises(ConnectionLost, match="Going away") as caught:
                await flood(session)
            assert caught.value.close_code == 1001
            kinds = [type(await anext(session)) for _ in range(2)]
            assert kinds == [SessionOpened, ResponseStarted], "what had come is not lost"
            with pytest.raises(ConnectionLost, match="Going away"):
                await anext(session)

    run(main())


@pytest.mark.parametrize("close", [True, False])
def test_a_close_code_is_a_plain_number(close: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        if close:
            await peer.websocket.close(1001)
        peer.websocket.transport.abort()

    async def main() -> ConnectionLost:
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key") as session,
        ):
            with pytest.raises(ConnectionLost) as caught:
                async for _ in session:
                    pass
            return caught.value

    lost = run(main())
    assert type(lost.close_code) is int
    assert lost.close_code == (1001 if close else 1006)


def test_words_that_wait_for_others_are_told_before_the_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(committed("u1"), committed("u2", "u1"), transcribed("Second.", "u2"))

    async def main() -> Event:
        async with (
            loopback(script) as url,
            connect(SPEC, base_url=url, continuity=None, api_key="key") as session,
        ):
            *_, last = [await anext(session) for _ in range(4)]
            with pytest.raises(ConnectionLost):
                await anext(session)
            return last

    assert run(main()) == UserTranscript(item_id="u2", text="Second.", final=True)
