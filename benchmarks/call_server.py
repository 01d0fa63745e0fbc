"""A service that holds many calls at next to no cost, and notes when each piece of sound came.

It speaks OpenAI's realtime protocol with prepared bytes, its sound in messages of 20 ms or of
several times as much, on a core of its own. What it does follows from the caller's sound that it
got: see `call_script`. Where the client finds the turns, it does as it is told, `round_trip_ms`
later.

    python -m crossfade.benchmarks.call_server CORE CYCLE SPEED ROUND_TRIP_MS PIECES

prints its port, serves until its standard input ends, and then prints what it noted as JSON.
"""

import base64
import gc
import hashlib
import heapq
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from crossfade.errors import CrossfadeError

from . import call_messages as say
from .call_script import CYCLES, FRAME_MS, Cycle
from .starvation import Starvation

BYTES_PER_MS = 48
COUNTED = "counted"
ANSWERS = 128
"""Where calls are counted, the numbers of answers tell which call they are of: so many, again and
again."""
ANSWER_AFTER_MS = 300
"""From the end of the caller's turn to the answer."""
_STEP_MS = 7
"""The word that a caller speaks comes so much later after a piece of sound with each turn."""
_APPEND = b'"input_audio_buffer.append"'
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_READ_BYTES = 256 * 1024
_MOST_UNSENT_BYTES = 4 * 2**20


