"""The wire of Moshi: binary frames whose first byte says what they are.

Source: https://github.com/kyutai-labs/moshi, rust/protocol.md. The server hears and speaks at the
same time, one frame for one frame: it goes on only while audio is sent to it, silence included.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

from crossfade.conversation.history import HistoryItem
from crossfade.errors import ProviderFault, SettingsError
from crossfade.providers.commands import Command, Interrupt
from crossfade.providers.config import SessionConfig
from crossfade.providers.duplex_turns import DuplexTurns, Gate
from crossfade.providers.events import Event, ProviderError, SessionOpened, Severity
from crossfade.providers.malformed import malformed
from crossfade.providers.moshi_codec import RATE_HZ, Codec, opus_codec
from crossfade.providers.moshi_words import Words
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import ConnectRequest
from crossfade.providers.session_ids import session_mark

MOSHI_DEFAULT_MODEL = "moshi"
MOSHI_PROFILE = Profile(
    model=MOSHI_DEFAULT_MODEL,
    input_rate_hz=RATE_HZ,
    output_rate_hz=RATE_HZ,
    # 4500 steps of 80 ms.
    session_limit_s=360.0,
    # It takes its turns by itself, but does not tell where the user's are.
    server_vad=True,
    speech_events=False,
    caller_turns=False,
    full_duplex=True,
    parallel_sessions=False,
    text_input=False,
    instructions=False,
    user_transcripts=False,
    max_output_tokens=False,
    keep_context=False,
    usage=False,
)

_URL = "ws://localhost:8998/api/chat"
_FRAME_BYTES = 1920 * 2
_LARGEST_TEXT_BYTES = 4096
_LARGEST_ERROR_BYTES = 500
_PROTOCOL_VERSION = 0


class _Kind(IntEnum):
    HANDSHAKE = 0
    AUDIO = 1
    TEXT = 2
    CONTROL = 3
    METADATA = 4
    ERROR = 5
    PING = 6


class MoshiProtocol:
    """One session with a Moshi server. Implements `WireProtocol`.

    Nothing is sent before the server's handshake, which comes when it is free: it serves one
    session at a time.

    Args:
        model: What the model shall be called; the wire names none.
        codec: What encodes and decodes the sound; Ogg/Opus if not given.
        gate: What sound of the model counts as speech.
        randomness: Source of the mark in the ids of this session.

    Raises:
        SettingsError: The package for Ogg/Opus is missing.
    """

    text_frames: ClassVar[bool] = False
    keepalive_s: ClassVar[float | None] = None

    def __init__(
        self,
        model: str = MOSHI_DEFAULT_MODEL,
        *,
        codec: Codec | None = None,
        gate: Gate | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        self._profile = replace(MOSHI_PROFILE, model=model)
        self._codec = codec or opus_codec()
        mark = session_mark(randomness or random.Random())
        self._turns = DuplexTurns(RATE_HZ, gate, mark=mark)
        self._words = Words()
        self._config = SessionConfig()
        self._open = False
        self._primer_due = False
        self._user_rest = b""

    @property
    def key_variables(self) -> Sequence[str]:
        return ()

    @property
    def model(self) -> str:
        return self._profile.model

    @property
    def profile(self) -> Profile:
        return self._profile

    @property
    def config(self) -> SessionConfig:
        return self._config

    @property
    def dropped_audio_ms(self) -> float:
        return 0.0

    def preparation(self) -> None:
        return None

    def connect_request(self, base_url: str | None, api_key: str) -> ConnectRequest:
        # The query holds the sampling parameters of the Rust server.
        return ConnectRequest(
            url=urlunsplit(urlsplit(base_url or _URL)._replace(fragment="")),
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        )

    def start(self, config: SessionConfig, *, seeded: bool = False) -> list[bytes]:
        # No flag of the profile speaks of the voice.
        if config.voice is not None:
            raise SettingsError("Moshi has one voice. Leave it out of the configuration.")
        self._config = config
        return []

    def seed(self, history: Sequence[HistoryItem]) -> list[bytes]:
        # It hears and speaks; nothing can be told to it.
        return []

    def append_audio(self, pcm: bytes) -> bytes:
        heard = self._user_rest + pcm
        whole = len(heard) - len(heard) % _FRAME_BYTES
        self._user_rest = heard[whole:]
        return self._audio(heard[:whole]) if whole else b""

    def send(self, command: Command) -> list[bytes]:
        if not isinstance(command, Interrupt):
            raise SettingsError(
                f"{self.model} hears sound and nothing else: no text, no images, no tools, no "
                "requests, no changes. See its profile."
            )
        # The wire has no word for it: the model hears the user, we drop the rest.
        self._turns.cut()
        return []

    def receive(self, message: str | bytes) -> list[Event]:
        if isinstance(message, str) or not message:
            return [malformed("a message that is no binary frame")]
        kind, content = message[0], message[1:]
        if kind == _Kind.HANDSHAKE:
            return self._on_handshake(content)
        if kind == _Kind.ERROR:
            return [_error(content, opened=self._open)]
        if self._open and kind == _Kind.AUDIO:
            return self._on_audio(content)
        if self._open and kind == _Kind.TEXT:
            return self._on_text(content)
        return []

    def replies(self) -> list[bytes]:
        if not self._primer_due:
            return []
        self._primer_due = False
        # The first frame is not listened to, and opens the Ogg stream: no word may be in it,
        # and it must not be dropped where audio waits too long.
        return [self._audio(bytes(_FRAME_BYTES))]

    def ended(self) -> list[Event]:
        return []

    def keepalive(self) -> list[bytes]:
        return []

    def closed(self, close_code: int, reason: str) -> ProviderError | None:
        return None

    def fault(self, error: ProviderError) -> ProviderFault:
        return ProviderFault(f"The Moshi server refused: {error.message}", code=error.code)

    def _audio(self, pcm: bytes) -> bytes:
        frames = (pcm[at : at + _FRAME_BYTES] for at in range(0, len(pcm), _FRAME_BYTES))
        return bytes([_Kind.AUDIO]) + b"".join(map(self._codec.encode, frames))

    def _on_handshake(self, content: bytes) -> list[Event]:
        # The Rust server gives two numbers of 32 bits, protocol and model; the Python server none.
        if len(content) not in (0, 8):
            return [malformed(f"a handshake of {len(content)} bytes")]
        version = int.from_bytes(content[:4], "little")
        if version != _PROTOCOL_VERSION:
            return [
                ProviderError(
                    message=f"It speaks version {version} of the protocol, not "
                    f"{_PROTOCOL_VERSION}. Use a server that does.",
                    severity=Severity.FATAL,
                    code="protocol_version",
                )
            ]
        if self._open:
            return []
        self._open = self._primer_due = True
        return [SessionOpened(session_id="", model=self.model)]

    def _on_audio(self, content: bytes) -> list[Event]:
        try:
            pcm = self._codec.decode(content)
        except ValueError as error:
            return [malformed(f"audio that is no Ogg/Opus ({error})")]
        return self._turns.hear(pcm)

    def _on_text(self, content: bytes) -> list[Event]:
        if len(content) > _LARGEST_TEXT_BYTES:
            return [malformed(f"a piece of a word of {len(content)} bytes")]
        try:
            piece = content.decode()
        except UnicodeDecodeError:
            return [malformed("text that is no UTF-8")]
        text = self._words.add(piece)
        return self._turns.read(text) if text else []


def moshi_protocol(model: str, dialect: str | None) -> MoshiProtocol:
    """Make the protocol of a session.

    Raises:
        SettingsError: A dialect was named, or the package for Ogg/Opus is missing.
    """
    if dialect is not None:
        raise SettingsError(f'Moshi has no dialects, so none is called "{dialect}".')
    return MoshiProtocol(model or MOSHI_DEFAULT_MODEL)


def _error(content: bytes, *, opened: bool) -> ProviderError:
    text = content[:_LARGEST_ERROR_BYTES].decode(errors="replace").strip()
    severity = Severity.REQUEST if opened else Severity.FATAL
    return ProviderError(message=text or "It gives no reason.", severity=severity)


__all__ = ["MOSHI_DEFAULT_MODEL", "MOSHI_PROFILE", "MoshiProtocol", "moshi_protocol"]
