"""The event log of a call: JSON Lines, one object for each wire message and frame of note.

The format is described in docs/event-log.md and docs/event-log.schema.json.
"""

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from os import fspath
from pathlib import Path
from typing import Any

import orjson

from crossfade.errors import SettingsError
from crossfade.providers.tap import WireDirection

from .append_file import AppendFile
from .disk import DiskThread
from .redaction import redact
from .secret_text import remove_values, secret_values
from .tool_secrets import SecretArguments
from .wire import AudioMessage, AudioReader, describe_audio, describe_message

# Minutes of audio both ways, and an hour of everything else on a disk that does not answer.
_AUDIO_LINES = 2_000
_OTHER_LINES = 50_000
# So long a run of audio messages stands in one line, if nothing else comes between them.
_RUN_S = 0.25


@dataclass(slots=True)
class _Run:
    """Audio messages of one direction and one item that follow each other."""

    place: int
    about: AudioMessage
    """The first of them."""
    at_s: list[float]
    """When each came."""
    audio_bytes: int
    message_bytes: int


class _Lane:
    """One direction of the wire."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reader = AudioReader()
        self.run: _Run | None = None
        """May still grow."""


_Message = str | bytes | _Run | dict[str, Any]
_Entry = tuple[int, float, str, _Message]
"""Its place in the log, its time, its direction, and what it is about."""


class EventLog:
    """Writes the log off the audio path. Implements `WireTap`.

    Audio messages that follow each other within a quarter of a second stand in one line. Lines
    wait in two bounded queues for one thread, which writes them every second and when the log is
    closed; a killed process loses no more than that, and the last line of audio. When the queue
    of audio lines is full, the oldest is dropped; when the other one is full, the newest is
    refused. Both are counted in the log's last line.

    What the environment has under names of credentials by then is removed wherever it stands.

    Args:
        path: The file, replaced if it exists.
        clock: The time in seconds, the event loop's `time`. Now is the call's start.
        content: Whether words are kept: texts, transcripts, instructions, tool arguments and
            results. Sound and credentials never are.

    Raises:
        SettingsError: The file cannot be created.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float], content: bool = True) -> None:
        remove_values(secret_values(os.environ))
        self._clock = clock
        self._start_s = clock()
        self._content = content
        try:
            self._file = AppendFile(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666))
        except OSError as error:
            raise SettingsError(
                f"{fspath(path)}: cannot be written ({error.strerror}); "
                "give a folder that exists and is yours to write"
            ) from error
        self._sent, self._received = _Lane("out"), _Lane("in")
        self._audio: deque[_Entry] = deque(maxlen=_AUDIO_LINES)
        self._audio_put = 0
        self._audio_taken = 0
        self._other: deque[_Entry] = deque()
        self._place = 0
        self._closed = False
        self.secret_arguments = SecretArguments()
        """Tools' arguments whose values are left out."""
        self.dropped_lines = 0
        """Other lines that found no room."""
        self._thread = DiskThread(self._drain)

    @property
    def now_s(self) -> float:
        """Seconds since the call's start."""
        return self._clock() - self._start_s

    @property
    def failure(self) -> OSError | None:
        """What the disk answered when the log had to be given up."""
        return self._file.failure

    @property
    def dropped_audio_lines(self) -> int:
        """Lines of audio messages that found no room."""
        return self._audio_put - self._audio_taken - len(self._audio)

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        """Log a message of the wire."""
        self.read(direction, message)

    def read(self, direction: WireDirection, message: str | bytes) -> AudioMessage | None:
        """Log a message of the wire, and tell what it is if it carries sound."""
        lane = self._sent if direction is WireDirection.SENT else self._received
        audio = lane.reader.read(message)
        if audio is None:
            self._put(lane.name, message)
        elif not self._closed:
            self._add_audio(lane, audio)
        return audio

    def _add_audio(self, lane: _Lane, audio: AudioMessage) -> None:
        now_s = self._clock() - self._start_s
        run = lane.run
        if run is not None:
            about = run.about
            if (
                audio.item_id == about.item_id
                and audio.response_id == about.response_id
                and audio.type == about.type
                and now_s < run.at_s[0] + _RUN_S
            ):
                run.at_s.append(now_s)
                run.audio_bytes += audio.audio_bytes
                run.message_bytes += audio.message_bytes
                return
            self._end_runs()
        self._place += 1
        lane.run = _Run(self._place, audio, [now_s], audio.audio_bytes, audio.message_bytes)

    def _end_runs(self) -> None:
        """Have the lines of audio written: something else comes behind them."""
        ended = [
            (lane.run.place, lane.run.at_s[0], lane.name, lane.run)
            for lane in (self._sent, self._received)
            if lane.run is not None
        ]
        self._sent.run = self._received.run = None
        self._audio_put += len(ended)
        self._audio.extend(sorted(ended, key=lambda entry: entry[0]))
        if len(self._audio) >= _AUDIO_LINES // 4:
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
        self._end_runs()
        self._thread.close()
        counts = {
            "type": "log.closed",
            "dropped_audio_lines": self.dropped_audio_lines,
            "dropped_lines": self.dropped_lines,
        }
        self._file.append(self._line(self.now_s, "call", counts))
        self._file.close()

    def _put(self, direction: str, message: _Message) -> None:
        if self._closed:
            return
        if self._sent.run is not None or self._received.run is not None:
            self._end_runs()
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
        lines = []
        for entry in entries:
            lines.append(self._line(*entry[1:]))
            self._thread.breathe()
        if lines:
            self._file.append(b"".join(lines))

    def _line(self, at_s: float, direction: str, message: _Message) -> bytes:
        if isinstance(message, _Run):
            fields = _describe_run(message)
        elif isinstance(message, dict):
            fields = redact(message, content=self._content, rest=self._thread.breathe)
        else:
            fields = describe_message(
                message, content=self._content, secret_arguments=self.secret_arguments
            )
        return _encode({"t": round(at_s, 6), "dir": direction, **fields})


def _describe_run(run: _Run) -> dict[str, Any]:
    sums = {"bytes": run.message_bytes, "audio_bytes": run.audio_bytes}
    fields = describe_audio(run.about) | sums
    if len(run.at_s) > 1:
        began_s = run.at_s[0]
        # Rounded to whole numbers first, which is quicker.
        fields["at_ms"] = [round((at_s - began_s) * 10_000) / 10 for at_s in run.at_s]
    return fields


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
