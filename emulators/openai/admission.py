"""Who may open a session: the checks of the WebSocket request, which the service makes after 101.

A refused client gets an `error` event and then a close with a code of its own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from .client_secrets import PREFIX, ClientSecrets
from .configuration import MODELS
from .dialect import Dialect
from .errors import SessionRefused

PATH = "/v1/realtime"
SUBPROTOCOL = "realtime"
_KEY_SUBPROTOCOL = "openai-insecure-api-key."
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
_BAD_KEY_CLOSE = 3000
_BAD_REQUEST_CLOSE = 4000
_SUGGESTED = "gpt-realtime-1.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a client that may come in has asked for."""

    model: str
    """Empty for a session that only writes down what is said."""
    session: Mapping[str, Any] | None = None
    """What the client's secret was made for."""


class Gate:
    """Checks keys and models.

    Args:
        api_keys: Keys that are taken; None takes any but one that contains `invalid`.
        models: Models served besides the service's own.
        secrets: The ephemeral keys.
        dialect: What clients speak here.
    """

    def __init__(
        self,
        api_keys: Collection[str] | None,
        models: Collection[str],
        secrets: ClientSecrets,
        dialect: Dialect,
    ) -> None:
        self._api_keys = api_keys
        self._models = {*MODELS, *models, *dialect.models}
        self._secrets = secrets
        self._dialect = dialect

    def admit(self, request: Request) -> Admission:
        """What the client of a WebSocket request asks for.

        Raises:
            SessionRefused: The key, the wire or the model is not served.
        """
        offered = [
            name.strip()
            for header in request.headers.get_all("Sec-WebSocket-Protocol")
            for name in header.split(",")
        ]
        key = _key(request, offered)
        session = self.check_key(key)
        self._check_beta(request, offered)
        query = parse_qs(urlsplit(request.path).query)
        transcribes = query.get("intent") == ["transcription"]
        if session is not None:
            transcribes = session["type"] == "transcription"
        if transcribes:
            return Admission(model="", session=session)
        default = "" if session is None else session["model"]
        model = query.get("model", [default])[0]
        self.check_model(model)
        return Admission(model=model, session=session)

    def check_key(self, key: str) -> Mapping[str, Any] | None:
        """The session that an ephemeral key was made for; None for another good key.

        Raises:
            SessionRefused: The key is not taken.
        """
        if not key:
            raise SessionRefused(
                "Missing bearer or basic authentication in header",
                code=None,
                close_code=_BAD_KEY_CLOSE,
            )
        if key.startswith(PREFIX):
            session = self._secrets.session_of(key)
            if session is None:
                raise bad_key(key)
            return session
        if "invalid" in key if self._api_keys is None else key not in self._api_keys:
            raise bad_key(key)
        return None

    def check_model(self, model: str) -> None:
        """Refuse a model that is not served.

        Raises:
            SessionRefused: It is not.
        """
        if not model:
            raise _refused(
                "missing_model",
                "You must provide a model parameter, for example "
                f"wss://api.openai.com{PATH}?model={_SUGGESTED}",
            )
        if model not in self._models:
            raise _refused(
                "invalid_model",
                f'Model "{model}" is not supported in realtime mode. Supported models: '
                f"{', '.join(MODELS)}.",
            )

    def _check_beta(self, request: Request, offered: list[str]) -> None:
        header = "realtime=v1" in request.headers.get("OpenAI-Beta", "")
        if (header or _BETA_SUBPROTOCOL in offered) and not self._dialect.takes_beta_header:
            raise _refused(
                "beta_api_shape_disabled",
                "The Realtime Beta API is no longer supported. "
                "Please use /v1/realtime for the GA API.",
            )


def is_realtime_path(path: str) -> bool:
    return urlsplit(path).path.rstrip("/") == PATH


def bearer(authorization: str) -> str:
    """The key of an Authorization header; empty where there is none."""
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _key(request: Request, offered: list[str]) -> str:
    return bearer(request.headers.get("Authorization", "")) or next(
        (n.removeprefix(_KEY_SUBPROTOCOL) for n in offered if n.startswith(_KEY_SUBPROTOCOL)), ""
    )


def bad_key(key: str) -> SessionRefused:
    """The refusal of a key, of which it shows the ends."""
    shown = f"{key[:3]}***{key[-4:]}" if len(key) > 11 else "***"
    return SessionRefused(
        f"Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
        close_code=_BAD_KEY_CLOSE,
    )


def _refused(code: str, message: str) -> SessionRefused:
    return SessionRefused(message, code=code, close_code=_BAD_REQUEST_CLOSE)
