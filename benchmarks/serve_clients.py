"""The callers of a measured server: many lines over raw sockets, at next to no cost.

    python -m crossfade.benchmarks.serve_clients CORE ORDER

reads what to do as JSON and prints what it measured as JSON. What is said is encoded before.
"""

import base64
import heapq
import os
import select
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import orjson

from .call_messages import read_stamp
from .call_script import CYCLES, FRAME_BYTES, FRAME_MS, microphone

BUSY = 4503
APART_S = 0.1
"""From one call's beginning to the next one's."""
PIECE_BYTES = 960
REPORT_EVERY = 5
"""Of so many frames of the microphone: ten reports a second."""
SAMPLE_EVERY = 10
"""Of so many pieces of the agent's sound, the time of one is kept; the late ones of all count."""
FEWEST_PIECES = 25
"""Of an answer that has a pace."""
LATE_MS = 20.0
_HELLO = {"type": "hello", "version": 1, "input_rate_hz": 16000, "output_rate_hz": 24000}
_NO_MASK = bytes(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the callers do."""

    host: str
    port: int
    calls: int
    warm_up_s: float
    seconds: float


@dataclass(slots=True, kw_only=True)
class Call:
    """One caller, and what it was told."""

    number: int
    service_number: int = -1
    """As the service counts them."""
    first_due_ns: int = 0
    sent: int = 0
    """Frames of the microphone."""
    pieces: int = 0
    down_ms: list[float] = field(default_factory=list)
    """Of some: from when the service sent it to its arrival."""
    late_ms: list[float] = field(default_factory=list)
    """Of some: how much later it came than its turn, 20 ms behind the one before it; the answer's
    beat is the median of its pieces."""
    late: int = 0
    """Of all: those that came more than 20 ms later."""
    close_code: int | None = None
    died: bool = False


def frame(payload: bytes, opcode: int) -> bytes:
    """A client's message, masked with zeros."""
    length = len(payload)
    head = bytes([0x80 | opcode])
    if length < 126:
        return head + bytes([0x80 | length]) + _NO_MASK + payload
    return head + b"\xfe" + struct.pack("!H", length) + _NO_MASK + payload


class Line:
    """The socket of one caller."""

    def __init__(self, order: Order, call: Call, frames: list[bytes]) -> None:
        self.call = call
        self._frames = frames
        self._unread = b""
        self._stream = 0
        self._heard_samples = 0
        self._answer = -1
        self._took_ms: list[float] = []
        """Of the pieces of the answer, from when each was sent to its arrival."""
        self._came_ms: list[float] = []
        """When each of them came."""
        self.measures = False
        self.talks = False
        self.sock = socket.create_connection((order.host, order.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {order.host}:{order.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.sock.setblocking(False)
        self._open = False

    def speak(self, due_ns: int) -> None:
        """Send the next 20 ms."""
        call = self.call
        call.first_due_ns = call.first_due_ns or due_ns
        data = self._frames[call.sent % len(self._frames)]
        call.sent += 1
        if call.sent % REPORT_EVERY == 0 and self._stream:
            told = {"type": "played", "stream": self._stream, "samples": self._heard_samples}
            data += frame(orjson.dumps(told), 1)
        self._send(data)

    def read(self) -> None:
        """Take what has come."""
        try:
            data = self.sock.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.call.died = self.call.close_code is None
            return
        self._unread += data
        if not self._open:
            head, ends, self._unread = self._unread.partition(b"\r\n\r\n")
            if not ends:
                self._unread = head
                return
            self._open = True
            self._send(frame(orjson.dumps({**_HELLO, "reports": True, "details": True}), 1))
        now_ns = time.monotonic_ns()
        at = 0
        unread = self._unread
        while (found := _payload(unread, at)) is not None:
            start, end = found
            self._take(unread[at] & 0x0F, unread[start:end], now_ns)
            at = end
        self._unread = unread[at:]

    def _take(self, opcode: int, payload: bytes, now_ns: int) -> None:
        if opcode == 2:
            self._heard_samples += len(payload) // 2
            for start in range(0, len(payload), PIECE_BYTES):
                self._hear(payload[start : start + PIECE_BYTES], now_ns)
        elif opcode == 1:
            self._control(payload)
        elif opcode == 9:
            self._send(frame(payload, 10))
        elif opcode == 8:
            self.call.close_code = int.from_bytes(payload[:2], "big")

    def _control(self, payload: bytes) -> None:
        if b'"clear"' in payload or b'"ready"' in payload:
            told = orjson.loads(payload)
            self._stream, self._heard_samples = told["stream"], 0
            if told["type"] == "ready":
                self._send(frame(b'{"type":"microphone","from_sample":0}', 1))
                self.talks = True

    def _hear(self, piece: bytes, now_ns: int) -> None:
        if (stamped := read_stamp(piece)) is None:
            return
        sent_ns, answer = stamped
        call = self.call
        call.service_number = answer
        took_ms = (now_ns - sent_ns) / 1e6
        if answer != self._answer:
            self._answer = answer
            self.count()
        if self.measures:
            self._took_ms.append(took_ms)
            self._came_ms.append(now_ns / 1e6)

    def count(self) -> None:
        """Note how evenly an answer came that is over."""
        took_ms, self._took_ms = self._took_ms, []
        came_ms, self._came_ms = self._came_ms, []
        if len(took_ms) < FEWEST_PIECES:
            return
        # Each has its turn 20 ms behind the one before; what comes later is heard as a gap.
        turns_ms = [each - number * FRAME_MS for number, each in enumerate(came_ms)]
        pace_ms = statistics.median(turns_ms)
        call = self.call
        # Not the same of each answer: the first comes before its beat.
        some = slice(call.pieces % SAMPLE_EVERY, None, SAMPLE_EVERY)
        call.pieces += len(took_ms)
        call.late += sum(each - pace_ms > LATE_MS for each in turns_ms)
        call.down_ms += [round(each, 2) for each in took_ms[some]]
        call.late_ms += [round(max(0.0, each - pace_ms), 2) for each in turns_ms[some]]

    def _send(self, data: bytes) -> None:
        try:
            self.sock.send(data)
        except OSError:
            # A server that does not read is as bad as one that is gone.
            self.call.died = self.call.close_code is None


def _payload(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of a server's frame begins and ends; None if it has not come yet."""
    have = len(data) - at
    if have < 2:
        return None
    length, start = data[at + 1] & 0x7F, at + 2
    if length == 126:
        if have < 4:
            return None
        length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
    elif length == 127:
        if have < 10:
            return None
        length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
    return (start, start + length) if len(data) >= start + length else None


def hold(order: Order, begun: Callable[[], None] = lambda: None) -> list[Call]:
    """Hold the calls; each caller says the same again and again.

    Args:
        order: How many, and for how long.
        begun: Called when all are there and the measurement begins.
    """
    sound = microphone(CYCLES["talk"])
    frames = [frame(sound[at : at + FRAME_BYTES], 2) for at in range(0, len(sound), FRAME_BYTES)]
    poll, lines = select.epoll(), dict[int, Line]()
    now_s = time.monotonic()
    # When something is due: a call's beginning, or its next 20 ms.
    due: list[tuple[int, int, Line | None]] = [
        (int((now_s + number * APART_S) * 1e9), number, None) for number in range(order.calls)
    ]
    heapq.heapify(due)
    calls: list[Call] = []
    measures_s = now_s + order.calls * APART_S + order.warm_up_s
    ends_s, measuring = measures_s + order.seconds, False
    step_ns = FRAME_MS * 1_000_000
    while (now_s := time.monotonic()) < ends_s:
        if not measuring and now_s >= measures_s:
            measuring = True
            for line in lines.values():
                line.measures = True
            begun()
        wait_s = max(0.0, due[0][0] / 1e9 - now_s) if due else 1.0
        for fd, _ in poll.poll(min(wait_s, ends_s - now_s)):
            line = lines[fd]
            line.read()
            if line.call.died or line.call.close_code is not None:
                poll.unregister(fd)
                lines.pop(fd).sock.close()
        while due and due[0][0] <= time.monotonic_ns():
            due_ns, number, speaker = heapq.heappop(due)
            if speaker is None:
                call = Call(number=number)
                calls.append(call)
                speaker = Line(order, call, frames)
                lines[speaker.sock.fileno()] = speaker
                poll.register(speaker.sock, select.EPOLLIN)
            elif speaker.talks:
                speaker.speak(due_ns)
            if not speaker.call.died and speaker.call.close_code is None:
                heapq.heappush(due, (due_ns + step_ns, number, speaker))
    for line in lines.values():
        line.count()
    return calls


def _main() -> None:
    os.sched_setaffinity(0, {int(sys.argv[1])})
    order = Order(**orjson.loads(sys.argv[2]))

    def begun() -> None:
        sys.stdout.write("begun\n")
        sys.stdout.flush()

    found = hold(order, begun)
    sys.stdout.buffer.write(orjson.dumps([asdict(call) for call in found]))


if __name__ == "__main__":
    _main()

__all__ = ["APART_S", "BUSY", "LATE_MS", "Call", "Order", "frame", "hold"]
