"""The capture of a call: all that it takes to run the call again. Format: docs/capture.md."""

import base64
import contextlib
import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from os import fspath
from pathlib import Path
from typing import Any

import orjson

from crossfade.providers.tap import WireDirection, WireTap

from .append_file import AppendFile
from .disk import DiskThread
from .redaction import redact, without_pieces, without_secrets
from .tool_secrets import SecretArguments, hide_arguments
from .wire import AudioReader

CAPTURE = "capture.jsonl"
VERSION = 1
MOST_BYTES = 2**30
"""A capture that grows beyond it is given up: about two hours of call."""
_PAUSE_S = 0.5
_SILENT = "BotStoppedSpeakingFrame"
_TOLD_LAG_MS = 20.0
_MOST_WAITING_BYTES = 32 * 2**20
_RECORD_BYTES = 200
_TOGETHER = 64
"""Records that are written at once."""

_Make = Callable[[], dict[str, Any]]
_Entry = tuple[float, str, dict[str, Any] | _Make]


class Capture:
    """Writes the capture off the audio path, whole records at a time.

    Everything but `close` returns at once. A capture with a hole could not be run again, so the
    first thing that goes wrong ends it: a disk that fails or does not keep up with 32 MB, or a
    file that reaches its limit. What was written until then is valid, and the call goes on.

    Args:
        path: The file, replaced if it exists; readable by its owner alone.
        now_s: Seconds since the call's start.
        most_bytes: The file's limit.
    """

    def __init__(
        self, path: Path, *, now_s: Callable[[], float], most_bytes: int = MOST_BYTES
    ) -> None:
        self._path = path
        self._now_s = now_s
        self._most_bytes = most_bytes
        self._waiting: deque[_Entry] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._closed = False
        self._lines = 0
        self._agent_speaks = False
        self._played_until_s = 0.0
        self._lag_ms = self._told_lag_ms = 0.0
        self.secret_arguments = SecretArguments()
        """Tools' arguments whose values are left out."""
        self.failure = ""
        """What ended the capture before the call; empty if nothing did."""
        self._file = self._opened()
        self._thread = DiskThread(self._drain)
        self.note("begun", {"version": VERSION})

    def settings(
        self, name: str, values: Mapping[str, Any], *, by_given_names: bool = False
    ) -> None:
        """Keep something that the call was set up with.

        Args:
            name: What it is.
            values: Its parts.
            by_given_names: Whether somebody has named the parts, such as tools: their names then
                tell nothing of what is secret.
        """

        def make() -> dict[str, Any]:
            kept = {
                part: redact(
                    value, content=True, sound=True, key="" if by_given_names else str(part)
                )
                for part, value in values.items()
            }
            return {"name": name, "values": kept}

        self._put("settings", make, _RECORD_BYTES)

    def caller_audio(self, pcm: bytes, rate_hz: int) -> None:
        """Keep what came from the transport just now: s16le mono."""
        self._put(
            "input", lambda: {"rate_hz": rate_hz, "audio": base64.b64encode(pcm)}, len(pcm) * 4 // 3
        )

    def speech(self, pcm: bytes, item_id: str, response_id: str) -> None:
        """Keep the mark of what came to the playout queue: s16le mono."""
        self._put(
            "speech",
            lambda: {
                "item_id": item_id,
                "response_id": response_id,
                "bytes": len(pcm),
                "hash": hashlib.blake2b(pcm, digest_size=8).hexdigest(),
            },
            len(pcm),
        )

    def agent_audio(self, duration_ms: float) -> None:
        """Note that so much of the agent's speech was heard by now.

        What is kept is by how much it fell behind, as on a busy machine: positions in speech
        are then not those of another run.
        """
        now_s = self._now_s()
        late_s = now_s - duration_ms / 1000 - self._played_until_s
        self._played_until_s = now_s
        # After a pause there was nothing to fall behind with.
        paused = not self._agent_speaks and late_s > _PAUSE_S
        self._agent_speaks = True
        if paused:
            self._lag_ms = self._told_lag_ms = 0.0
            return
        self._lag_ms += max(0.0, late_s * 1000)
        if self._lag_ms >= self._told_lag_ms + _TOLD_LAG_MS:
            self._told_lag_ms = self._lag_ms
            self.note("lag", {"lag_ms": round(self._lag_ms, 1)})

    def frame(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Keep a frame of note, as the event log describes it."""
        if kind == _SILENT:
            self._agent_speaks = False
        self.note("frame", {"type": kind, "fields": dict(fields)})

    def note(self, kind: str, fields: dict[str, Any], size_bytes: int = _RECORD_BYTES) -> None:
        """Keep a record of another kind; credentials in it are removed when it is written."""
        self._put(kind, fields, size_bytes)

    def message(self, line: int, lane: "_Lane", message: str | bytes) -> None:
        """Keep a message of a provider's wire."""

        def make() -> dict[str, Any]:
            data = lane.data(message, self.secret_arguments)
            return {"line": line, "dir": lane.name, **data}

        self._put("message", make, len(message))

    def dial(self, address: str, **more: str | bool) -> int:
        """Keep that a connection is made; gives its number, from 1."""
        self._lines += 1
        self.note("dialled", {"line": self._lines, "address": address, **more})
        return self._lines

    def service(self, role: str, name: str, *, in_segments: bool = False) -> "CapturedLine":
        """Begin to keep a service of a cascade, which is as a connection of its own.

        Args:
            role: stt, llm or tts.
            name: Of its kind.
            in_segments: Of a recogniser: whether it gives one final transcript for each stretch of
                local voice activity.
        """
        more = {"in_segments": True} if in_segments else {}
        return CapturedLine(self, self.dial(name, service=role, **more))

    def close(self) -> None:
        """Write what waits and the mark of an orderly end. Blocks for the disk."""
        if self._closed:
            return
        self.note("ended", {})
        self._closed = True
        self._thread.close()
        if self._file is not None:
            self._file.close()

    def _opened(self) -> AppendFile | None:
        try:
            # A file that was there keeps its mode.
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
            return AppendFile(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            self._give_up(f"cannot be written ({error.strerror})")
            return None

    def _put(self, kind: str, made: dict[str, Any] | _Make, size_bytes: int) -> None:
        if self._closed or self.failure:
            return
        entry = (self._now_s(), kind, made)
        with self._lock:
            self._waiting.append(entry)
            self._waiting_bytes += size_bytes + _RECORD_BYTES
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            self._give_up("the disk does not keep up with the call")
        elif self._waiting_bytes > _MOST_WAITING_BYTES // 8:
            self._thread.wake()

    def _give_up(self, why: str) -> None:
        self.failure = self.failure or f"{fspath(self._path)}: {why}; the capture ends here"
        with self._lock:
            self._waiting.clear()
            self._waiting_bytes = 0

    def _drain(self) -> None:
        """Write all that waits. Runs in the writing thread."""
        with self._lock:
            entries = list(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
        for first in range(0, len(entries), _TOGETHER):
            lines = []
            for entry in entries[first : first + _TOGETHER]:
                lines.append(_line(entry))
                self._thread.breathe()
            self._write(b"".join(lines))

    def _write(self, lines: bytes) -> None:
        file = self._file
        if self.failure or file is None:
            return
        if file.size_bytes + len(lines) > self._most_bytes:
            self._give_up(f"it has reached its limit of {self._most_bytes} bytes")
            return
        file.append(lines)
        if file.failure is not None:
            self._give_up(f"cannot be written ({file.failure.strerror})")


class _Lane:
    """One direction of a connection; its messages are read in the writing thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._reader = AudioReader()

    def data(self, message: str | bytes, secret_arguments: SecretArguments) -> dict[str, Any]:
        """A message as it may be kept: text as `text`, all else in base64 as `binary`."""
        raw = message.encode(errors="replace") if isinstance(message, str) else message
        if self._reader.read(raw) is not None:
            return {"text": raw.decode(errors="replace")}
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            if isinstance(message, str):
                return {"text": without_secrets(message)}
            return {"binary": base64.b64encode(raw).decode()}
        body = without_pieces(body)
        if secret_arguments:
            body = hide_arguments(body, secret_arguments)
        return {"text": orjson.dumps(redact(body, content=True, sound=True)).decode()}


class CapturedLine:
    """One connection. Implements `ConnectionTap`.

    Args:
        capture: Where it is kept.
        number: Which connection of the call it is, from 1.
        tap: Who else listens, if somebody does.
    """

    def __init__(self, capture: Capture, number: int, tap: WireTap | None = None) -> None:
        self._capture = capture
        self._number = number
        self._tap = tap
        self._sent, self._received = _Lane("out"), _Lane("in")

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        """Keep a message."""
        lane = self._sent if direction is WireDirection.SENT else self._received
        self._capture.message(self._number, lane, message)
        if self._tap is not None:
            self._tap.message(direction, message)

    def closed(self, code: int, reason: str) -> None:
        """Keep how it ended."""
        self._capture.note("closed", {"line": self._number, "code": code, "reason": reason})


class CapturingTap:
    """Has each connection of a session kept, and another tap listen as before.

    Implements `ConnectionTaps`.
    """

    def __init__(self, capture: Capture, tap: WireTap) -> None:
        self._capture = capture
        self._tap = tap

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        """A message of nobody knows which connection: it is not kept."""
        self._tap.message(direction, message)

    def connection(self, address: str) -> CapturedLine:
        """Begin to keep a connection."""
        return CapturedLine(self._capture, self._capture.dial(address), self._tap)


def _line(entry: _Entry) -> bytes:
    at_s, kind, made = entry
    # Sound holds no credentials, and messages have been rid of them.
    fields = made() if callable(made) else redact(made, content=True, sound=True)
    record = {"t": at_s, "is": kind, **fields}
    try:
        return orjson.dumps(record, default=_plain, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Lone surrogates, keys that are no strings, integers over 64 bits.
        return json.dumps(record, default=_plain).encode() + b"\n"


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else str(value)


__all__ = ["CAPTURE", "MOST_BYTES", "VERSION", "Capture", "CapturedLine", "CapturingTap"]
