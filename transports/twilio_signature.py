"""Proof that a request comes from Twilio. Pure.

Source: https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit, urlunsplit

HEADER = "X-Twilio-Signature"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def signature(url: str, parameters: Mapping[str, str | Iterable[str]], auth_token: str) -> str:
    """What Twilio's header says of a request.

    Args:
        url: The whole address as Twilio knows it, with its query.
        parameters: Of the form that is posted; none of a GET or a WebSocket.
        auth_token: The account's secret.
    """
    told = url
    for name in sorted(parameters):
        value = parameters[name]
        values = [value] if isinstance(value, str) else sorted(set(value))
        told += "".join(name + each for each in values)
    digest = hmac.digest(auth_token.encode(), told.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()


def is_signed(
    given: str | None,
    url: str,
    parameters: Mapping[str, str | Iterable[str]],
    auth_token: str,
) -> bool:
    """Whether a request has the signature that its address and form ask for.

    Twilio signs addresses with their usual port and without it, and those of WebSockets with a
    slash at the end and without: each counts.
    """
    if not given:
        return False
    try:
        spellings = _spellings(url)
    except ValueError:
        # It has a host that cannot be one.
        return False
    # Every one is compared, whichever fits: the time taken tells nothing.
    found = [
        hmac.compare_digest(signature(each, parameters, auth_token).encode(), given.encode())
        for each in spellings
    ]
    return any(found)


def _spellings(url: str) -> list[str]:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    usual = _PORTS.get(parts.scheme)
    bare = host.removesuffix(f":{usual}")
    hosts = {host, bare}
    if parts.port in (None, usual):
        hosts.add(f"{bare}:{usual}")
    paths = {parts.path}
    if parts.scheme in ("ws", "wss"):
        paths |= {parts.path.rstrip("/"), parts.path.rstrip("/") + "/"}
    return [
        urlunsplit((parts.scheme, each, path, parts.query, ""))
        for each in sorted(hosts)
        for path in sorted(paths)
    ]


__all__ = ["HEADER", "is_signed", "signature"]