class _Schedule:
    """What is to be done when."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[int], None]]] = []
        self._count = 0

    def at(self, due_ns: int, do: Callable[[int], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due_ns, self._count, do))

    def run(self) -> float:
        """Do what is due; the seconds until the next."""
        while self._heap and self._heap[0][0] <= time.monotonic_ns():
            due_ns, _, do = heapq.heappop(self._heap)
            do(due_ns)
        if not self._heap:
            return 1.0
        return max(0.0, (self._heap[0][0] - time.monotonic_ns()) / 1e9)


@dataclass(slots=True)
class _Call:
    """One session of a client."""

    sock: socket.socket
    schedule: _Schedule
    cycle: Cycle
    speed: float
    round_trip_ms: float
    number: int
    offset_ms: int
    speaks: bool
    late_ms: deque[float]
    pieces_a_message: int = 1
    note_every: int = 1
    """Of so many pieces of the caller's sound, it is noted when one came."""
    pieces: int = 0
    unread: bytes = b""
    unsent: bytearray = field(default_factory=bytearray)
    heard_bytes: int = 0
    came: list[tuple[int, int]] = field(default_factory=list)
    """When a piece of the caller's sound came, and how much sound had come with it, in bytes."""
    speech_started_ns: list[int] = field(default_factory=list)
    client_turns: bool = False
    tool: str | None = None
    answer: say.Answer | None = None
    answers: int = 0
    first_answer: int = 0
    turns: int = 0
    cues: deque[tuple[float, Callable[[], None]]] = field(default_factory=deque)
    alive: bool = True

    def send(self, data: bytes) -> None:
        if self.unsent:
            self.unsent += data
            return
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.alive = False
            return
        if sent < len(data):
            self.unsent += data[sent:]

    def send_unsent(self) -> None:
        if not self.unsent:
            return
        if len(self.unsent) > _MOST_UNSENT_BYTES:
            self.alive = False
            return
        try:
            del self.unsent[: self.sock.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.alive = False

    # What the client says

    def read(self) -> None:
        try:
            data = self.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.alive = False
            return
        now_ns = time.monotonic_ns()
        self.unread += data
        while (got := self._next()) is not None:
            opcode, payload = got
            if opcode == 8:
                self.alive = False
                return
            if opcode == 9:
                self.send(say.frame(payload, opcode=10))
            elif opcode <= 2:
                self._take(payload, now_ns)
        self.send_unsent()

    def _next(self) -> tuple[int, bytes] | None:
        """The next whole message: its kind and its payload."""
        data = self.unread
        if len(data) < 6:
            return None
        length, start = data[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + 4 + length:
            return None
        mask, masked = data[start : start + 4], data[start + 4 : start + 4 + length]
        self.unread = data[start + 4 + length :]
        key = (mask * (length // 4 + 1))[:length]
        plain = int.from_bytes(masked, "big") ^ int.from_bytes(key, "big")
        return data[0] & 0x0F, plain.to_bytes(length, "big")

    def _take(self, payload: bytes, now_ns: int) -> None:
        # Clients put the fields in different orders; the sound lies between the others.
        if _APPEND in payload[:120] or _APPEND in payload[-120:]:
            start = payload.index(b'"', payload.index(b'"audio"') + 7) + 1
            end = payload.index(b'"', start)
            self.heard_bytes += (end - start) * 3 // 4 - payload.count(b"=", end - 2, end)
            self.pieces += 1
            if self.pieces % self.note_every == 0:
                self.came.append((now_ns, self.heard_bytes))
            self._follow_the_caller()
            return
        told = orjson.loads(payload)
        match told["type"]:
            case "session.update":
                self._configure(told["session"])
            case "response.create":
                self._later(self.round_trip_ms, self._respond)
            case "response.cancel":
                self._later(self.round_trip_ms, self._cut)
            case "input_audio_buffer.commit":
                self.turns += 1
                self.send(say.committed(self.turns))
            case "conversation.item.truncate":
                self.send(say.truncated(told["item_id"], told["audio_end_ms"]))
            case "conversation.item.create":
                item = {"id": f"made_{now_ns}", "object": "realtime.item", "status": "completed"}
                item |= told["item"]
                self.send(say.message("conversation.item.added", previous_item_id=None, item=item))
                self.send(say.message("conversation.item.done", previous_item_id=None, item=item))

    def _configure(self, session: Mapping[str, Any]) -> None:
        first = not self.turns and not self.cues and self.answer is None
        audio_input = (session.get("audio") or {}).get("input") or {}
        # Absent is the default, the service's own; null or false is the client's.
        self.client_turns = not audio_input.get("turn_detection", True)
        tools = session.get("tools") or []
        self.tool = tools[0]["name"] if tools else None
        self.send(say.session("session.updated"))
        if first and self.speaks:
            self._respond()
            if not self.client_turns:
                self._plan_turn()

    # What the service does of itself

    def _follow_the_caller(self) -> None:
        at_ms = self.heard_bytes / BYTES_PER_MS
        while self.cues and self.cues[0][0] <= at_ms:
            self.cues.popleft()[1]()

    def _plan_turn(self) -> None:
        """Note where in the caller's sound the next turn begins and ends.

        Who speaks already when the call begins is noticed at once.
        """
        start_ms = self.turns * self.cycle.length_ms - self.offset_ms
        if start_ms + self.cycle.stopped_ms <= 0:
            start_ms += self.cycle.length_ms
            self.turns += 1
        self.cues.append((start_ms + self.cycle.started_ms, self._notice_speech))
        self.cues.append((start_ms + self.cycle.stopped_ms, self._speech_stopped))

    def _notice_speech(self) -> None:
        """Tell of the speech, each time at another moment between two pieces of sound: from afar,
        the word does not come just when the client has sent one."""
        self._later(_STEP_MS * self.turns % FRAME_MS, self._speech_started)

    def _speech_started(self) -> None:
        word = say.speech_started(self.turns, self.heard_bytes / BYTES_PER_MS)
        self.speech_started_ns.append(time.monotonic_ns())
        self.send(word)
        self._cut()

    def _speech_stopped(self) -> None:
        self.send(say.speech_stopped(self.turns, self.heard_bytes / BYTES_PER_MS))
        self.turns += 1
        self._plan_turn()
        answer_after_ms = min(ANSWER_AFTER_MS, self.cycle.length_ms // 10)
        self._later(answer_after_ms, self._respond_or_call)

    def _respond_or_call(self) -> None:
        if self.tool is None:
            self._respond()
            return
        self._cut()
        self.answers += 1
        answer = say.Answer(self.answers, tool=self.tool)
        self.send(answer.begin() + answer.call())

    def _respond(self) -> None:
        self._cut()
        self.answers += 1
        number = self.first_answer + self.answers % ANSWERS
        answer = self.answer = say.Answer(number, pieces=self.pieces_a_message)
        self.send(answer.begin())
        message_ms = say.DELTA_MS * self.pieces_a_message
        step_ns = int(message_ms * 1e6 / self.speed)
        left_ms = self.cycle.answer_ms

        def speech(due_ns: int) -> None:
            nonlocal left_ms
            if self.answer is not answer or not self.alive:
                return
            if left_ms is not None:
                if left_ms <= 0:
                    self._end("completed")
                    return
                left_ms -= message_ms
            now_ns = time.monotonic_ns()
            self.late_ms.append((now_ns - due_ns) / 1e6)
            self.send(answer.speech(now_ns))
            self.schedule.at(due_ns + step_ns, speech)

        self.schedule.at(time.monotonic_ns(), speech)

    def _cut(self) -> None:
        self._end("cancelled")

    def _end(self, status: str) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            self.send(answer.end(status))

    def _later(self, ms: float, do: Callable[[], None]) -> None:
        def done(_: int) -> None:
            if self.alive:
                do()

        if ms:
            self.schedule.at(time.monotonic_ns() + int(ms * 1e6), done)
        else:
            do()


def _accept(listener: socket.socket) -> tuple[socket.socket, list[str]]:
    """Take a client and agree on a WebSocket; gives the parts of the path it asked for."""
    sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(5)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (got := sock.recv(4096)):
            break
        head += got
    lines = head.split(b"\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(b":") for x in lines)}
    key = headers.get(b"sec-websocket-key", b"")
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + say.session("session.created")
    )
    sock.setblocking(False)
    return sock, lines[0].split()[1].decode().partition("?")[0].strip("/").split("/")


def _serve(cycle: Cycle, speed: float, round_trip_ms: float, pieces: int) -> dict[str, Any]:
    """Serve until the standard input ends; what was noted, by the number of the call."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    schedule = _Schedule()
    calls: dict[int, _Call] = {}
    late_ms: deque[float] = deque(maxlen=200_000)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    everyone: list[_Call] = []
    gc.freeze()
    starvation = Starvation(min(os.sched_getaffinity(0)))
    while True:
        for fd, _ in poll.poll(schedule.run()):
            if fd == listener.fileno():
                try:
                    sock, path = _accept(listener)
                except (OSError, IndexError):
                    # A client that was gone by then, or slow; it may come again.
                    continue
                call = _Call(
                    sock,
                    schedule,
                    cycle,
                    speed,
                    round_trip_ms,
                    # Who cannot tell its calls apart has them counted.
                    number=len(everyone) if path[1] == COUNTED else int(path[1]),
                    offset_ms=int(path[2]),
                    note_every=int(path[3]) if len(path) > 3 else 1,
                    first_answer=len(everyone) * ANSWERS if path[1] == COUNTED else 0,
                    speaks=path[0] == "talk",
                    pieces_a_message=pieces,
                    late_ms=late_ms,
                )
                calls[sock.fileno()] = call
                everyone.append(call)
                poll.register(sock, select.EPOLLIN)
            elif fd == 0:
                return {
                    "late_p99_ms": sorted(late_ms)[len(late_ms) * 99 // 100] if late_ms else 0.0,
                    "cpu_s": time.process_time(),
                    "starved": starvation.share(),
                    "calls": {
                        str(call.number): {"came": call.came, "speech": call.speech_started_ns}
                        for call in everyone
                    },
                }
            elif fd in calls:
                calls[fd].read()
                if not calls[fd].alive:
                    poll.unregister(fd)
                    calls.pop(fd).sock.close()


class ServerProcess:
    """The running service."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self._process = process
        self.port = int(process.stdout.readline())

    def end(self) -> dict[str, Any]:
        """End it; what it noted.

        Raises:
            CrossfadeError: It has failed.
        """
        out, _ = self._process.communicate()
        if self._process.returncode:
            raise CrossfadeError("the service of the measured calls failed; see its traceback")
        noted: dict[str, Any] = orjson.loads(out)
        return noted


@contextmanager
def served(
    core: int,
    cycle: str = "talk",
    *,
    speed: float = 1.0,
    round_trip_ms: float = 0.0,
    pieces: int = 1,
) -> Iterator[ServerProcess]:
    """Run the service in a process of its own on one core.

    Args:
        core: Which.
        cycle: What callers do, by name.
        speed: How much faster than real time it speaks.
        round_trip_ms: How far away it is.
        pieces: Of 20 ms, in each message of its sound.
    """
    arguments = [str(core), cycle, str(speed), str(round_trip_ms), str(pieces)]
    with subprocess.Popen(
        [sys.executable, "-m", __name__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield ServerProcess(process)
        finally:
            if process.poll() is None:
                process.kill()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    noted = _serve(CYCLES[sys.argv[2]], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
    sys.stdout.buffer.write(orjson.dumps(noted))
