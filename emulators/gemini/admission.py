"""Who may open a session: the checks of the WebSocket request.

A refused client of the Developer API is let in and then told by a close; Vertex refuses by HTTP.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from ..connection import Refusal
from .auth_tokens import PREFIX, AuthToken, AuthTokens
from .closes import INVALID_KEY, NO_KEY, Closed
from .endpoint import Endpoint

DEFAULT_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
_DEVELOPER = re.compile(
    r"/ws/google\.ai\.generativelanguage\.(v\w+)\.GenerativeService\.BidiGenerateContent"
    r"(Constrained)?"
)
_VERTEX = re.compile(r"/ws/google\.cloud\.aiplatform\.(v\w+)\.LlmBidiService/BidiGenerateContent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A client that may open a session."""

    endpoint: Endpoint
    token: AuthToken | None = None
    """The ephemeral token that it came with."""


def admit(request: Request, api_keys: Collection[str] | None, tokens: AuthTokens) -> Admission:
    """Let a client in.

    Args:
        request: The WebSocket request.
        api_keys: Keys that are taken; None takes any but one that contains `invalid`.
        tokens: The ephemeral tokens that are taken.

    Raises:
        Closed: The client is refused in the service's own words.
        Refusal: It is refused by HTTP.
    """
    # Some clients join base and path with a slash too many.
    url = urlsplit(re.sub("^/+", "/", request.path))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    headers = {name.lower(): value for name, value in request.headers.raw_items()}
    scheme, _, credential = headers.get("authorization", "").partition(" ")
    if found := _VERTEX.fullmatch(url.path):
        bearer = credential.strip() if scheme.lower() == "bearer" else ""
        if not is_key(bearer or key_of(headers, query), api_keys):
            raise Refusal(401, "Request had invalid authentication credentials.\n")
        return Admission(endpoint=Endpoint(vertex=True, version=found[1]))
    found = _DEVELOPER.fullmatch(url.path)
    if found is None:
        raise Refusal(404, f"there is only {DEFAULT_PATH}, of any version, and Vertex's\n")
    endpoint = Endpoint(version=found[1])
    if found[2]:
        name = credential.strip() if scheme.lower() == "token" else query.get("access_token", "")
        return Admission(endpoint=endpoint, token=tokens.find(name))
    check_key(key_of(headers, query), api_keys)
    return Admission(endpoint=endpoint)


def key_of(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The API key of a request; its headers are named in lower case."""
    return headers.get("x-goog-api-key") or query.get("key", "")


def check_key(key: str, api_keys: Collection[str] | None) -> None:
    """Refuse a key that is not taken.

    Raises:
        Closed: It is not.
    """
    if not key:
        raise Closed(NO_KEY)
    if not is_key(key, api_keys):
        raise Closed(INVALID_KEY)


def is_key(key: str, api_keys: Collection[str] | None) -> bool:
    """Whether a key is taken."""
    if api_keys is not None:
        return key in api_keys
    return bool(key) and "invalid" not in key and not key.startswith(PREFIX)
