"""What a connection does for wires that are not like OpenAI's."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import pytest
from websockets.asyncio.server import ServerConnection, serve

from crossfade.conversation.history import HistoryItem
from crossfade.errors import CredentialsRefused, ProviderFault
from crossfade.providers.commands import Command
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import Event, ProviderError, SessionOpened
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import ConnectRequest, WireProtocol
from tests.clock import run
from tests.providers.one_line import session_of


class BytesWire:
    """A wire in binary frames: the server greets, we answer, then it opens. It needs no key."""

    text_frames: ClassVar[bool] = False
    keepalive_s: ClassVar[float | None] = 30.0

    def __init__(self) -> None:
        self.key_variables: Sequence[str] = ()
        self.model = "bytes"
        self.profile = Profile(
            model="bytes", input_rate_hz=8000, output_rate_hz=8000, server_vad=True
        )
        self.config = SessionConfig()
        self.waiting = b""
        self.due: list[bytes] = []

    @property
    def dropped_audio_ms(self) -> float:
        return 0.0

    def preparation(self) -> None:
        return None

    def connect_request(self, base_url: str | None, api_key: str) -> ConnectRequest:
        assert base_url is not None
        return ConnectRequest(url=base_url, headers={}, ping_interval_s=None)

    def start(self, config: SessionConfig, *, seeded: bool = False) -> list[bytes]:
        return []

    def seed(self, history: Sequence[HistoryItem]) -> list[bytes]:
        return []

    def append_audio(self, pcm: bytes) -> bytes:
        self.waiting += pcm
        if len(self.waiting) < 4:
            return b""
        message, self.waiting = b"\x01" + self.waiting, b""
        return message

    def send(self, command: Command) -> list[bytes]:
        return []

    def receive(self, message: str | bytes) -> list[Event]:
        if message == b"\x00":
            self.due.append(b"\x00hello")
        if message == b"\x02":
            return [SessionOpened(session_id="s", model="bytes")]
        return []

    def replies(self) -> list[bytes]:
        due, self.due = self.due, []
        return due

    def ended(self) -> list[Event]:
        return []

    def keepalive(self) -> list[bytes]:
        return [b"\x06"]

    def closed(self, close_code: int, reason: str) -> ProviderError | None:
        return None

    def fault(self, error: ProviderError) -> ProviderFault:
        return CredentialsRefused(error.message)


def serve_bytes(seconds: float, send: Sequence[bytes] = ()) -> list[str | bytes]:
    """What a server hears of a session that sends this audio and then waits so long."""
    heard: list[str | bytes] = []

    async def handle(websocket: ServerConnection) -> None:
        await websocket.send(b"\x00")
        heard.append(await websocket.recv())
        await websocket.send(b"\x02")
        heard.extend([message async for message in websocket])

    async def main() -> None:
        async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            protocol: WireProtocol = BytesWire()
            url = f"ws://127.0.0.1:{port}/"
            async with session_of(protocol, SessionConfig(), api_key="", base_url=url) as session:
                for audio in send:
                    await session.send_audio(audio)
                await asyncio.sleep(seconds)

    run(main())
    return heard


def test_a_handshake_of_several_steps_in_binary_frames() -> None:
    assert serve_bytes(1) == [b"\x00hello"]


def test_audio_may_wait_for_more() -> None:
    assert serve_bytes(1, [b"\x01\x00", b"\x02\x00", b"\x03\x00"]) == [
        b"\x00hello",
        b"\x01\x01\x00\x02\x00",
    ]


@pytest.mark.parametrize(("seconds", "times"), [(29, 0), (31, 1), (95, 3)])
def test_an_idle_line_is_kept_open(seconds: float, times: int) -> None:
    assert serve_bytes(seconds) == [b"\x00hello", *[b"\x06"] * times]
