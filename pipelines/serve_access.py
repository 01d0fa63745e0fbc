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
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from crossfade.errors import SettingsError
from crossfade.providers.address import is_loopback

TICKET_LIFETIME_S = 60.0
VISIT_LIFETIME_S = 12 * 3600.0
SHORTEST_TOKEN = 16
NOT_OWN = (
    "not from this server's own page; or by a name that is not this machine's own, for which the "
    "server needs CROSSFADE_TOKEN\n"
)
"""What those are told whom `from_own_page` does not know."""
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

    def key(self, purpose: str) -> bytes:
        """For signing something else, which the processes of one server share, too."""
        return hmac.digest(self._key, f"key for {purpose}".encode(), "sha256")

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

    def visit(self, token: str, now_s: float) -> str:
        """What a browser that has shown a token shows instead, to look at calls.

        Args:
            token: It is good for as long as this one.
            now_s: Unix time.
        """
        told = f"{_VISIT}{now_s + VISIT_LIFETIME_S:.0f}.{secrets.token_urlsafe(12)}"
        return f"{told}.{self._sign(told, _digest(token))}"

    def visits(self, shown: str | None, now_s: float) -> bool:
        """Whether a browser may look at calls."""
        if not self._tokens:
            return True
        told, _, signature = (shown or "").rpartition(".")
        if len(told) > _LONGEST_TICKET or not told.isascii() or not told.startswith(_VISIT):
            return False
        given = signature.encode(errors="replace")
        signed = [self._sign(told, each).encode() for each in self._tokens]
        good = [hmac.compare_digest(each, given) for each in signed]
        return any(good) and now_s < float(told.split(".")[1])

    def _sign(self, told: str, token: bytes = b"") -> str:
        return hmac.new(self._key + token, told.encode(), "sha256").hexdigest()


def from_own_page(headers: Mapping[str, str], access: Access) -> bool:
    """Whether no page of another site asks, whose user does not know of it.

    Without a token the server must also be asked by a name of this machine's own: another site's
    may be made to lead here, and a proxy here lets everybody come to loopback.

    Args:
        headers: Of the request.
        access: Whether a token is asked for besides.
    """
    host, origin = headers.get("Host", ""), headers.get("Origin")
    if headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        return False
    try:
        if not access.needed and not is_loopback(f"ws://{host}"):
            return False
        return origin is None or urlsplit(origin).netloc == host
    except ValueError:
        # Its host cannot be one.
        return False


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


__all__ = ["NOT_OWN", "SHORTEST_TOKEN", "TICKET_LIFETIME_S", "Access", "from_own_page", "shown_in"]
