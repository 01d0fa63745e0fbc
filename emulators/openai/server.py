"""The OpenAI Realtime service on loopback."""

import random
import time
from collections.abc import Collection, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Self

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from crossfade.errors import SettingsError

from ..backends.backend import Backend
from ..backends.scripted import ScriptedBackend
from .admission import PATH, SUBPROTOCOL, admit, is_realtime_path
from .configuration import Configuration
from .errors import SessionRefused, error_event
from .identifiers import Identifiers
from .session import APPEND_LIMIT_BYTES, Session
from .timing import Timing
from .turn_detection import ScorerFactory, silero_scorer

_PING_INTERVAL_S = 20.3
# Base64 of the longest append, and its JSON.
_MAX_MESSAGE_BYTES = APPEND_LIMIT_BYTES * 4 // 3 + 64 * 1024


class OpenAIEmulator:
    """An OpenAI Realtime server in the caller's event loop.

        async with OpenAIEmulator() as emulator:
            async with connect(f"{emulator.url}?model=gpt-realtime", additional_headers=…): …
            assert emulator.sessions[0].received[0]["type"] == "session.update"

    Args:
        backend: Who hears and answers; by default the built-in scenario, hummed.
        host: Address to listen on.
        port: Port to listen on; 0 is any free one.
        api_keys: Keys that are taken; None takes any key that does not contain `invalid`.
        models: Models served besides the service's own.
        timing: Speeds and delays.
        seed: Of the random ids; the same seed and traffic make the same ids.
        scorer: Makes the speech scorer of server turn detection, Silero by default.

    Raises:
        SettingsError: On entering: the address cannot be listened on, or the backend cannot run.
        ExceptionGroup: On leaving: errors of the emulator itself that ended sessions.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_keys: Collection[str] | None = None,
        models: Collection[str] = (),
        timing: Timing | None = None,
        seed: int = 0,
        scorer: ScorerFactory = silero_scorer,
    ) -> None:
        self.sessions: list[Session] = []
        """Every session that was admitted, in order, ended ones too."""
        self._backend = ScriptedBackend() if backend is None else backend
        self._host = host
        self._port = port
        self._api_keys = api_keys
        self._models = models
        self._timing = Timing() if timing is None else timing
        self._identifiers = Identifiers(random.Random(seed))
        self._scorer = scorer
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, while it does."""
        assert self._server is not None, "the emulator listens only inside its `async with`"
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """The endpoint, to which a client adds `?model=…`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self.port}{PATH}"

    async def __aenter__(self) -> Self:
        await self._backend.start()
        # The model is loaded now and not while somebody speaks.
        self._scorer()
        try:
            self._server = await serve(
                self._handle,
                self._host,
                self._port,
                process_request=_refuse_other_paths,
                select_subprotocol=_select_subprotocol,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                ping_interval=_PING_INTERVAL_S,
                max_size=_MAX_MESSAGE_BYTES,
            )
        except OSError as error:
            await self._backend.close()
            raise SettingsError(
                f"cannot listen on {self._host} port {self._port}: {error.strerror}; "
                "choose another port, or 0 for any free one"
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None, "left without being entered"
        self._server.close()
        await self._server.wait_closed()
        await self._backend.close()
        failures = [session.failure for session in self.sessions if session.failure is not None]
        if failures and error is None:
            raise BaseExceptionGroup("sessions of the emulator failed", failures)

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None, "the handshake is done"
        try:
            model = admit(connection.request, api_keys=self._api_keys, models=self._models)
        except SessionRefused as refusal:
            await self._refuse(connection, refusal)
            return
        expires_at = int(time.time() + self._timing.session_seconds)
        session = Session(
            Configuration.default(model, id=self._identifiers.new("sess"), expires_at=expires_at),
            self._backend.dialogue(),
            identifiers=self._identifiers,
            timing=self._timing,
            scorer=self._scorer,
        )
        self.sessions.append(session)
        await session.run(connection)

    async def _refuse(self, connection: ServerConnection, refusal: SessionRefused) -> None:
        event = error_event(refusal.message, code=refusal.code)
        event["event_id"] = self._identifiers.new("event")
        try:
            await connection.send(orjson.dumps(event), text=True)
            await connection.close(refusal.close_code, refusal.close_reason)
        except ConnectionClosed:
            return


def _refuse_other_paths(connection: ServerConnection, request: Request) -> Response | None:
    if is_realtime_path(request.path):
        return None
    return connection.respond(HTTPStatus.NOT_FOUND, f"there is only {PATH}\n")


def _select_subprotocol(
    connection: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None
