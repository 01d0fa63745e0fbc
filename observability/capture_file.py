"""Reads captures back."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from crossfade.errors import SettingsError

from .capture import CAPTURE, VERSION
from .capture_records import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that happened."""

    t: float
    """Seconds since the call's start."""
    kind: str
    fields: dict[str, Any]

    @property
    def sound(self) -> bytes:
        """The s16le mono of an `input` or a `phrase`."""
        return base64.b64decode(self.fields["audio"])

    @property
    def data(self) -> str | bytes:
        """The content of a `message`."""
        if "text" in self.fields:
            return str(self.fields["text"])
        return base64.b64decode(self.fields["binary"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedCall:
    """A capture, as far as it goes."""

    records: Sequence[Record]
    complete: bool
    """Whether it has the mark of an orderly end."""
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the call was set up with, by name."""

    def of(self, *kinds: str) -> Iterator[Record]:
        """The records of some kinds, in order."""
        return (record for record in self.records if record.kind in kinds)

    @property
    def began(self) -> bool:
        """Whether the chain was started, so that nothing was wrong with its settings."""
        return any(one.fields["type"] == "StartFrame" for one in self.of("frame"))

    @property
    def end_s(self) -> float:
        """When the chain was told to end; of a call that was cut off, the last that is known."""
        end = self.end
        return self.records[-1].t if end is None else end.t

    @property
    def hung_up(self) -> bool:
        """Whether the call ended at once, and not when all was played."""
        end = self.end
        return end is None or end.fields["type"] == "CancelFrame"

    @property
    def end(self) -> Record | None:
        """The frame that told the chain to end; a call that was cut off has none."""
        ends = ("EndFrame", "CancelFrame")
        return next((one for one in self.of("frame") if one.fields["type"] in ends), None)


def capture_path(run: Path) -> Path:
    """Where the capture of a call lies, given its folder or the file itself."""
    return run / CAPTURE if run.is_dir() else run


def read_capture(run: Path) -> CapturedCall:
    """Read the capture of a call, given its folder or the file itself.

    A last record that a crash cut off is passed over.

    Raises:
        SettingsError: There is none, or it cannot be understood.
    """
    path = capture_path(run)
    if not path.is_file():
        raise SettingsError(
            f"{run} holds no capture ({CAPTURE}), so it cannot be run again; "
            "make the call with --capture"
        )
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    # What follows the last newline is empty, or was cut off.
    records = [_record(path, number, line) for number, line in enumerate(lines[:-1], 1)]
    if not records or records[0].kind != "begun":
        raise SettingsError(f"{path}: is no capture; its first record is not `begun`")
    if records[0].fields.get("version") != VERSION:
        raise SettingsError(
            f"{path}: is a capture of version {records[0].fields.get('version')}, this Crossfade "
            f"reads version {VERSION}; use the version that made it"
        )
    _check_lines(path, records)
    settings = {
        record.fields["name"]: record.fields["values"]
        for record in records
        if record.kind == "settings"
    }
    return CapturedCall(records=records, complete=records[-1].kind == "ended", settings=settings)


def _record(path: Path, number: int, line: bytes) -> Record:
    try:
        fields = _decoded(line)
        kind = str(fields.pop("is"))
        check(kind, fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SettingsError(f"{path}: line {number} is no record of a capture") from error
    return Record(t=float(fields.pop("t")), kind=kind, fields=fields)


def _check_lines(path: Path, records: Sequence[Record]) -> None:
    """See that each connection was dialled before anything happened on it."""
    dialled = 0
    for number, record in enumerate(records, 1):
        line = record.fields.get("line", 0)
        if record.kind == "dialled":
            dialled += 1
            known = line == dialled
        else:
            known = record.kind not in ("message", "closed") or line <= dialled
        if not known:
            raise SettingsError(f"{path}: line {number} is of connection {line}, never dialled")


def _decoded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        # Lone surrogates, and integers over 64 bits.
        return json.loads(line)


__all__ = ["CapturedCall", "Record", "capture_path", "read_capture"]
