"""What every emulated service is: a server on loopback that gives each client a session."""

import asyncio
import logging
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from websockets.http11 import Request
from websockets.server import ServerProtocol

from crossfade.errors import SettingsError

from .backends.backend import Backend
from .backends.scripted import ScriptedBackend
from .connection import Connection, Listener, Refusal
from .faults.script import Fault, RefuseHandshake, RefuseKey
from .http_exchange import HttpRequest, HttpResponse
from .line import Line
from .message import Message
from .session import Session
from .session_log import SessionLog
from .tasks import OwnedTasks
from .turn_detection import ScorerFactory, energy_scorer

SESSIONS_KEPT = 200
KEPT_BYTES = 32 * 1024 * 1024
"""Of what sessions that have ended keep for tests to look at, all together."""
FAILURES_KEPT = 100
_GOING_AWAY = 1001
_INTERNAL_ERROR = 1011
_DISMISS_S = 1.0
_TLS_HANDSHAKE_S = 10.0
_TLS_SHUTDOWN_S = 5.0

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=Session)


class Refused(Exception):
    """The WebSocket opens, and the service refuses the client in its own words.

    Args:
        messages: What it says.
        code: Of the close.
        reason: Of the close.
    """

    def __init__(self, messages: Sequence[Message], code: int, reason: str) -> None:
        super().__init__(reason)
        self.messages = messages
        self.code = code
        self.reason = reason


