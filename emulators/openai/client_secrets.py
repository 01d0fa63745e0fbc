"""Ephemeral keys, with which a browser may start a session that its server has configured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .identifiers import Identifiers

PREFIX = "ek_"
LIMIT = 1000
"""More are not kept; the oldest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """One key."""

    value: str
    expires_s: float
    """By the clock of the secrets."""
    session: Mapping[str, Any]
    """The session.update that its sessions begin with."""


class ClientSecrets:
    """The keys given out. One gates the start of sessions, any number of them until it expires.

    Args:
        identifiers: Makes the keys.
        now_s: A clock.
    """

    def __init__(self, identifiers: Identifiers, now_s: Callable[[], float]) -> None:
        self._identifiers = identifiers
        self._now_s = now_s
        self._given: dict[str, ClientSecret] = {}

    def mint(self, session: Mapping[str, Any], seconds: int) -> ClientSecret:
        """A key that starts sessions with these settings for so long."""
        secret = ClientSecret(
            value=PREFIX + self._identifiers.new("secret").removeprefix("secret_"),
            expires_s=self._now_s() + seconds,
            session=session,
        )
        self._given[secret.value] = secret
        for old in list(self._given)[:-LIMIT]:
            del self._given[old]
        return secret

    def session_of(self, value: str) -> Mapping[str, Any] | None:
        """What a key was made for; None where it is unknown or has expired."""
        secret = self._given.get(value)
        if secret is None or secret.expires_s <= self._now_s():
            return None
        return secret.session
