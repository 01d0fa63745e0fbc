"""Tickets by which the stream of a phone call shows that a webhook of ours led to it."""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict

from crossfade.transports.websocket_messages import CloseCode

from .serve_begin import AttachmentRefused
from .serve_workers_peers import ALONE, Peers

TICKET_S = 60.0
"""So long after the webhook the stream may begin."""
_MOST_REMEMBERED = 4096
# Of letters and digits alone, which is what every company passes on unaltered.
_TICKET = re.compile(r"(([01])([0-9]{10}))([0-9a-f]{64})", re.ASCII)


class StreamTickets:
    """Gives and reads them.

    Args:
        secret: Which all processes of a server have; empty is this process's own.
        path: Of the company's webhook.
        peers: The other workers, who are told of tickets that were used.
    """

    def __init__(self, secret: bytes, path: str, peers: Peers = ALONE) -> None:
        key = f"crossfade {path[1:]} stream\0".encode() + (secret or secrets.token_bytes(32))
        self._key = hashlib.sha256(key).digest()
        self._used: OrderedDict[str, None] = OrderedDict()
        """Those by which calls have begun; the oldest are forgotten."""
        self._peers = peers
        self._what = f"ticket {path}"
        peers.on(self._what, lambda told: self._remember(told["ticket"]))

    def give(self, call_id: str, now_s: float, *, new: bool) -> str:
        """A ticket for a stream of a call.

        Args:
            call_id: The call.
            now_s: Unix time.
            new: Whether the call may begin with it.
        """
        told = f"{int(new)}{int(now_s + TICKET_S):010d}"
        return told + self._sign(call_id, told)

    def begins(self, call_id: str, ticket: str | None, now_s: float) -> bool:
        """Whether a stream may begin a call that there is not yet, which a ticket does once.

        Args:
            call_id: The call.
            ticket: As the stream shows it.
            now_s: Unix time.

        Raises:
            AttachmentRefused: No webhook of ours led to it.
        """
        read = _TICKET.fullmatch(ticket or "")
        told, new, expires, signature = ("", "", "0", "") if read is None else read.groups()
        fits = hmac.compare_digest(self._sign(call_id, told), signature)
        if not fits or now_s >= int(expires):
            raise AttachmentRefused(CloseCode.TIMEOUT, "the stream's ticket is not for this call")
        return new == "1" and ticket not in self._used

    def use(self, ticket: str) -> None:
        """The ticket has begun its call: here, and for all workers."""
        self._remember(ticket)
        self._peers.tell(self._what, ticket=ticket)

    def _remember(self, ticket: str) -> None:
        self._used[ticket] = None
        if len(self._used) > _MOST_REMEMBERED:
            self._used.popitem(last=False)

    def _sign(self, call_id: str, told: str) -> str:
        return hmac.new(self._key, f"{call_id}.{told}".encode(), "sha256").hexdigest()


__all__ = ["TICKET_S", "StreamTickets"]
