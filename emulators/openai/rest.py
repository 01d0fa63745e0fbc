"""The service's HTTP calls beside the WebSocket.

Fields: https://platform.openai.com/docs/api-reference/realtime-sessions
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from ..http_exchange import HttpRequest, HttpResponse
from .admission import PATH, Gate, bearer
from .client_secrets import ClientSecrets
from .configuration import Configuration
from .dialect import Dialect
from .errors import RequestRefused, SessionRefused
from .identifiers import Identifiers
from .validation import anything, choice, integer, mapping, record

_DEFAULT_MODEL = "gpt-realtime"
_DEFAULT_SECONDS = 600
_BETA_SECONDS = 60
_SECRET_REQUEST = record(
    {
        "expires_after": record({"anchor": choice("created_at"), "seconds": integer(10, 7200)}),
        "session": anything,
    }
)
# What needs a telephone or WebRTC behind it.
_NOT_SERVED = ("/calls", "/translations", "/transcription_sessions")


class RestCalls:
    """Answers HTTP requests.

    Args:
        gate: Checks keys and models.
        secrets: Where ephemeral keys are kept.
        identifiers: Makes ids of sessions.
        dialect: What clients speak here.
        now_s: The wall clock.
    """

    def __init__(
        self,
        gate: Gate,
        secrets: ClientSecrets,
        identifiers: Identifiers,
        dialect: Dialect,
        now_s: Callable[[], float],
    ) -> None:
        self._gate = gate
        self._secrets = secrets
        self._identifiers = identifiers
        self._dialect = dialect
        self._now_s = now_s
        self._calls: dict[str, Callable[[Any], Any]] = {
            f"{PATH}/client_secrets": self._client_secret,
            f"{PATH}/sessions": self._beta_session,
        }

    def respond(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request that is no WebSocket."""
        path = urlsplit(request.path).path.rstrip("/")
        call = self._calls.get(path)
        try:
            self._gate.check_key(bearer(request.headers.get("authorization", "")))
            if call is None:
                return _not_served(path)
            if request.method != "POST":
                status = HTTPStatus.METHOD_NOT_ALLOWED
                return _problem(status, f"Not allowed: {request.method} {path}. Use POST.")
            return HttpResponse(body=call(_json(request.body)))
        except SessionRefused as refused:
            is_key = refused.code in (None, "invalid_api_key")
            status = HTTPStatus.UNAUTHORIZED if is_key else HTTPStatus.BAD_REQUEST
            return _problem(status, refused.message, refused.code, refused.param)
        except RequestRefused as refused:
            status = HTTPStatus.BAD_REQUEST
            return _problem(status, refused.message, refused.code, refused.param)

    def _client_secret(self, body: Any) -> Any:
        """An ephemeral key for the session that the body describes."""
        _SECRET_REQUEST("", body)
        wanted = body.get("session", {"type": "realtime"})
        mapping("session", wanted)
        seconds = body.get("expires_after", {}).get("seconds", _DEFAULT_SECONDS)
        configuration, change = self._configured(wanted)
        secret = self._secrets.mint(change, seconds)
        expires_at = int(self._now_s()) + seconds
        session = self._dialect.session.given(dict(configuration.session))
        return {"value": secret.value, "expires_at": expires_at, "session": session}

    def _beta_session(self, body: Any) -> Any:
        """The same as the Beta asked for it: the session with a key in it."""
        if not self._dialect.takes_beta_header:
            raise RequestRefused(
                f"The Realtime Beta API is no longer supported. Please use {PATH}/client_secrets.",
                code="beta_api_shape_disabled",
            )
        mapping("session", body)
        configuration, change = self._configured(body)
        secret = self._secrets.mint(change, _BETA_SECONDS)
        key = {"value": secret.value, "expires_at": int(self._now_s()) + _BETA_SECONDS}
        return {**self._dialect.session.given(dict(configuration.session)), "client_secret": key}

    def _configured(self, wanted: Any) -> tuple[Configuration, Mapping[str, Any]]:
        """The session that `wanted` describes, and what its key is made for."""
        change = self._dialect.session.taken("session", wanted)
        id = self._identifiers.new("sess")
        model = change.get("model") or _DEFAULT_MODEL
        if change.get("type") == "transcription":
            default = Configuration.transcription(id=id, expires_at=0)
        else:
            self._gate.check_model(model)
            extra = self._dialect.session_extra
            default = Configuration.default(model, id=id, expires_at=0, extra=extra)
            change = {**change, "model": model}
        try:
            return default.updated(change), change
        except RequestRefused as refused:
            raise self._dialect.refusal(refused) from refused


def _json(body: bytes) -> Any:
    try:
        content = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise RequestRefused(
            "We could not parse the JSON body of your request.", code="invalid_json"
        ) from error
    if not isinstance(content, dict):
        raise RequestRefused("The body must be a JSON object.", code="invalid_type")
    return content


def _not_served(path: str) -> HttpResponse:
    if path.startswith(tuple(PATH + call for call in _NOT_SERVED)):
        return _problem(
            HTTPStatus.NOT_IMPLEMENTED,
            f"This emulator speaks WebSocket only: {path} is not served. "
            f"Connect to {PATH}?model=gpt-realtime.",
            "not_implemented",
        )
    return _problem(HTTPStatus.NOT_FOUND, f"Invalid URL (POST {path})", "unknown_url")


def _problem(
    status: HTTPStatus, message: str, code: str | None = None, param: str | None = None
) -> HttpResponse:
    detail = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return HttpResponse(status=status, body={"error": detail})
