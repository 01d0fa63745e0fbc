"""Who may begin calls: whoever knows the server's token, and for a minute whom it gave a ticket.
Pure, but for the source of secrets.

A page shows the token once, in a header, and gets a ticket for the WebSocket, whose first message
can be read by the page's scripts and nobody else. A ticket is `expiry.number.signature`, good for
one call.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from crossfade.errors import SettingsError
from crossfade.providers.address import is_loopback

TICKET_LIFETIME_S = 60.0
VISIT_LIFETIME_S = 12 * 3600.0
SHORTEST_TOKEN = 16
_LONGEST_TICKET = 256
_VISIT = "visit."
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
        self.on_used: Callable[[str], None] = lambda ticket: None
        """Told each ticket that was used here."""

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
        if self.knows(shown):
            return True
        if ticket_taken := self.takes(shown, now_s):
            self.on_used(shown)
        return ticket_taken

    def takes(self, ticket: str, now_s: float) -> bool:
        """Whether a ticket is good, and was not used; it is used now, here or elsewhere."""
        told, _, signature = ticket.rpartition(".")
        if len(ticket) > _LONGEST_TICKET or not ticket.isascii() or told.startswith(_VISIT):
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

    def visit(self, now_s: float) -> str:
        """What a browser that has shown the token shows instead, to look at calls.

        Args:
            now_s: Unix time.
        """
        told = f"{_VISIT}{now_s + VISIT_LIFETIME_S:.0f}.{secrets.token_urlsafe(12)}"
        return f"{told}.{self._sign(told)}"

    def visits(self, shown: str | None, now_s: float) -> bool:
        """Whether a browser may look at calls."""
        if not self._tokens:
            return True
        told, _, signature = (shown or "").rpartition(".")
        if len(told) > _LONGEST_TICKET or not told.isascii() or not told.startswith(_VISIT):
            return False
        good = hmac.compare_digest(self._sign(told).encode(), signature.encode(errors="replace"))
        return good and now_s < float(told.split(".")[1])

    def _sign(self, told: str) -> str:
        return hmac.new(self._key, told.encode(), "sha256").hexdigest()


def from_own_page(origin: str | None, host: str, access: Access, *, public_host: str) -> bool:
    """Whether no page of another site asks, whose user does not know of it.

    Args:
        origin: The page's, as the browser tells; None is no browser.
        host: The server's, as the browser knows it.
        access: Whether a token is asked for besides.
        public_host: Under which the pages are known besides this machine's own names.
    """
    if origin is None:
        return True
    try:
        if urlsplit(origin).netloc != host:
            return False
    except ValueError:
        # Its host cannot be one.
        return False
    # Another site's name may be made to lead to this machine; then nothing but it tells.
    return access.needed or host == public_host or is_loopback(f"ws://{host}")


def shown_in(header: str | None) -> str | None:
    """The token of an Authorization header: as it is, or as a password that a browser asked for."""
    scheme, _, given = (header or "").partition(" ")
    match scheme.lower():
        case "bearer":
            return given.strip() or None
        case "basic":
            try:
                login = base64.b64decode(given.strip(), validate=True).decode()
            except (binascii.Error, ValueError):
                return None
            return login.partition(":")[2] or None
    return None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


__all__ = ["SHORTEST_TOKEN", "TICKET_LIFETIME_S", "Access", "from_own_page", "shown_in"]
