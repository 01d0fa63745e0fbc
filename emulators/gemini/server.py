"""The Gemini Live service on loopback."""

import random
import re
import ssl
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.http11 import Request

from ..backends.backend import Backend, Dialogue
from ..connection import Refusal
from ..faults.script import Fault
from ..http_exchange import HttpRequest, HttpResponse
from ..line import Line
from ..server import Emulator, Refused
from ..turn_detection import ScorerFactory, silero_scorer
from .admission import DEFAULT_PATH, admit, check_key, key_of
from .auth_tokens import AuthTokens
from .closes import INVALID_KEY, Closed, malformed_json
from .handles import Handles
from .session import Session
from .timing import Timing

_AUTH_TOKENS = re.compile(r"/v\w+/auth_?[tT]okens")


class GeminiEmulator(Emulator[Session]):
    """A Gemini Live server in the caller's event loop.

        async with GeminiEmulator() as emulator:
            async with connect(f"{emulator.url}?key=…") as socket: …
            emulator.sessions[0].line.received.assert_order("setup", "clientContent")

    google-genai speaks TLS and nothing else; give it `emulator.base_url` and trust `tls`.

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
        timing: Speeds, delays and limits.
        scorer: Makes the speech scorer of automatic activity detection, Silero by default.
        binary: Messages go out as binary WebSocket messages, as the service's do; else as text.
        refuse_audio_while_calling: Sound that comes while the model waits for a function ends the
            connection, as it sometimes does at the service; else it is heard.
        keep_audio: Keep what the users say, as `user_audio` of each session.

    Raises:
        SettingsError: On entering: the address cannot be listened on, or the backend cannot run.
        ExceptionGroup: On leaving: errors of the emulator itself that ended sessions.
    """

    path = DEFAULT_PATH

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
        timing: Timing | None = None,
        scorer: ScorerFactory = silero_scorer,
        binary: bool = True,
        refuse_audio_while_calling: bool = False,
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
        self._api_keys = api_keys
        self._models = models
        self._timing = Timing() if timing is None else timing
        self._binary = binary
        self._refuse_audio = refuse_audio_while_calling
        self._keep_audio = keep_audio
        self._auth_tokens = AuthTokens()
        self._token_chance = random.Random(f"{seed}:auth_tokens")
        self._handles = Handles(self._timing.handle_seconds, self._dismiss_dialogue)

    @property
    def base_url(self) -> str:
        """What google-genai takes as `HttpOptions(base_url=…)`."""
        return re.sub("^ws", "http", self.url).removesuffix(self.path)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._handles.close()
        await super().__aexit__(kind, error, trace)

    def open(self, line: Line, request: Request, chance: random.Random) -> Session:
        try:
            admission = admit(request, self._api_keys, self._auth_tokens)
        except Closed as closed:
            raise _refused(closed) from closed
        return Session(
            line,
            admission,
            dialogue=self.backend.dialogue,
            handles=self._handles,
            chance=chance,
            models=self._models,
            timing=self._timing,
            scorer=self._scorer,
            binary=self._binary,
            refuse_audio=self._refuse_audio,
            keep_audio=self._keep_audio,
        )

    def refuse_key(self) -> Refused | Refusal:
        return _refused(Closed(INVALID_KEY))

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Answer a request that is no WebSocket: ephemeral tokens are made here."""
        url = urlsplit(re.sub("^/+", "/", request.path))
        if not _AUTH_TOKENS.fullmatch(url.path):
            return _problem(404, "NOT_FOUND", f"{url.path} is not served here")
        if request.method != "POST":
            return _problem(405, "UNIMPLEMENTED", f"{request.method} is not served here")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            check_key(key_of(request.headers, query), self._api_keys)
            body = self._auth_tokens.create(_json(request.body), self._token_chance)
        except Closed as closed:
            return _problem(400, "INVALID_ARGUMENT", closed.close.reason)
        return HttpResponse(body=body)

    def _dismiss_dialogue(self, dialogue: Dialogue) -> None:
        self._tasks.start(dialogue.close())


def _refused(closed: Closed) -> Refused:
    return Refused([], closed.close.code, closed.close.reason)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise malformed_json() from None


def _problem(status: int, name: str, message: str) -> HttpResponse:
    error = {"code": status, "message": message, "status": name}
    return HttpResponse(status=status, body={"error": error})
