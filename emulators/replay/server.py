"""A service that plays a recording."""

import random
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from crossfade.errors import SettingsError

from ..connection import Refusal
from ..faults.script import GENERAL, Fault
from ..line import Line
from ..server import Emulator
from .recording import Recording, load_recording
from .session import Session

WireName = Literal["openai", "gemini", "moshi"]


# OpenAI's; the other wires have none.
_SUBPROTOCOL = Subprotocol("realtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wire:
    """How a wire is reached."""

    path: str
    binary: bool = False
    """JSON goes in binary messages."""


_WIRES: dict[str, _Wire] = {
    "openai": _Wire(path="/v1/realtime"),
    "gemini": _Wire(
        path="/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        binary=True,
    ),
    "moshi": _Wire(path="/api/chat"),
}


class ReplayEmulator(Emulator[Session]):
    """Plays a recorded session to each client, in the caller's event loop.

        async with ReplayEmulator("openai", "call.yaml") as emulator:
            …
            emulator.assert_complete()

    A client that sends something else than was recorded is closed with 1008 and the reason. Sound
    may be any, in any number of pieces; ids that a client makes up may be any; a client may send
    more fields than were recorded. Every path and key is taken.

    Args:
        wire: Whose protocol was recorded.
        recording: A recording, or its file.
        speed: Times faster than recorded, where the recording has times; `inf` waits for nothing.
        host: Address to listen on.
        port: Port to listen on; 0 is any free one.
        tls: Speak TLS with this context; None is plain TCP.
        faults: What goes wrong on any wire, by the time or the number of messages: nothing is
            known of turns and states here.
        log: Folder for an event log of each session; None writes none.
        seed: Of all that is random.

    Raises:
        SettingsError: The recording or a fault cannot be used. On entering: the address cannot be
            listened on.
    """

    def __init__(
        self,
        wire: WireName,
        recording: Recording | Path | str,
        *,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        faults: Sequence[Fault] = (),
        log: Path | None = None,
        seed: int = 0,
    ) -> None:
        for fault in faults:
            _check(fault)
        super().__init__(host=host, port=port, tls=tls, faults=faults, log=log, seed=seed)
        if not speed > 0:
            raise SettingsError(f"the speed of a replay is positive, not {speed}")
        if isinstance(recording, str | Path):
            recording = load_recording(Path(recording))
        self._wire = _WIRES[wire]
        self._recording = recording
        self._speed = speed
        self.path = self._wire.path

    def assert_complete(self) -> None:
        """Check that there was a client, and that each did all that was recorded.

        Raises:
            AssertionError: One did not; it names the first difference.
        """
        assert self.sessions, "no client came"
        for session in self.sessions:
            session.assert_complete()

    def protocol(self) -> ServerProtocol:
        return ServerProtocol(
            select_subprotocol=_select_subprotocol, max_size=self.max_message_bytes
        )

    def open(self, line: Line, request: Request, chance: random.Random) -> Session:
        return Session(
            line,
            id=f"replay_{chance.getrandbits(32):08x}",
            recording=self._recording,
            binary=self._wire.binary,
            speed=self._speed,
        )

    def refuse_key(self) -> Refusal:
        return Refusal(401, "unauthorized\n")


def _check(fault: Fault) -> None:
    if not isinstance(fault, GENERAL) or fault.turn is not None or fault.at is not None:
        raise SettingsError(
            f"a replay has no {type(fault).__name__} at a turn or state: it takes the faults of "
            "every wire, by after_ms and after_messages"
        )


def _select_subprotocol(
    protocol: ServerProtocol, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    return _SUBPROTOCOL if _SUBPROTOCOL in offered else None
