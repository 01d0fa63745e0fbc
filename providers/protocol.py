"""What a provider's wire looks like from the connection's side.

A protocol does no I/O, knows no clock and awaits nothing. It turns commands into messages to
write, and messages that were read into events.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from crossfade.conversation.history import HistoryItem
from crossfade.errors import ProviderFault
from crossfade.providers.commands import Command
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import Event, ProviderError
from crossfade.providers.profiles import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """Where to connect, and what to show there. Its repr holds no secret."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    subprotocols: Sequence[str] = ()
    ping_interval_s: float | None = 20.0
    """How often to look whether the provider still answers; None: never."""
    ping_timeout_s: float = 20.0
    """How long an answer to that may take; without one the line is dead."""


class WireProtocol(Protocol):
    """One session on one connection; a new connection needs a new protocol."""

    text_frames: ClassVar[bool]
    """Whether messages are sent in text frames (UTF-8) or in binary ones."""
    keepalive_s: ClassVar[float | None]
    """Send `keepalive()` when nothing was sent for so long; None: the line needs none."""

    @property
    def key_variables(self) -> Sequence[str]:
        """Environment variables that may hold the key, the first set one counts; none: no key."""
        ...

    @property
    def model(self) -> str: ...

    @property
    def profile(self) -> Profile: ...

    @property
    def config(self) -> SessionConfig:
        """What the session is configured to be, without the changes that were refused."""
        ...

    @property
    def dropped_audio_ms(self) -> float:
        """How much of the user's audio was held back for so long that it was dropped."""
        ...

    def preparation(self) -> Callable[[], None] | None:
        """Give what must be done once before `start`, in a thread, for it takes long; or None."""
        ...

    def connect_request(self, base_url: str | None, api_key: str) -> ConnectRequest:
        """Say where to connect: at `base_url`, the whole endpoint, or at the provider's own."""
        ...

    def start(self, config: SessionConfig, *, seeded: bool = False) -> list[bytes]:
        """Give the messages that configure the session.

        Args:
            config: What the session shall be.
            seeded: Whether `seed` will tell it what was said before.
        """
        ...

    def seed(self, history: Sequence[HistoryItem]) -> list[bytes]:
        """Give the messages that tell what was said before; none if it must wait.

        To be called once, before any audio or command, and at any time after `start`.
        """
        ...

    def append_audio(self, pcm: bytes) -> bytes:
        """Give the message that carries audio of the user; empty while it waits for more.

        Args:
            pcm: Whole samples in the session's encoding.
        """
        ...

    def send(self, command: Command) -> list[bytes]:
        """Give the messages that carry out a command; none if it must wait or has no effect.

        Raises:
            SettingsError: The session is not configured for this command, or its content cannot
                be said on the wire.
        """
        ...

    def receive(self, message: str | bytes) -> list[Event]:
        """Understand a message. Never raises: what makes no sense is a ProviderError."""
        ...

    def replies(self) -> list[bytes]:
        """Give the messages that became due by what was received. Ask after each `receive`."""
        ...

    def ended(self) -> list[Event]:
        """Give the events that waited for others, now that the line is dead; once."""
        ...

    def keepalive(self) -> list[bytes]:
        """Give the messages that keep an idle line open."""
        ...

    def closed(self, close_code: int, reason: str) -> ProviderError | None:
        """Say what a close code and its reason mean; None if only the line went."""
        ...

    def fault(self, error: ProviderError) -> ProviderFault:
        """Give the exception for a fatal error, saying what to do."""
        ...


__all__ = ["ConnectRequest", "WireProtocol"]
