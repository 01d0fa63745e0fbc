"""The OpenAI Realtime service on loopback."""

import asyncio
import random
import ssl
import time
from collections.abc import Collection, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from ..backends.backend import Backend
from ..connection import Refusal
from ..faults.script import Fault
from ..http_exchange import HttpRequest, HttpResponse
from ..line import Line
from ..message import json_message
from ..server import Emulator, Refused
from ..turn_detection import ScorerFactory, silero_scorer
from .admission import PATH, SUBPROTOCOL, Admission, Gate, bad_key, is_realtime_path
from .behaviour import Behaviour
from .client_secrets import ClientSecrets
from .configuration import Configuration
from .dialects import DIALECTS
from .errors import SessionRefused, error_event
from .identifiers import Identifiers
from .rest import RestCalls
from .session import APPEND_LIMIT_BYTES, Session
from .timing import Timing


class OpenAIEmulator(Emulator[Session]):
    """An OpenAI Realtime server in the caller's event loop.

        async with OpenAIEmulator() as emulator:
            async with connect(f"{emulator.url}?model=gpt-realtime", additional_headers=…): …
            emulator.sessions[0].received.assert_order("session.update", "response.create")

    Args:
        backend: Who hears and answers; by default the built-in scenario, hummed.
        host: Address to listen on.
        port: Port to listen on; 0 is any free one.
        tls: Speak TLS with this context; None is plain TCP.
        faults: What goes wrong, and when.
        log: Folder for an event log of each session; None writes none.
        seed: Of all that is random; the same seed and traffic give the same bytes.
        api_keys: Keys that are taken; None takes any key that does not contain `invalid`.
        models: Models served besides the service's own.
        dialect: `ga`, or `beta` as it was spoken up to 2025.
        timing: Speeds and delays.
        behaviour: Which of its documented ways the service takes.
        epoch_s: The wall clock, in seconds since 1970, stands still at this for all that tells the
            time of day (`expires_at`); None is the machine's clock.
        scorer: Makes the speech scorer of server turn detection, Silero by default.
        keep_audio: Keep what the users say, as `user_audio` of each session.

    Raises:
        SettingsError: On entering: the address cannot be listened on, or the backend cannot run.
        ExceptionGroup: On leaving: errors of the emulator itself that ended sessions.
    """

    ping_interval_s = 20.3
    # Base64 of the longest append, and its JSON.
    max_message_bytes = APPEND_LIMIT_BYTES * 4 // 3 + 64 * 1024
    path = PATH

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
        api_keys: Collection[str] | None = None,
        models: Collection[str] = (),
        dialect: Literal["ga", "beta"] = "ga",
        timing: Timing | None = None,
        behaviour: Behaviour | None = None,
        epoch_s: float | None = None,
        scorer: ScorerFactory = silero_scorer,
        keep_audio: bool = False,
    ) -> None:
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
        self._dialect = DIALECTS[dialect]
        identifiers = Identifiers(random.Random(f"{seed}:rest"))
        secrets = ClientSecrets(identifiers, lambda: asyncio.get_running_loop().time())
        self._gate = Gate(api_keys, models, secrets, self._dialect)
        self._now_s = time.time if epoch_s is None else lambda: epoch_s
        self._rest = RestCalls(self._gate, secrets, identifiers, self._dialect, self._now_s)
        self._timing = Timing() if timing is None else timing
        self._keep_audio = keep_audio
        self._behaviour = Behaviour() if behaviour is None else behaviour

    def protocol(self) -> ServerProtocol:
        return ServerProtocol(
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            select_subprotocol=_select_subprotocol,
            max_size=self.max_message_bytes,
        )

    def open(self, line: Line, request: Request, chance: random.Random) -> Session:
        if not is_realtime_path(request.path):
            raise Refusal(HTTPStatus.NOT_FOUND, f"there is only {PATH}\n")
        identifiers = Identifiers(chance)
        try:
            admission = self._gate.admit(request)
        except SessionRefused as refusal:
            raise _refused(refusal, identifiers) from refusal
        return Session(
            line,
            self._configuration(admission, identifiers),
            self.backend.dialogue(),
            identifiers=identifiers,
            dialect=self._dialect,
            timing=self._timing,
            behaviour=self._behaviour,
            scorer=self._scorer,
            keep_audio=self._keep_audio,
        )

    def _configuration(self, admission: Admission, identifiers: Identifiers) -> Configuration:
        about: dict[str, Any] = {
            "id": identifiers.new("sess"),
            "expires_at": int(self._now_s() + self._timing.session_seconds),
        }
        if not admission.model:
            default = Configuration.transcription(**about)
        else:
            extra = self._dialect.session_extra
            default = Configuration.default(admission.model, extra=extra, **about)
        if admission.session is None:
            return default
        wanted = {k: v for k, v in admission.session.items() if k != "model"}
        return default.updated(wanted)

    def respond(self, request: HttpRequest) -> HttpResponse:
        return self._rest.respond(request)

    def refuse_key(self) -> Refused:
        return _refused(bad_key("sk-refused-by-a-fault"), Identifiers(random.Random(0)))


def _refused(refusal: SessionRefused, identifiers: Identifiers) -> Refused:
    event = error_event(refusal.message, code=refusal.code)
    event["event_id"] = identifiers.new("event")
    messages = [json_message("error", event)]
    return Refused(messages, refusal.close_code, refusal.close_reason)


def _select_subprotocol(
    protocol: ServerProtocol, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None
