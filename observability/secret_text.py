"""Finds credentials: by the form of a text, by the name of what holds it, and known ones."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

REMOVED = "[removed]"

# Names of what holds a credential, in small letters without what joins their words.
_SECRET_NAMES = frozenset({"handle", "headers", "jwt", "newhandle", "setcookie"})
_SECRET_ENDINGS = (
    "accesskey",
    "apikey",
    "authorization",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "subscriptionkey",
    "token",
)
_JOINTS = re.compile(r"[\W_]+")
# What follows a name, up to a quote or what parts values; a full stop behind it is none of it.
_VALUE = r"[^\s\"'<>&#\\]*[^\s\"'<>&#\\,;.:)}!?]"
# Keys as OpenAI, xAI, Groq and Google spell them, and the value of an Authorization header.
_PREFIXED = re.compile(r"\b(?:sk|ek|gsk|xai|auth_tokens)[-_/][\w*-]{6,}")
_GOOGLE = re.compile(r"\bAIza[\w-]{16,}|\bAQ\.[\w-]{10,}|\bya29\.[\w.-]{6,}")
_BEARER = re.compile(r"\bbearer\s+[^\s\"']+", re.IGNORECASE)
_TOKEN = re.compile(r"\btoken\s+(?=\S*\d)[\w.~+/-]{16,}=*", re.IGNORECASE)
_BASIC = re.compile(r"\bbasic\s+([\w+/-]{6,}={0,2})", re.IGNORECASE)
_HEADER = re.compile(
    r"(authorization[\"'\\]*\s*[:=]\s*[\"'\\]*)"
    rf"(?:(?:api-?key|basic|bearer|digest|negotiate|token)\s+)?{_VALUE}",
    re.IGNORECASE,
)
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*")
_USER = re.compile(r"(//[^\s/:@\"'<>\\?#]*:)[^\s/\"'<>\\]+@")
_QUERY = re.compile(
    r"((?:^|[?&;#])(?:[\w.~-]*(?:token|secret|passw(?:or)?d|passphrase|credential|signature"
    r"|(?:access|api|private|secret|subscription)[-_.]?key)|auth|authorization|key|sig)=)" + _VALUE,
    re.IGNORECASE,
)
# Azure's older ones are bare hexadecimal digits, as many ids are: only what calls them a key
# tells them, but for those that begin as the wires' ids do.
KEY_NAME = r"(?:key|secret|token|credential|password)"
_NAMED_HEX = re.compile(
    rf"({KEY_NAME}s?\b[^0-9a-z]*(?:(?!{KEY_NAME})[a-z]{{1,12}}[^0-9a-z]+){{0,4}})"
    r"(?<!\bitem_)(?<!\bresp_)(?<!\bcall_)(?<!\bevent_)(?<!\bsess_)(?<!\bconv_)[0-9a-f]{32,}\b",
    re.IGNORECASE,
)
HEX = re.compile(r"[0-9a-fA-F]{32,}")
_RUN = re.compile(r"[0-9A-Za-z]{32}")
# Azure's newer ones; sound in base64 has such a run here and there, between other characters.
_AZURE = re.compile(r"(?<![\w+/=-])(?=[A-Za-z]*\d)[0-9A-Za-z]{84}(?![\w+/=-])")
_SHORTEST = 8
"""Characters: what is shorter is no credential."""
_LONG = 32
_URL_SAFE = str.maketrans("-_", "+/")
_SECRET_VARIABLES = ("_KEY", "_PASSWORD", "_SECRET", "_TOKEN")

_values: tuple[str, ...] = ()
"""Credentials of this process as they may be written, the longest first."""


def secret_values(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables that are named as credentials are: *_KEY, *_TOKEN and the like.

    Args:
        environment: The process's.
    """
    found: dict[str, None] = {}
    for name, value in environment.items():
        if name.upper().endswith(_SECRET_VARIABLES):
            # Some hold several.
            found |= dict.fromkeys(part.strip() for part in (value, *value.split(",")))
    return tuple(value for value in found if len(value) >= _SHORTEST)


def remove_values(values: Iterable[str]) -> None:
    """Have these, and no others, removed literally wherever they stand, in all texts to come."""
    global _values
    written = {
        form for value in values for form in (value, json.dumps(value)[1:-1], quote(value, safe=""))
    }
    _values = tuple(sorted(written, key=lambda form: (-len(form), form)))


def without_secrets(text: str) -> str:
    """The text without anything that looks like a credential."""
    if len(text) < _SHORTEST:
        return text
    for value in _values:
        if value in text:
            text = text.replace(value, REMOVED)
    # Nearly no text has any of these: a look for letters costs less than an expression.
    small = text.lower()
    if "sk" in small or "ek" in small or "xai" in small or "auth_tokens" in small:
        text = _PREFIXED.sub(REMOVED, text)
    if "aiza" in small or "aq." in small or "ya29." in small:
        text = _GOOGLE.sub(REMOVED, text)
    if "eyj" in small:
        text = _JWT.sub(REMOVED, text)
    if "=" in small:
        text = _QUERY.sub(rf"\1{REMOVED}", text)
    if "@" in small and "//" in small:
        text = _USER.sub(rf"\1{REMOVED}@", text)
    text = _without_headers(text, small)
    if len(text) >= _LONG and _RUN.search(text):
        text = _AZURE.sub(REMOVED, text)
        text = _NAMED_HEX.sub(rf"\1{REMOVED}", text) if HEX.search(text) else text
    return text


def _without_headers(text: str, small: str) -> str:
    if "bearer" in small:
        text = _BEARER.sub(REMOVED, text)
    if "basic" in small:
        text = _BASIC.sub(_without_login, text)
    if "token" in small:
        text = _TOKEN.sub(REMOVED, text)
    if "authorization" in small:
        text = _HEADER.sub(rf"\1{REMOVED}", text)
    return text


def _without_login(found: re.Match[str]) -> str:
    """Of what follows `Basic`, only a name and a password in base64 are some."""
    letters = found[1].rstrip("=").translate(_URL_SAFE)
    try:
        login = base64.b64decode(letters + "=" * (-len(letters) % 4)).decode()
    except ValueError:
        return found[0]
    return REMOVED if ":" in login and login.isprintable() else found[0]


def names_secret(key: str) -> bool:
    """Whether what lies under a key is a credential. What counts tokens is none."""
    name = _JOINTS.sub("", key.lower())
    return name in _SECRET_NAMES or name.endswith(_SECRET_ENDINGS)


__all__ = [
    "HEX",
    "KEY_NAME",
    "REMOVED",
    "names_secret",
    "remove_values",
    "secret_values",
    "without_secrets",
]
