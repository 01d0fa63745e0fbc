"""Who may begin calls: whoever knows the server's token, and for a minute whom it gave a ticket.
Pure, but for the source of secrets.

A page shows the token once, in a header, and gets a ticket for the WebSocket, whose first message
can be read by the page's scripts and nobody else. A ticket is `expiry.number.signature`, good for
one call in this process.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from crossfade.errors import SettingsError

TICKET_LIFETIME_S = 60.0
SHORTEST_TOKEN = 16
_LONGEST_TICKET = 256
_MOST_USED = 100_000


class Access:
    """Tells whom to let in.

    Args:
        tokens: Each lets its holder in; none lets everybody in.
        secret: Signs the tickets; the processes of one server share it.

    Raises:
        SettingsError: A token is too short to be a secret.
    """

    def __init__(self, tokens: Sequence[str] = (), secret: str = "") -> None:
        if tokens and min(map(len, tokens)) < SHORTEST_TOKEN:
            raise SettingsError(
                f"an access token must have {SHORTEST_TOKEN} characters or more; make one with: "
                "openssl rand -hex 32"
            )
        self._tokens = [_digest(token) for token in tokens]
        secret = secret or secrets.token_hex(32)
        self._key = hashlib.sha256(b"crossfade access ticket\0" + secret.encode()).digest()
        self._used: dict[str, float] = {}

    @property
    def needed(self) -> bool:
        """Whether anything must be shown at all."""
        return bool(self._tokens)

    def knows(self, token: str | None) -> bool:
        """Whether this token lets its holder in."""
        shown = _digest(token or "")
        found = [hmac.compare_digest(shown, each) for each in self._tokens]
        return any(found) or not self._tokens

    def ticket(self, now_s: float) -> str:
        """A ticket for who has shown the token.

        Args:
            now_s: Unix time.
        """
        told = f"{now_s + TICKET_LIFETIME_S:.0f}.{secrets.token_urlsafe(12)}"
        return f"{told}.{self._sign(told)}"

    def admits(self, shown: str | None, now_s: float) -> bool:
        """Whether a client may begin a call: it shows the token, or a ticket that was not used.

        Args:
            shown: By the client.
            now_s: Unix time.
        """
        if not self._tokens:
            return True
        if shown is None:
            return False
        return self.knows(shown) or self._takes(shown, now_s)

    def _takes(self, ticket: str, now_s: float) -> bool:
        told, _, signature = ticket.rpartition(".")
        if len(ticket) > _LONGEST_TICKET or not ticket.isascii():
            return False
        if not hmac.compare_digest(self._sign(told), signature) or ticket in self._used:
            return False
        expires_s = float(told.partition(".")[0])
        if now_s >= expires_s:
            return False
        if len(self._used) >= _MOST_USED:
            self._used = {each: until for each, until in self._used.items() if until > now_s}
        self._used[ticket] = expires_s
        return True

    def _sign(self, told: str) -> str:
        return hmac.new(self._key, told.encode(), "sha256").hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


__all__ = ["SHORTEST_TOKEN", "TICKET_LIFETIME_S", "Access"]
