"""Clients that cost next to nothing: prepared bytes up, and the kernel's time of what comes down.

The time that counts is the kernel's, taken when the server's write arrives, so that a client that
is late to read does not blame the server. How late it read is measured beside it.
"""

import base64
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

# From Linux's asm-generic/socket.h; Python has no name for it.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("qq")
_DELTA = b'{"type":"response.output_audio.delta"'
_READ_BYTES = 256 * 1024


def _frame(payload: bytes) -> bytes:
    """A text message of a client, masked with zeros."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack("!H", length)
    return b"\x81" + size + bytes(4) + payload


_APPEND = _frame(
    b'{"type":"input_audio_buffer.append","audio":"' + base64.b64encode(bytes(960)) + b'"}'
)
_RESPOND = _frame(b'{"type":"response.create"}')


@dataclass(slots=True)
class Client:
    """One session. Its deltas' times, in seconds of the wall clock, are those of the kernel."""

    sock: socket.socket
    arrived_s: list[float] = field(default_factory=list)
    read_late_s: list[float] = field(default_factory=list)
    other: int = 0
    _rest: bytes = b""

    def read(self) -> None:
        """Take what has come.

        Raises:
            ConnectionError: The server has hung up.
        """
        data, ancillary, _, _ = self.sock.recvmsg(_READ_BYTES, 64)
        if not data:
            raise ConnectionError("the emulator closed a session")
        now_s = time.time()
        came_s = now_s
        if ancillary:
            # The kernel begins to take times a moment after it was asked to.
            seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
            came_s = seconds + nanoseconds / 1e9
        self.read_late_s.append(now_s - came_s)
        self._rest += data
        while (payload := self._next()) is not None:
            if payload.startswith(_DELTA):
                self.arrived_s.append(came_s)
            else:
                self.other += 1

    def _next(self) -> bytes | None:
        """The payload of the next whole frame."""
        rest = self._rest
        if len(rest) < 4:
            return None
        length, start = rest[1], 2
        if length == 126:
            length, start = int.from_bytes(rest[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(rest[2:10], "big"), 10
        if len(rest) < start + length:
            return None
        self._rest = rest[start + length :]
        return rest[start : start + length]

    def speak(self) -> None:
        """Send 20 ms of silence."""
        self.sock.send(_APPEND)


def opened(port: int) -> Client:
    """A client whose session is there and has been asked to speak without end."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\nAuthorization: Bearer sk-test\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    if b" 101 " not in head:
        raise ConnectionError(f"the emulator answered {head.splitlines()[0].decode()}")
    sock.setblocking(False)
    return Client(sock)


def run(
    clients: Sequence[Client], seconds: float, chunk_s: float, *, ask: bool = False
) -> list[float]:
    """Hold all calls for so long; returns how late each send was, in seconds.

    What the clients send is spread evenly over a chunk.

    Args:
        clients: Who calls.
        seconds: For how long.
        chunk_s: From one send of a client to its next.
        ask: Ask for speech first.
    """
    poll = select.epoll()
    by_fd = {client.sock.fileno(): client for client in clients}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    started_s, step_s = time.monotonic(), chunk_s / len(clients)
    late_s: list[float] = []
    number = 0
    while (now_s := time.monotonic()) < started_s + seconds:
        while (due_s := started_s + number * step_s) <= now_s:
            client = clients[number % len(clients)]
            if ask and number < len(clients):
                client.sock.send(_RESPOND)
            client.speak()
            late_s.append(now_s - due_s)
            number += 1
        for fd, _ in poll.poll(max(0.0, due_s - time.monotonic())):
            by_fd[fd].read()
    poll.close()
    return late_s
