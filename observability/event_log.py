"""The event log of a call: JSON Lines, one object for each wire message and frame of note.

The format is described in docs/event-log.md and docs/event-log.schema.json.
"""

import contextlib
import json
from collections import deque
from collections.abc import Callable
from os import fspath
from pathlib import Path
from typing import Any

import orjson

from crossfade.errors import SettingsError
from crossfade.providers.tap import WireDirection

from .disk import DiskThread
from .redaction import redact
from .wire import (
    AudioMessage,
    audio_message,
    describe_audio,
    describe_message,
)

_DIRECTIONS = {WireDirection.SENT: "out", WireDirection.RECEIVED: "in"}
# A minute of audio both ways, and an hour of everything else on a disk that does not answer.
_AUDIO_LINES = 6_000
_OTHER_LINES = 50_000

_Message = str | bytes | AudioMessage | dict[str, Any]
_Entry = tuple[int, float, str, _Message]
"""Its place in the log, its time, its direction, and what it is about."""


class EventLog:
    """Writes the log off the audio path. Implements `WireTap`.

    Lines wait in two bounded queues for one thread, which writes them every quarter of a second
    and when the log is closed; a killed process loses no more than that. When the queue of audio
    lines is full, the oldest is dropped; when the other one is full, the newest is refused. Both
    are counted in the log's last line.

    Args:
        path: The file, replaced if it exists.
        clock: The time in seconds, the event loop's `time`. Now is the call's start.
        content: Whether words are kept: texts, transcripts, instructions, tool arguments and
            results. Sound and credentials never are.

    Raises:
        SettingsError: The file cannot be created.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float], content: bool = True) -> None:
        self._clock = clock
        self._start_s = clock()
        self._content = content
        try:
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115  # closed by close()
        except OSError as error:
            raise SettingsError(
                f"{fspath(path)}: cannot be written ({error.strerror}); "
                "give a folder that exists and is yours to write"
            ) from error
        self._written_bytes = 0
        self._audio: deque[_Entry] = deque(maxlen=_AUDIO_LINES)
        self._audio_put = 0
        self._audio_taken = 0
        self._other: deque[_Entry] = deque()
        self._place = 0
        self._closed = False
        self.secret_arguments: frozenset[str] = frozenset()
        """Names of tools' arguments whose values are left out."""
        self.dropped_lines = 0
        """Other lines that found no room."""
        self.failure: OSError | None = None
        """What the disk answered when the log had to be given up."""
        self._thread = DiskThread(self._drain)

    @property
    def now_s(self) -> float:
        """Seconds since the call's start."""
        return self._clock() - self._start_s

    @property
    def dropped_audio_lines(self) -> int:
        """Lines of audio messages that found no room."""
        return self._audio_put - self._audio_taken - len(self._audio)

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        """Log a message of the wire."""
        audio = audio_message(message)
        if audio is None:
            self._put(_DIRECTIONS[direction], message)
        else:
            self.audio(direction, audio)

    def audio(self, direction: WireDirection, audio: AudioMessage) -> None:
        """Log an audio message that was already recognised as one."""
        if self._closed:
            return
        self._place += 1
        self._audio_put += 1
        self._audio.append((self._place, self.now_s, _DIRECTIONS[direction], audio))
        if len(self._audio) == _AUDIO_LINES // 4:
            self._thread.wake()

    def frame(self, kind: str, fields: dict[str, Any]) -> None:
        """Log a frame of note."""
        self._put("frame", {"type": kind, **fields})

    def call(self, kind: str, fields: dict[str, Any] | None = None) -> None:
        """Log something about the call itself: its start, its end, an error."""
        self._put("call", {"type": kind, **(fields or {})})

    def close(self) -> None:
        """Write what waits and a last line that counts what was dropped. Blocks for the disk."""
        if self._closed:
            return
        self._closed = True
        self._thread.close()
        counts = {
            "type": "log.closed",
            "dropped_audio_lines": self.dropped_audio_lines,
            "dropped_lines": self.dropped_lines,
        }
        self._write(self._line(self.now_s, "call", counts))
        self._file.close()

    def _put(self, direction: str, message: _Message) -> None:
        if self._closed:
            return
        if len(self._other) >= _OTHER_LINES:
            self.dropped_lines += 1
            return
        self._place += 1
        self._other.append((self._place, self.now_s, direction, message))

    def _drain(self) -> None:
        """Write all that waits. Runs in the writing thread."""
        audio = _take_all(self._audio)
        self._audio_taken += len(audio)
        entries = sorted([*audio, *_take_all(self._other)], key=lambda entry: entry[0])
        if entries:
            self._write(b"".join(self._line(*entry[1:]) for entry in entries))

    def _write(self, lines: bytes) -> None:
        if self.failure is not None:
            return
        left = memoryview(lines)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self.failure = error
            with contextlib.suppress(OSError):
                self._file.truncate(self._written_bytes)
        else:
            self._written_bytes += len(lines)

    def _line(self, at_s: float, direction: str, message: _Message) -> bytes:
        if isinstance(message, AudioMessage):
            fields = describe_audio(message)
        elif isinstance(message, dict):
            fields = redact(message, content=self._content)
        else:
            fields = describe_message(
                message, content=self._content, secret_arguments=self.secret_arguments
            )
        return _encode({"t": round(at_s, 6), "dir": direction, **fields})


def _take_all(queue: deque[_Entry]) -> list[_Entry]:
    taken: list[_Entry] = []
    # Not by iteration: the loop's thread goes on appending.
    with contextlib.suppress(IndexError):
        while True:
            taken.append(queue.popleft())
    return taken


def _encode(line: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Lone surrogates, keys that are no strings, integers over 64 bits.
        return json.dumps(line, default=str).encode() + b"\n"
