"""A session with a Gemini of this machine."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration
from crossfade.errors import ConnectionLost, CredentialsRefused, ProviderFault, SettingsError
from crossfade.providers import RealtimeSession, SessionConfig, connect
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    ResponseDone,
    ResponseStatus,
    SessionExpiring,
    SessionOpened,
)
from tests.providers.gemini_messages import (
    COMPLETE,
    GENERATED,
    INTERRUPTED,
    OPENED,
    Message,
    call,
    sound,
    words,
)

KEY = "AIzaHeron"
Script = Callable[["Service"], Awaitable[None]]


class Service:
    """Gemini's end of one connection."""

    def __init__(self, websocket: ServerConnection) -> None:
        self.websocket = websocket

    async def send(self, *messages: Message) -> None:
        for message in messages:
            await self.websocket.send(orjson.dumps(message))

    async def next(self) -> Message:
        message: Message = orjson.loads(await self.websocket.recv())
        return message

    async def accept(self) -> Message:
        setup = await self.next()
        await self.send(OPENED)
        return setup


@asynccontextmanager
async def gemini(
    script: Script,
    config: SessionConfig | None = None,
    history: tuple[Utterance, ...] = (),
) -> AsyncIterator[RealtimeSession]:
    """A session, not open yet, with a service that does what the script says."""
    failures: list[Exception] = []

    async def handle(websocket: ServerConnection) -> None:
        try:
            await script(Service(websocket))
            await websocket.wait_closed()
        except Exception as error:
            failures.append(error)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield connect(
            "gemini:gemini-3.8-live",
            config,
            base_url=f"ws://127.0.0.1:{port}/live",
            api_key=KEY,
            history=history,
        )
    if failures:
        raise failures[0]


async def until_done(session: RealtimeSession) -> list[Event]:
    events: list[Event] = []
    async for event in session:
        events.append(event)
        if isinstance(event, ResponseDone):
            break
    return events


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 10))


def test_text_is_answered_in_sound_of_any_size() -> None:
    pcm = bytes(1_500_000)

    async def script(service: Service) -> None:
        request = service.websocket.request
        assert request is not None
        assert request.headers["x-goog-api-key"] == KEY
        assert KEY not in request.path
        await service.accept()
        assert await service.next() == {"realtimeInput": {"text": "Hello"}}
        await service.send(words("Hi."), sound(pcm), GENERATED, COMPLETE)

    async def test() -> None:
        async with gemini(script) as session, session:
            await session.send_text("Hello")
            opened, *events = await until_done(session)
            assert isinstance(opened, SessionOpened)
            assert [e.pcm for e in events if isinstance(e, AudioChunk)] == [pcm]

    run(test())


def test_the_history_goes_first_and_only_when_the_session_is_open() -> None:
    async def script(service: Service) -> None:
        setup = await service.next()
        assert setup["setup"]["historyConfig"] == {"initialHistoryInClientContent": True}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(service.next(), 0.05)
        await service.send(OPENED)
        assert list(await service.next()) == ["clientContent"]
        audio = await service.next()
        assert base64.b64decode(audio["realtimeInput"]["audio"]["data"]) == bytes(640)
        await service.send(sound(), GENERATED, COMPLETE)

    async def test() -> None:
        history = (Utterance(speaker=Speaker.AGENT, text="Welcome."),)
        async with gemini(script, history=history) as session, session:
            await session.send_audio(bytes(640))
            assert await until_done(session)

    run(test())


def test_a_tool_round_and_an_interruption() -> None:
    async def script(service: Service) -> None:
        await service.accept()
        await service.next()
        await service.send(call("depth", ids=("a",)))
        (result,) = (await service.next())["toolResponse"]["functionResponses"]
        assert (result["id"], result["response"]) == ("a", {"output": 217})
        await service.send(sound(), INTERRUPTED, COMPLETE)

    async def test() -> None:
        config = SessionConfig(tools=[ToolDeclaration(name="depth", description="d")])
        async with gemini(script, config) as session, session:
            await session.send_text("How deep?")
            calling = await until_done(session)
            assert [e.name for e in calling if isinstance(e, ToolCall)] == ["depth"]
            await session.send_tool_response("a", 217)
            await session.respond()
            *events, done = await until_done(session)
            assert any(isinstance(event, Interruption) for event in events)
            assert isinstance(done, ResponseDone)
            assert done.status is ResponseStatus.INTERRUPTED

    run(test())


@pytest.mark.parametrize(
    ("code", "reason", "error", "part"),
    [
        (
            1007,
            "API key not valid. Please pass a valid API key.",
            CredentialsRefused,
            "GOOGLE_API_KEY",
        ),
        (1008, "models/x is not found for API version v1beta", ProviderFault, "does not serve"),
        (1007, "Request contains an invalid argument.", ProviderFault, "configuration"),
        (1011, "The service is currently unavailable.", ConnectionLost, "unavailable"),
    ],
)
def test_a_refused_session_says_why(
    code: int, reason: str, error: type[Exception], part: str
) -> None:
    async def script(service: Service) -> None:
        await service.next()
        await service.websocket.close(code, reason)

    async def test() -> None:
        async with gemini(script) as session:
            with pytest.raises(error, match=part) as raised:
                await session.open()
            assert KEY not in str(raised.value)

    run(test())


def test_the_end_is_announced_and_then_told() -> None:
    async def script(service: Service) -> None:
        await service.accept()
        await service.send({"goAway": {"timeLeft": "9.5s"}})
        await service.websocket.close(1008, "The operation was aborted")

    async def test() -> None:
        async with gemini(script) as session, session:
            assert isinstance(await anext(session), SessionOpened)
            assert await anext(session) == SessionExpiring(in_s=9.5)
            with pytest.raises(ConnectionLost, match="aborted"):
                await anext(session)

    run(test())


def test_the_key_is_taken_from_either_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="GOOGLE_API_KEY or GEMINI_API_KEY"):
        connect("gemini:")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    assert connect("gemini:").profile.model == "gemini-3.8-live"
