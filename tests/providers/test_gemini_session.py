"""A session with a Gemini of this machine."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration
from crossfade.errors import ConnectionLost, CredentialsRefused, ProviderFault, SettingsError
from crossfade.providers import Delivery, RealtimeSession, SessionConfig, connect
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    ResponseDone,
    ResponseStatus,
    SessionExpiring,
    SessionOpened,
)
from crossfade.providers.gemini_errors import HANDLE
from tests.clock import run
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
    *,
    resume: str | None = None,
    connection: type[ServerConnection] = ServerConnection,
) -> AsyncIterator[RealtimeSession]:
    """A session, not open yet, with a service that does what the script says."""
    failures: list[Exception] = []

    async def handle(websocket: ServerConnection) -> None:
        try:
            await script(Service(websocket))
            await websocket.wait_closed()
        except Exception as error:
            failures.append(error)

    async with serve(
        handle,
        "127.0.0.1",
        0,
        compression=None,
        ping_interval=None,
        create_connection=connection,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield connect(
            "gemini:gemini-3.8-live",
            config,
            base_url=f"ws://127.0.0.1:{port}/live",
            api_key=KEY,
            history=history,
            resume=resume,
            continuity=None,
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
        await service.send(call("depth", ids=("a",)), GENERATED, COMPLETE)
        (result,) = (await service.next())["toolResponse"]["functionResponses"]
        assert (result["id"], result["response"]) == ("a", {"output": 217})
        assert result["scheduling"] == "INTERRUPT"
        await service.send(sound(), INTERRUPTED, COMPLETE)

    async def test() -> None:
        config = SessionConfig(tools=[ToolDeclaration(name="depth", description="d")])
        async with gemini(script, config) as session, session:
            await session.send_text("How deep?")
            calling = await until_done(session)
            assert [e.name for e in calling if isinstance(e, ToolCall)] == ["depth"]
            await session.send_tool_response("a", 217, delivery=Delivery.INTERRUPT)
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


@pytest.mark.parametrize("at_s", [500.0, 550.0])
def test_the_providers_word_on_the_end_is_the_last_one(at_s: float) -> None:
    async def script(service: Service) -> None:
        await service.accept()
        await asyncio.sleep(at_s)
        await service.send({"goAway": {"timeLeft": "50s"}})
        await asyncio.sleep(600 - at_s)

    told: list[tuple[float, float | None]] = []

    async def listen(session: RealtimeSession) -> NoReturn:
        began_s = asyncio.get_running_loop().time()
        while True:
            event = await anext(session)
            if isinstance(event, SessionExpiring):
                told.append((round(asyncio.get_running_loop().time() - began_s), event.in_s))

    async def test() -> None:
        async with gemini(script) as session, session:
            with pytest.raises(ConnectionLost):
                await listen(session)

    run(test())
    assert told == ([(at_s, 50)] if at_s < 540 else [(540, 60), (at_s, 50)])


def test_audio_that_waited_too_long_for_a_tool_is_counted() -> None:
    async def script(service: Service) -> None:
        await service.accept()
        await service.send(call("depth", ids=("a",)))
        await service.websocket.wait_closed()

    async def test() -> None:
        tool = ToolDeclaration(name="depth", description="d", blocking=True)
        async with gemini(script, SessionConfig(tools=[tool])) as session, session:
            await until_done(session)
            for _ in range(90):
                await session.send_audio(bytes(32000))
            assert session.statistics().dropped_audio_ms == 30_000

    run(test())


def test_a_session_is_taken_up_by_its_handle() -> None:
    async def script(service: Service) -> None:
        setup = await service.accept()
        assert setup["setup"]["sessionResumption"] == {"handle": "handle-1"}
        assert "historyConfig" not in setup["setup"]
        assert await service.next() == {"realtimeInput": {"text": "Go on."}}
        await service.send(sound(), GENERATED, COMPLETE)

    async def test() -> None:
        history = (Utterance(speaker=Speaker.AGENT, text="Welcome."),)
        async with gemini(script, history=history, resume="handle-1") as session, session:
            await session.send_text("Go on.")
            assert await until_done(session)

    run(test())


def test_a_handle_that_is_dead_says_so() -> None:
    async def script(service: Service) -> None:
        await service.next()
        await service.websocket.close(1008, "BidiGenerateContent session not found")

    async def test() -> None:
        async with gemini(script, resume="handle-1") as session:
            with pytest.raises(ConnectionLost, match="session not found") as lost:
                await session.open()
            assert lost.value.code == HANDLE

    run(test())


class Pongs(ServerConnection):
    """Answers a ping after half a minute."""

    after_s: float | None = 30.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._send_frame = self.protocol.send_frame
        self.protocol.send_frame = self._hold_pongs  # type: ignore[method-assign]

    def _hold_pongs(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.PONG:
            self._send_frame(frame)
        elif self.after_s is not None:
            self.loop.call_later(self.after_s, self._pong, frame)

    def _pong(self, frame: Frame) -> None:
        if self.state is State.OPEN:
            self._send_frame(frame)
            self.send_data()


class NoPongs(Pongs):
    after_s = None


async def until_asked(service: Service) -> None:
    while "text" not in (await service.next())["realtimeInput"]:
        pass


def test_pongs_may_take_half_a_minute() -> None:
    async def script(service: Service) -> None:
        await service.accept()
        await until_asked(service)
        await service.send(sound(), GENERATED, COMPLETE)

    async def test() -> None:
        async with gemini(script, connection=Pongs) as session, session:
            await asyncio.sleep(300)
            await session.send_text("Still there?")
            assert await until_done(session)

    run(test())


def test_a_line_on_which_nothing_comes_back_is_lost() -> None:
    async def script(service: Service) -> None:
        await service.accept()
        with suppress(ConnectionClosed):
            await until_asked(service)

    async def test() -> None:
        async with gemini(script, connection=NoPongs) as session, session:
            assert isinstance(await anext(session), SessionOpened)
            begun_s = asyncio.get_running_loop().time()
            with pytest.raises(ConnectionLost):
                await anext(session)
            assert asyncio.get_running_loop().time() - begun_s < 85

    run(test())


def test_the_key_is_taken_from_either_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="GOOGLE_API_KEY or GEMINI_API_KEY"):
        connect("gemini:")
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    assert connect("gemini:").profile.model == "gemini-3.8-live"
