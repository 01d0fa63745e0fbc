"""The Moshi service on loopback."""

import asyncio
import random
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from websockets.http11 import Request

from ..backends.backend import Backend
from ..connection import Refusal
from ..faults.script import Fault
from ..line import Line
from ..server import Emulator
from ..turn_detection import ScorerFactory, silero_scorer
from .behaviour import BEHAVIOURS, Server
from .ogg_opus import FRAME_S, check_available
from .session import Session
from .timing import Timing

PATH = "/api/chat"
_MOST_STEPS = 4500
# What the query of the Rust server may set, with its defaults.
_SETTINGS: Mapping[str, int | float] = {
    "text_temperature": 0.8,
    "text_topk": 250,
    "audio_temperature": 0.8,
    "audio_topk": 250,
    "pad_mult": 0.0,
    "repetition_penalty_context": 32,
    "repetition_penalty": 1.0,
}
_WHOLE = frozenset({"text_topk", "audio_topk", "repetition_penalty_context"})


class MoshiEmulator(Emulator[Session]):
    """A Moshi server in the caller's event loop.

        async with MoshiEmulator() as emulator:
            async with connect(emulator.url) as connection: …

    Args:
        backend: Who hears and answers; by default the built-in scenario, hummed.
        server: Which of the project's two servers it behaves like.
        greeting: What it says of itself when a session begins; empty is nothing.
        host: Address to listen on.
        port: Port to listen on; 0 is any free one.
        tls: Speak TLS with this context; None is plain TCP.
        faults: What goes wrong, and when.
        log: Folder for an event log of each session; None writes none.
        seed: Of all that is random; the same seed and traffic give the same bytes.
        timing: Delays and pace.
        scorer: Makes the speech scorer that finds the user's speech, Silero by default.
        keep_audio: Keep what the users say, as `user_audio` of each session.

    Raises:
        SettingsError: The Ogg/Opus library is missing. On entering: the address cannot be
            listened on, or the backend cannot run.
        ExceptionGroup: On leaving: errors of the emulator itself that ended sessions.
    """

    # What the Python server takes.
    max_message_bytes = 4 * 1024 * 1024
    path = PATH

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        server: Server | Literal["python", "rust"] = Server.PYTHON,
        greeting: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        faults: Sequence[Fault] = (),
        log: Path | None = None,
        seed: int = 0,
        timing: Timing | None = None,
        scorer: ScorerFactory = silero_scorer,
        keep_audio: bool = False,
    ) -> None:
        check_available()
        super().__init__(
            backend,
            host=host,
            port=port,
            tls=tls,
            faults=faults,
            log=log,
            seed=seed,
            scorer=scorer,
        )
        self._kind = Server(server)
        self._behaviour = BEHAVIOURS[self._kind]
        self._greeting = greeting
        self._timing = Timing() if timing is None else timing
        self._keep_audio = keep_audio
        self._turnstile = asyncio.Lock()

    def open(self, line: Line, request: Request, chance: random.Random) -> Session:
        address = urlsplit(request.path)
        if address.path != PATH:
            raise Refusal(HTTPStatus.NOT_FOUND, f"there is only {PATH}\n")
        settings: dict[str, int | float] = {}
        steps = _MOST_STEPS
        if self._kind is Server.RUST:
            query = dict(parse_qsl(address.query))
            settings = {name: _number(query, name, usual) for name, usual in _SETTINGS.items()}
            steps = min(_MOST_STEPS, int(_number(query, "max_steps", _MOST_STEPS)))
        return Session(
            line,
            id=f"moshi_{chance.getrandbits(32):08x}",
            behaviour=self._behaviour,
            settings=settings | {"instance_name": "emulated"},
            turnstile=self._turnstile,
            dialogue=self.backend.dialogue(),
            greeting=self._greeting,
            timing=self._timing,
            session_seconds=self._session_seconds(steps),
            scorer=self._scorer(),
            keep_audio=self._keep_audio,
        )

    def _session_seconds(self, steps: int) -> float | None:
        limit = self._timing.session_seconds or self._behaviour.session_seconds
        return limit if limit is None or steps == _MOST_STEPS else min(limit, steps * FRAME_S)

    def refuse_key(self) -> Refusal:
        """Moshi knows no keys; a proxy before it would answer so."""
        return Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized\n")


def _number(query: Mapping[str, str], name: str, usual: int | float) -> int | float:
    """A number of the query.

    Raises:
        Refusal: It is none.
    """
    if name not in query:
        return usual
    try:
        return int(query[name]) if name in _WHOLE or name == "max_steps" else float(query[name])
    except ValueError as error:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, f"Failed to deserialize query string: {name}\n"
        ) from error
