"""Sessions on disk: what went over a wire, message by message, in both directions.

A file is YAML: `version: 1` and a list of `interactions`, each with a `direction` (`sent` is the
client's, `received` the service's), a `kind` and `data`:

    message  a JSON object
    text     a text frame as it is
    binary   a binary frame in base64
    close    the service closes: `code` and `reason`

In a `sent` message only what matters is written down; the client may say more.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml


class Kind(Enum):
    MESSAGE = "message"
    TEXT = "text"
    BINARY = "binary"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message of a session."""

    sent: bool
    """By the client; else by the service."""
    kind: Kind
    data: Any
    """An object, text, bytes, or the code and reason of a close."""


def load(path: Path) -> Sequence[Step]:
    """Read a session.

    Raises:
        ValueError: It is not version 1, or a step is of no known kind or direction.
    """
    content = yaml.safe_load(path.read_text("utf-8"))
    if content.get("version") != 1:
        raise ValueError(f"{path} is not a session of version 1")
    return [_step(path, fields) for fields in content["interactions"]]


def _step(path: Path, fields: dict[str, Any]) -> Step:
    if fields["direction"] not in ("sent", "received"):
        raise ValueError(f"{path} has a step in direction {fields['direction']!r}")
    kind = Kind(fields["kind"])
    data = fields["data"]
    return Step(
        sent=fields["direction"] == "sent",
        kind=kind,
        data=base64.b64decode(data, validate=True) if kind is Kind.BINARY else data,
    )


__all__ = ["Kind", "Step", "load"]