class Emulator(ABC, Generic[S]):
    """A service in the caller's event loop.

    Args:
        backend: Who hears and answers; by default the built-in scenario, hummed.
        host: Address to listen on.
        port: Port to listen on; 0 is any free one.
        tls: Speak TLS with this context; None is plain TCP.
        faults: What goes wrong, and when.
        log: Folder for an event log of each session; None writes none.
        seed: Of all that is random; the same seed and traffic give the same bytes.
        scorer: Makes the speech scorers of sessions.

    Raises:
        SettingsError: On entering: the address cannot be listened on, or the backend cannot run.
        ExceptionGroup: On leaving: errors of the emulator itself that ended sessions.
    """

    ping_interval_s: float | None = None
    max_message_bytes = 16 * 1024 * 1024
    path = "/"
    """What the URL ends with."""

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        faults: Sequence[Fault] = (),
        log: Path | None = None,
        seed: int = 0,
        scorer: ScorerFactory = energy_scorer,
    ) -> None:
        self.sessions: list[S] = []
        """The sessions that were admitted, in order: the newest 200. Of those that have ended the
        newest, 32 MiB in all and always the last."""
        self.failures: list[BaseException] = []
        """Errors of the emulator itself, of sessions that have ended and of what is beside them;
        the first 100."""
        self.backend = ScriptedBackend() if backend is None else backend
        self._host = host
        self._port = port
        self._tls = tls
        self._faults = list(faults)
        self._log = log
        self._seed = seed
        self._scorer = scorer
        self._connections: set[Connection] = set()
        self._admitted = 0
        self._ended: list[S] = []
        self._tasks = OwnedTasks(self.failed)
        self._server: asyncio.Server | None = None
        self._stopped = False

    @abstractmethod
    def open(self, line: Line, request: Request, chance: random.Random) -> S:
        """The session of a client.

        Args:
            line: Where it sends.
            request: The WebSocket request.
            chance: The session's own source of what is random.

        Raises:
            Refused: The client is refused in the service's own words.
            Refusal: It is refused by HTTP.
        """

    @abstractmethod
    def refuse_key(self) -> Refused | Refusal:
        """How this service refuses a key that it does not know."""

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Answer a request that is no WebSocket."""
        return HttpResponse(status=404, body={"error": {"message": f"no {request.path} here"}})

    def protocol(self) -> ServerProtocol:
        """The WebSocket protocol of a new connection."""
        return ServerProtocol(max_size=self.max_message_bytes)

    @property
    def port(self) -> int:
        """The port that it listens on, while it does."""
        assert self._server is not None, "the emulator listens only inside its `async with`"
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        scheme = "ws" if self._tls is None else "wss"
        return f"{scheme}://{host}:{self.port}{self.path}"

    async def __aenter__(self) -> Self:
        # A model is loaded now and not while somebody speaks.
        self._scorer()
        await self.backend.start()
        self._stopped = False
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self),
                self._host,
                self._port,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _TLS_HANDSHAKE_S,
                ssl_shutdown_timeout=None if self._tls is None else _TLS_SHUTDOWN_S,
            )
        except OSError as error:
            await self.backend.close()
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
        self._stopped = True
        await self._dismiss()
        await self._server.wait_closed()
        await self._tasks.join()
        await self.backend.close()
        if self.failures and error is None:
            raise BaseExceptionGroup("sessions of the emulator failed", self.failures)

    async def _dismiss(self) -> None:
        """Close every connection; those that do not take it are dropped."""
        for connection in self._connections:
            connection.close(_GOING_AWAY, "")
        await self._wait_for_connections(_DISMISS_S)
        for connection in self._connections:
            connection.abort()
        await self._wait_for_connections(None)

    async def _wait_for_connections(self, timeout_s: float | None) -> None:
        if self._connections:
            await asyncio.wait([one.gone for one in self._connections], timeout=timeout_s)

    def made(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._stopped:
            # It was accepted just before.
            connection.abort()

    def left(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def failed(self, error: BaseException) -> None:
        """Keep an error of the emulator itself."""
        logger.error("the emulator failed", exc_info=error)
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append(error)

    def admit(self, connection: Connection, request: Request) -> Listener:
        """Who shall hear the connection that this request opens.

        Raises:
            Refusal: Nobody shall.
        """
        self._admitted += 1
        number = self._admitted
        faults = [fault for fault in self._faults if fault.session in (number, "every")]
        for fault in faults:
            if isinstance(fault, RefuseHandshake):
                raise Refusal(fault.status, "refused by a fault\n")
        chance = random.Random(f"{self._seed}:{number}")
        log = None if self._log is None else SessionLog(self._log, number)
        line = Line(connection, faults, chance, log)
        try:
            if any(isinstance(fault, RefuseKey) for fault in faults):
                raise self.refuse_key()
            session = self.open(line, request, chance)
        except Refused as refused:
            return _Refusing(line, refused)
        except BaseException:
            line.closed()
            raise
        self.sessions.append(session)
        del self.sessions[:-SESSIONS_KEPT]
        return _Serving(line, session, self._tasks, self)

    def ended(self, session: S) -> None:
        """Keep what a session that has ended was told, and let go of the oldest of such."""
        if session.failure is not None:
            self.failed(session.failure)
        self._ended = [one for one in self._ended if one in self.sessions] + [session]
        kept = sum(one.kept_bytes for one in self._ended)
        while kept > KEPT_BYTES and len(self._ended) > 1:
            oldest = self._ended.pop(0)
            kept -= oldest.kept_bytes
            if oldest in self.sessions:
                self.sessions.remove(oldest)


class _Serving(Generic[S]):
    """Brings a session what its client sends. An error that escapes it costs this session alone."""

    def __init__(
        self,
        line: Line,
        session: S,
        tasks: OwnedTasks,
        emulator: Emulator[S],
    ) -> None:
        self._line = line
        self._session = session
        self._tasks = tasks
        self._emulator = emulator

    def opened(self) -> None:
        # Faults of the start strike before the service's first message, those of this wire behind
        # it: the session must be there to suffer them.
        self._line.opened()
        try:
            self._session.start()
        except Exception as error:
            self._fail(error)
        self._line.bind(self._suffer)

    def _suffer(self, fault: Fault) -> None:
        try:
            self._session.suffer(fault)
        except Exception as error:
            self._fail(error)

    def receive(self, message: str | bytes) -> None:
        if self._line.finished:
            return
        try:
            self._session.receive(message)
        except Exception as error:
            self._fail(error)

    def roomy(self) -> None:
        self._line.roomy()

    def closed(self) -> None:
        self._line.closed()
        self._tasks.start(self._close())

    async def _close(self) -> None:
        try:
            await self._session.close()
        finally:
            self._emulator.ended(self._session)

    def _fail(self, error: Exception) -> None:
        self._emulator.failed(error)
        self._line.finish(_INTERNAL_ERROR, "")


class _Refusing:
    """Tells a client that it is refused."""

    def __init__(self, line: Line, refused: Refused) -> None:
        self._line = line
        self._refused = refused

    def opened(self) -> None:
        self._line.send(*self._refused.messages)
        self._line.finish(self._refused.code, self._refused.reason)

    def receive(self, message: str | bytes) -> None:
        """Nobody listens."""

    def roomy(self) -> None:
        self._line.roomy()

    def closed(self) -> None:
        self._line.closed()
