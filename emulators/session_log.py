"""The event log of one session, in the format of docs/event-log.md."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson

from crossfade.errors import SettingsError

logger = logging.getLogger(__name__)

FLUSH_S = 0.25
_IDS = ("event_id", "response_id", "item_id", "call_id", "previous_item_id")
_IDS_WITH_SOUND = ("response_id", "item_id")
# Names as both wires spell them, without underscores and in lower case.
_SECRET = frozenset(
    {"authorization", "apikey", "clientsecret", "accesstoken", "token", "handle", "newhandle"}
)
_KEY = re.compile(r"\b(?:sk|ek|rk)[-_][\w-]{8,}|AIza[\w-]{20,}|auth_tokens/[\w-]+|Bearer\s+\S+")
_SOUND_OR_IMAGE = frozenset({"audio", "data", "image_url"})
_LONG_CHARACTERS = 256


class SessionLog:
    """Writes what passes over one connection as JSON Lines.

    Sound and images are logged by their size, credentials not at all. What the disk refuses is
    logged once and lost: the session goes on.

    Args:
        folder: Where the file goes; it is made if it is not there.
        number: Of the connection; the file is `session-<number>.jsonl`.

    Raises:
        SettingsError: The file cannot be written.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        path = folder / f"session-{number:04}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO | None = path.open("wb", buffering=0)
        except OSError as error:
            raise SettingsError(
                f"cannot write the session's log {path}: {error.strerror}; choose another folder"
            ) from error
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._line("call", "call.started", {"started_at": datetime.now(UTC).isoformat()})

    def message(
        self,
        direction: Literal["in", "out"],
        type: str,
        body: Mapping[str, Any] | None,
        *,
        size_bytes: int,
        audio_bytes: int,
    ) -> None:
        """Log a message."""
        fields: dict[str, Any] = {"bytes": size_bytes}
        rest = dict(body or {})
        ids = {name: rest.pop(name) for name in _IDS if isinstance(rest.get(name), str)}
        if audio_bytes:
            fields["audio_bytes"] = audio_bytes
            fields |= {name: ids[name] for name in _IDS_WITH_SOUND if name in ids}
        elif body is not None:
            rest.pop("type", None)
            fields |= ids
            fields["body"] = _redacted(rest)
        self._line(direction, type, fields)

    def close(self) -> None:
        """The connection is gone."""
        self._line("call", "call.ended", {"duration_s": self._loop.time() - self._began_s})
        self._line("call", "log.closed", {"dropped_lines": 0})
        if self._timer is not None:
            self._timer.cancel()
        self._write()
        self._abandon()

    def _line(self, direction: str, type: str, fields: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        at_s = round(self._loop.time() - self._began_s, 6)
        line = {"t": at_s, "dir": direction, "type": type or "text", **fields}
        self._lines.append(orjson.dumps(line))
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_S, self._write)

    def _write(self) -> None:
        self._timer = None
        lines, self._lines = self._lines, []
        if self._file is None:
            return
        try:
            self._file.write(b"".join(line + b"\n" for line in lines))
        except OSError as error:
            logger.error("the session's log ends: %s", error)
            self._abandon()

    def _abandon(self) -> None:
        """Write no more."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()


def _redacted(value: Any, name: str = "") -> Any:
    """`value` without credentials, sound and images."""
    if value and name.replace("_", "").lower() in _SECRET:
        return "[redacted]"
    if isinstance(value, Mapping):
        return {key: _redacted(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner, name) for inner in value]
    if not isinstance(value, str):
        return value
    if name in _SOUND_OR_IMAGE and len(value) > _LONG_CHARACTERS:
        return f"[{len(value)} characters]"
    return _KEY.sub("[redacted]", value)
