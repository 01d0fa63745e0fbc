"""Rooms of LiveKit and Daily: pipecat's own transports, on what their packages would be."""

import asyncio
import base64
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crossfade.audio.energy import sound_spans
from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.audio.resample import resample
from crossfade.emulators.http_exchange import HttpExchange, HttpRequest, HttpResponse
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost, SettingsError
from crossfade.pipelines.live_options import LiveSettings
from crossfade.pipelines.native_call import run_native
from crossfade.pipelines.recorded_call import Outcome
from crossfade.pipelines.settings import NativeSettings
from crossfade.transports import rooms
from crossfade.transports.rooms import RoomCaller, daily_room, livekit_room
from tests.clock import run
from tests.pipelines.serving import STORY, question, scripted

rtc = pytest.importorskip("livekit.rtc")
URL = "wss://rooms.example"
SILENT = "turns: [{on: speech, say: Hi.}]"
# The packages are older than the warnings of Python 3.12 and 3.13.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(rooms.LIVEKIT_KEY_VARIABLE, "APIplanted")
    monkeypatch.setenv(rooms.LIVEKIT_SECRET_VARIABLE, "planted-secret-of-the-server-0123456789")
    monkeypatch.setenv(rooms.DAILY_KEY_VARIABLE, "planted-daily-key")


class House:
    """Stands in for what `livekit.rtc` has of native code: one room, and one other person."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.handlers: dict[str, Callable[..., None]] = {}
        self.connected: list[tuple[str, str]] = []
        self.refuses = self.hangs = False
        self.stands = True
        self.sounded: list[bytes] = []
        self.said: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.person = SimpleNamespace(identity="ada", track_publications={})
        for name, made in {
            "Room": lambda loop: self,
            "AudioSource": lambda rate_hz, channels, queue_size_ms: self,
            "LocalAudioTrack": SimpleNamespace(create_audio_track=lambda name, source: None),
            "AudioStream": lambda track: self._stream(),
        }.items():
            monkeypatch.setattr(rtc, name, made)
        self.local_participant = SimpleNamespace(identity="agent", publish_track=self._published)
        self.remote_participants: dict[str, Any] = {}

    def on(self, event: str) -> Callable[[Callable[..., None]], None]:
        return lambda handler: self.handlers.__setitem__(event, handler)

    async def connect(self, url: str, token: str, options: Any) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.refuses:
            raise ConnectionError("no such server")
        self.connected.append((url, token))

    async def disconnect(self) -> None:
        """As the room's."""

    async def aclose(self) -> None:
        """As a source's, and a stream's."""

    def clear_queue(self) -> None:
        """As a source's."""

    async def _published(self, track: Any, options: Any) -> None:
        """As a participant's."""

    async def capture_frame(self, frame: Any) -> None:
        self.sounded.append(bytes(frame.data))
        await asyncio.sleep(frame.samples_per_channel / frame.sample_rate)

    async def comes(self) -> None:
        self.remote_participants["ada"] = self.person
        self.handlers["participant_connected"](self.person)
        track = SimpleNamespace(kind=rtc.TrackKind.KIND_AUDIO, sid="TR1")
        self.handlers["track_subscribed"](track, SimpleNamespace(sid="TR1"), self.person)

    async def goes(self) -> None:
        self.remote_participants.clear()
        self.handlers["participant_disconnected"](self.person)

    def closes(self) -> None:
        """The room is no more, for all of them."""
        self.stands = False
        self.handlers["disconnected"]()

    def _stream(self) -> Any:
        async def frames() -> AsyncIterator[Any]:
            silence = bytes(480 * SAMPLE_BYTES)
            waiting = b""
            while self.stands:
                while not self.said.empty():
                    waiting += self.said.get_nowait() or b""
                pcm, waiting = waiting[: len(silence)], waiting[len(silence) :]
                data = pcm.ljust(len(silence), b"\0")
                yield rtc.AudioFrameEvent(frame=rtc.AudioFrame(data, 48000, 1, 480))
                await asyncio.sleep(0.01)

        stream = frames()
        return stream


