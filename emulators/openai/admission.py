"""Who may open a session: the checks of the WebSocket request, which the service makes after 101.

A refused client gets an `error` event and then a close with a code of its own.
"""

from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from .configuration import MODELS
from .errors import SessionRefused

PATH = "/v1/realtime"
SUBPROTOCOL = "realtime"
_KEY_SUBPROTOCOL = "openai-insecure-api-key."
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
_BAD_KEY_CLOSE = 3000
_BAD_REQUEST_CLOSE = 4000


def is_realtime_path(path: str) -> bool:
    return urlsplit(path).path.rstrip("/") == PATH


def admit(request: Request, *, api_keys: Collection[str] | None, models: Collection[str]) -> str:
    """The model that the client asks for.

    Args:
        request: The WebSocket request.
        api_keys: Keys that are taken; None takes any but one that contains `invalid`.
        models: Models served besides the service's own.

    Raises:
        SessionRefused: The key, the wire or the model is not served.
    """
    offered = [
        name.strip()
        for header in request.headers.get_all("Sec-WebSocket-Protocol")
        for name in header.split(",")
    ]
    _check_key(_key(request, offered), api_keys)
    if "realtime=v1" in request.headers.get("OpenAI-Beta", "") or _BETA_SUBPROTOCOL in offered:
        raise _refused(
            "beta_api_shape_disabled",
            "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
        )
    model = parse_qs(urlsplit(request.path).query).get("model", [""])[0]
    if not model:
        raise _refused(
            "missing_model",
            "You must provide a model parameter, for example "
            f"wss://api.openai.com/v1/realtime?model={MODELS[0]}.",
        )
    if model not in MODELS and model not in models:
        raise _refused("invalid_model", f'Model "{model}" is not supported in realtime mode.')
    return model


def _key(request: Request, offered: list[str]) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return next(
        (n.removeprefix(_KEY_SUBPROTOCOL) for n in offered if n.startswith(_KEY_SUBPROTOCOL)), ""
    )


def _check_key(key: str, api_keys: Collection[str] | None) -> None:
    accepted = bool(key) and "invalid" not in key if api_keys is None else key in api_keys
    if not accepted:
        raise bad_key(key)


def bad_key(key: str) -> SessionRefused:
    """The refusal of a key, of which it shows the ends."""
    shown = f"{key[:3]}***{key[-4:]}" if len(key) > 11 else "***" if key else "none"
    return SessionRefused(
        f"Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
        close_code=_BAD_KEY_CLOSE,
    )


def _refused(code: str, message: str) -> SessionRefused:
    return SessionRefused(message, code=code, close_code=_BAD_REQUEST_CLOSE)
