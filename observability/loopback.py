"""Bytes that are between two sockets of one event loop.

A loopback write is usually, not always, readable at the next poll: the kernel may put the
delivery off. A virtual clock must not jump over such bytes, so they are counted.
"""

import selectors
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Any

Path = tuple[Any, Any]
"""The addresses of the sending and the receiving end."""


class LoopbackLedger:
    """Counts what was written to and read from the TCP sockets of one loop."""

    def __init__(self) -> None:
        self._ends: dict[Path, int] = {}
        self._in_flight: Counter[Path] = Counter()
        self.opened_or_closed = False
        """Whether a connection was made, shut down or closed since this was last set to False."""

    def adopt(self, sock: socket.socket) -> socket.socket:
        """Return a socket that takes the place of `sock` and whose bytes are counted.

        A socket that is not connected over IP is returned as it is.
        """
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return sock
        try:
            local, peer = sock.getsockname(), sock.getpeername()
        except OSError:
            return sock
        counted = CountedSocket(sock, self, local, peer)
        self._ends[peer, local] = counted.fileno()
        self.opened_or_closed = True
        return counted

    def sent(self, path: Path, length_bytes: int) -> None:
        self._in_flight[path] += length_bytes

    def received(self, path: Path, length_bytes: int) -> None:
        self._in_flight[path] -= length_bytes
        if not self._in_flight[path]:
            del self._in_flight[path]

    def shut(self) -> None:
        self.opened_or_closed = True

    def closed(self, incoming: Path) -> None:
        self._ends.pop(incoming, None)
        self._in_flight.pop(incoming, None)
        self.opened_or_closed = True

    def anything_in_flight(self, watched: Mapping[Any, selectors.SelectorKey]) -> bool:
        """Whether bytes are on their way to an end that the loop is reading from.

        Args:
            watched: The selector's map from file descriptors to keys.
        """
        for path, length_bytes in self._in_flight.items():
            if length_bytes > 0 and (fd := self._ends.get(path)) is not None:
                key = watched.get(fd)
                if key is not None and key.events & selectors.EVENT_READ:
                    return True
        return False

    def forget(self) -> None:
        """Give up on everything in flight."""
        self._in_flight.clear()


class CountedSocket(socket.socket):
    """A connected, non-blocking socket that tells a ledger what passes through it."""

    def __init__(self, sock: socket.socket, ledger: LoopbackLedger, local: Any, peer: Any) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self.setblocking(False)
        self._ledger = ledger
        self._outgoing = (local, peer)
        self._incoming = (peer, local)

    def send(self, data: Any, flags: int = 0, /) -> int:
        length_bytes = super().send(data, flags)
        self._ledger.sent(self._outgoing, length_bytes)
        return length_bytes

    def sendmsg(self, *args: Any) -> int:
        length_bytes = super().sendmsg(*args)
        self._ledger.sent(self._outgoing, length_bytes)
        return length_bytes

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(bufsize, flags)
        self._ledger.received(self._incoming, len(data))
        return data

    def recv_into(self, *args: Any) -> int:
        length_bytes = super().recv_into(*args)
        self._ledger.received(self._incoming, length_bytes)
        return length_bytes

    def shutdown(self, how: int, /) -> None:
        super().shutdown(how)
        self._ledger.shut()

    def close(self) -> None:
        self._ledger.closed(self._incoming)
        super().close()