def claims(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_call_in_a_room_of_livekit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        house = House(monkeypatch)
        told: list[str] = []
        turns = f"turns:\n  - on: speech\n    say: {STORY}\n"
        async with OpenAIEmulator(scripted(tmp_path, turns)) as emulator:
            settings = NativeSettings(
                base_url=emulator.url,
                runs=tmp_path / "runs",
                live=LiveSettings(livekit=URL, room="lobby"),
            )
            task = asyncio.create_task(
                run_native(settings, announce=told.append, listener=lambda event: None)
            )
            await asyncio.sleep(2)
            ((url, token),) = house.connected
            assert url == URL
            granted = claims(token)["video"]
            assert (granted["room"], granted["roomJoin"], granted["agent"]) == ("lobby", True, True)
            assert not {"roomAdmin", "roomCreate", "roomRecord"} & set(granted)
            assert f"joining the room at {URL}" in told
            await house.comes()
            await asyncio.sleep(0.5)
            house.said.put_nowait(resample(question(), 16000, 48000))
            await asyncio.sleep(9)
            assert sound_spans(b"".join(house.sounded), 24000)
            await house.goes()
            async with asyncio.timeout(5):
                outcome = await task
        record = "".join(p.read_text() for p in outcome.folder.iterdir() if p.suffix != ".wav")
        assert STORY in record
        for secret in ("planted", token, token.split(".")[2]):
            assert secret not in record + "".join(told)

    run(scenario())


def test_a_room_that_cannot_be_joined_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        House(monkeypatch).refuses = True
        async with OpenAIEmulator(scripted(tmp_path, SILENT)) as emulator:
            settings = NativeSettings(
                base_url=emulator.url,
                runs=tmp_path / "runs",
                live=LiveSettings(livekit=URL, room="lobby"),
            )
            told: list[str] = []
            with pytest.raises(ConnectionLost, match="could not be joined") as lost:
                await run_native(settings, announce=told.append, listener=lambda event: None)
            assert "planted" not in str(lost.value)

    run(scenario())


def test_a_room_that_is_lost_ends_the_call_with_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        house = House(monkeypatch)
        async with OpenAIEmulator(scripted(tmp_path, SILENT)) as emulator:
            task = asyncio.create_task(_in_the_lobby(tmp_path, emulator))
            await asyncio.sleep(2)
            await house.comes()
            await asyncio.sleep(2)
            house.closes()
            async with asyncio.timeout(5):
                with pytest.raises(ConnectionLost, match="was lost"):
                    await task
            # The stream's task comes to the stream's end.
            await asyncio.sleep(0.1)
        assert list((tmp_path / "runs").glob("*/transcript.json"))

    run(scenario())


@pytest.mark.parametrize("joins", [True, False])
def test_ctrl_c_ends_the_call_joined_or_not(
    joins: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        house = House(monkeypatch)
        house.hangs = not joins
        async with OpenAIEmulator(scripted(tmp_path, SILENT)) as emulator:
            task = asyncio.create_task(_in_the_lobby(tmp_path, emulator))
            await asyncio.sleep(3)
            os.kill(os.getpid(), signal.SIGINT)
            async with asyncio.timeout(5):
                await task

    run(scenario())


async def _in_the_lobby(folder: Path, emulator: OpenAIEmulator) -> Outcome:
    settings = NativeSettings(
        base_url=emulator.url,
        runs=folder / "runs",
        live=LiveSettings(livekit=URL, room="lobby"),
    )
    return await run_native(settings, announce=lambda line: None, listener=lambda event: None)


class Bell:
    """A room's events, as pipecat's transports register them."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def event_handler(self, name: str) -> Any:
        return lambda handler: self.handlers.setdefault(name, handler)

    async def ring(self, name: str, *told: Any) -> None:
        await self.handlers[name](self, *told)


def test_the_call_lasts_until_the_last_other_one_has_left() -> None:
    async def scenario() -> None:
        bell = Bell()
        caller = RoomCaller(bell, "livekit", URL)
        over = asyncio.create_task(caller.hung_up())
        events = "on_connected on_client_connected on_client_connected on_client_disconnected"
        for name in events.split():
            await bell.ring(name)
            await asyncio.sleep(60)
            assert not over.done()
        await bell.ring("on_client_disconnected")
        await over
        assert caller.failure is None

    run(scenario())


@pytest.mark.parametrize(
    ("events", "lost"),
    [
        ("on_call_state_updated:joined", False),
        ("on_call_state_updated:left", True),
        # The agent leaves by itself, such as because its budget is used up.
        ("on_before_leave on_call_state_updated:left", False),
    ],
)
def test_a_room_of_daily_that_is_lost_is_told_from_one_that_was_left(
    events: str, lost: bool
) -> None:
    async def scenario() -> None:
        bell = Bell()
        caller = RoomCaller(bell, "daily", URL)
        over = asyncio.create_task(caller.hung_up())
        await bell.ring("on_connected", {})
        for event in events.split():
            name, _, state = event.partition(":")
            await bell.ring(name, *([state] if state else []))
        await asyncio.sleep(1)
        assert over.done() == lost
        assert (caller.failure is not None) == lost
        over.cancel()

    run(scenario())


class Daily:
    """The REST API that gives tokens, for one room."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def respond(self, request: HttpRequest) -> HttpResponse:
        properties = json.loads(request.body)["properties"]
        self.asked.append((request.headers["authorization"], properties))
        if request.path != "/v1/meeting-tokens" or properties["room_name"] != "lobby":
            return HttpResponse(status=400, body={"error": "invalid-request-error"})
        return HttpResponse(body={"token": "a-token"})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange, answer = HttpExchange(self), None
        while answer is None and (data := await reader.read(65536)):
            answer = exchange.receive(data)
        writer.write(answer or b"")
        await writer.drain()
        writer.close()


def test_a_room_of_daily_is_joined_with_a_token_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = pytest.importorskip("pipecat.transports.daily.transport")
    made: list[tuple[Any, ...]] = []

    def room(*given: Any) -> Any:
        made.append(given)
        return object()

    monkeypatch.setattr(transport, "DailyTransport", room)

    async def scenario() -> None:
        daily = Daily()
        async with await asyncio.start_server(daily.serve, "127.0.0.1", 0) as server:
            api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            await daily_room("https://lakeside.daily.co/lobby", api_url=api)
            with pytest.raises(ConnectionLost, match="gives no token") as lost:
                await daily_room("https://lakeside.daily.co/nowhere", api_url=api)
        ((login, properties), _) = daily.asked
        assert login == "Bearer planted-daily-key"
        assert (properties["room_name"], properties["is_owner"]) == ("lobby", False)
        assert properties["exp"] > time.time()
        ((url, token, name, params),) = made
        assert (url, token, name) == ("https://lakeside.daily.co/lobby", "a-token", rooms.AGENT)
        assert params.audio_in_enabled
        assert params.audio_out_enabled
        assert "planted" not in str(lost.value)
        assert lost.value.__cause__ is None

    run(scenario())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://rooms.example",
        "wss://",
        "wss://u:planted@x",
        "wss://planted@x",
        "wss://x?token=planted",
    ],
)
def test_an_address_with_a_secret_or_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="address of a room's server") as refused:
        livekit_room(url, "lobby")
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize("variable", [rooms.LIVEKIT_KEY_VARIABLE, rooms.LIVEKIT_SECRET_VARIABLE])
def test_a_key_that_is_missing_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(SettingsError, match=variable):
        livekit_room(URL, "lobby")
