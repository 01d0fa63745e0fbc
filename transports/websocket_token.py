"""The token by which a caller's client re-attaches to its call. Pure, but for the secret's source.

A token is `v2.<key id>.<claims>.<signature>`: the claims are JSON in base64, the signature is
HMAC-SHA256 of all before it. Whoever has it has the call: it goes into the first message or the
Authorization header, never into an address or a log.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.errors import SettingsError

LIFETIME_S = 3600.0
"""A token is worth nothing so long after it was issued."""
SHORTEST_SECRET = 16
_VERSION = "v2"
_LONGEST_TOKEN = 2048


class TokenRefused(SettingsError):
    """The token is not one of ours, has been altered, is of another key, or has expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says."""

    call_id: str
    attachment: int
    """How many attachments of the call there were before: each gives a newer token."""
    began_at: float
    """Unix time: a later call of the same name is another one."""
    kept: bool = True
    """Whether the store had the call when it was issued; else only its server knows of it."""
    expires_at: float
    """Unix time."""
    input_rate_hz: int
    output_rate_hz: int


class TokenSigner:
    """Signs with the first secret, and knows tokens of all of them.

    Args:
        secrets_: Of at least 16 characters each; the newest first, older ones as long as their
            tokens shall be good.

    Raises:
        SettingsError: There is none, or one is too short.
    """

    def __init__(self, secrets_: Sequence[str]) -> None:
        if not secrets_ or min(map(len, secrets_)) < SHORTEST_SECRET:
            raise SettingsError(
                f"the secret that signs tokens must have {SHORTEST_SECRET} characters or more; "
                "make one with: openssl rand -hex 32"
            )
        keys = [hashlib.sha256(b"crossfade resume token\0" + s.encode()).digest() for s in secrets_]
        self._keys = {hashlib.sha256(key).hexdigest()[:8]: key for key in reversed(keys)}
        self._key_id = hashlib.sha256(keys[0]).hexdigest()[:8]

    def issue(self, claims: Claims) -> str:
        """A token that says this."""
        body = [
            claims.call_id,
            claims.attachment,
            claims.began_at,
            claims.kept,
            claims.expires_at,
            claims.input_rate_hz,
            claims.output_rate_hz,
        ]
        signed = f"{_VERSION}.{self._key_id}.{_encode(json.dumps(body).encode())}"
        return f"{signed}.{_encode(_sign(self._keys[self._key_id], signed))}"

    def read(self, token: str, now_s: float) -> Claims:
        """What a token says.

        Args:
            token: As a client showed it.
            now_s: Unix time.

        Raises:
            TokenRefused: It is worth nothing. The text does not quote it.
        """
        signed, _, signature = token.rpartition(".")
        version, key_id, body = [*signed.split("."), "", "", ""][:3]
        key = self._keys.get(key_id)
        fits = token.isascii() and len(token) <= _LONGEST_TOKEN
        if version != _VERSION or key is None or not fits:
            raise TokenRefused("the token is not of this server's key; begin a new call")
        # As text: the same bytes can be written in several ways.
        if not hmac.compare_digest(_encode(_sign(key, signed)), signature):
            raise TokenRefused("the token's signature is wrong; begin a new call")
        # Signed by us: it is well-formed.
        call_id, attachment, began_at, kept, expires_at, in_hz, out_hz = json.loads(_decode(body))
        if now_s >= expires_at:
            raise TokenRefused("the token has expired; begin a new call")
        return Claims(
            call_id=call_id,
            attachment=attachment,
            began_at=began_at,
            kept=kept,
            expires_at=expires_at,
            input_rate_hz=in_hz,
            output_rate_hz=out_hz,
        )


def fresh_secret() -> str:
    """A secret that nobody can guess."""
    return secrets.token_hex(32)


def _sign(key: bytes, signed: str) -> bytes:
    return hmac.digest(key, signed.encode(), "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


__all__ = ["LIFETIME_S", "SHORTEST_SECRET", "Claims", "TokenRefused", "TokenSigner", "fresh_secret"]
