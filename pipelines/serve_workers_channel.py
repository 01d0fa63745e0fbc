"""Messages and open connections between the processes of one server.

A message is JSON, in packets of a sequenced socket; connections go along with the first packet.
"""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson

PACKET_BYTES = 32 * 1024
MOST_UNSENT_BYTES = 4 * 2**20
"""What may wait for a process that does not read; more is dropped, and its connections closed."""
LARGEST_MESSAGE_BYTES = 8 * 2**20
_MOST_CONNECTIONS = 4
_MORE, _LAST = b"+", b"."

Message = Mapping[str, Any]
Receive = Callable[[Message, "list[socket.socket]"], None]


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a channel."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Channel:
    """One end, on the running loop.

    Args:
        end: Closed with the channel.
        receive: Told each message, with the connections that came with it.
        gone: Told when the other process has ended.
    """

    def __init__(self, end: socket.socket, receive: Receive, gone: Callable[[], None]) -> None:
        end.setblocking(False)
        self._end = end
        self._receive = receive
        self._gone = gone
        self._parts: list[bytes] = []
        self._came: list[socket.socket] = []
        self._unsent: deque[tuple[bytes, socket.socket | None]] = deque()
        self._unsent_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end.fileno(), self._read)

    def send(self, kind: str, *, connection: socket.socket | None = None, **fields: Any) -> bool:
        """Send a message; gives whether it was not dropped.

        Args:
            kind: What it is.
            connection: Goes to the other process; it is closed here.
            fields: What it says.
        """
        content = orjson.dumps({"kind": kind, **fields})
        if self._end.fileno() < 0 or self._unsent_bytes + len(content) > MOST_UNSENT_BYTES:
            if connection is not None:
                connection.close()
            return False
        for at in range(0, len(content), PACKET_BYTES):
            part = content[at : at + PACKET_BYTES]
            last = at + PACKET_BYTES >= len(content)
            self._unsent.append(((_LAST if last else _MORE) + part, None if at else connection))
            self._unsent_bytes += len(part) + 1
        self._write()
        return True

    def close(self) -> None:
        """Send and receive nothing more."""
        if self._end.fileno() < 0:
            return
        self._loop.remove_reader(self._end.fileno())
        self._loop.remove_writer(self._end.fileno())
        self._end.close()
        for _, connection in self._unsent:
            if connection is not None:
                connection.close()
        self._unsent.clear()
        self._drop_half()

    def _write(self) -> None:
        while self._unsent:
            packet, connection = self._unsent[0]
            try:
                if connection is None:
                    self._end.send(packet)
                else:
                    socket.send_fds(self._end, [packet], [connection.fileno()])
            except BlockingIOError:
                self._loop.add_writer(self._end.fileno(), self._write)
                return
            except OSError:
                # The reader is told of the end.
                break
            self._unsent.popleft()
            self._unsent_bytes -= len(packet)
            if connection is not None:
                connection.close()
        self._loop.remove_writer(self._end.fileno())

    def _read(self) -> None:
        try:
            packet, fds, _, _ = socket.recv_fds(self._end, PACKET_BYTES + 1, _MOST_CONNECTIONS)
        except BlockingIOError:
            return
        except OSError:
            packet, fds = b"", []
        self._came += [_connection(fd) for fd in fds]
        if not packet:
            self.close()
            self._gone()
            return
        self._parts.append(packet[1:])
        if packet[:1] == _LAST:
            content, came = b"".join(self._parts), self._came
            self._parts, self._came = [], []
            self._receive(orjson.loads(content), came)
        elif sum(map(len, self._parts)) > LARGEST_MESSAGE_BYTES:
            self._drop_half()

    def _drop_half(self) -> None:
        for each in self._came:
            each.close()
        self._parts, self._came = [], []


def _connection(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)
    connection = socket.socket(fileno=fd)
    with contextlib.suppress(OSError):
        connection.setblocking(False)
    return connection


__all__ = ["Channel", "Message", "channel_pair"]
