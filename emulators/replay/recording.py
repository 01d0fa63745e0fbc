"""Recordings: what went over a wire, message by message, in both directions.

    version: 1
    interactions:
      - direction: sent                  # by the client; `received` is the service's
        kind: message                    # a JSON object
        data: {type: session.update, session: {type: realtime}}
      - direction: received
        kind: message
        at_ms: 140                       # optional: since the session began
        data: {type: session.updated}

Other kinds are `text`, a text message as it stands, `binary`, one in base64, and `close`, of the
service, with `code` and `reason`; the code 1006 ends the connection without one. The same entries
may be JSON Lines, one a line, in a file whose name ends in `.jsonl`. Of what the client sent only
what matters need be written down.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from crossfade.errors import SettingsError

from ..faults.script import CloseCode, CloseReason


class Closing(BaseModel):
    """How the service closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: CloseCode | Literal[1006] = 1000
    """1006 is no close: the connection just ended."""
    reason: CloseReason = ""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)

    direction: Literal["sent", "received"]
    kind: Literal["message", "text", "binary", "close"]
    data: Any
    at_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message of a recording."""

    sent: bool
    """By the client."""
    data: dict[str, Any] | str | bytes | Closing
    at_ms: float | None
    """Since the session began, where that was recorded."""


Recording = Sequence[Step]


def load_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        SettingsError: The file cannot be read, or is no recording.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            entries: Any = [orjson.loads(line) for line in text.splitlines() if line.strip()]
        else:
            entries = _interactions(yaml.load(text, Loader=_Loader))
        return [_step(entry) for entry in TypeAdapter(list[_Entry]).validate_python(entries)]
    except OSError as error:
        raise SettingsError(
            f"cannot read the recording {path}: {error.strerror}; name a readable file"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"recording {path}: interactions.{where}: {first['msg']}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"recording {path}: {error}") from error


# In C where PyYAML has it: recordings are long.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _interactions(document: Any) -> Any:
    if not isinstance(document, dict) or document.get("version") != 1:
        raise ValueError("it is no recording of version 1; write 'version: 1' and 'interactions:'")
    return document.get("interactions")


def _step(entry: _Entry) -> Step:
    return Step(sent=entry.direction == "sent", data=_data(entry), at_ms=entry.at_ms)


def _data(entry: _Entry) -> dict[str, Any] | str | bytes | Closing:
    match entry.kind, entry.data:
        case "message", dict(body):
            return _as_sent(body)
        case "text", str(text):
            return text
        case "binary", str(text):
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as error:
                raise ValueError(f"a binary message is no base64: {error}") from error
        case "close", _ if entry.direction == "received":
            return Closing.model_validate(entry.data)
    raise ValueError(f"a {entry.kind} that was {entry.direction} cannot be {entry.data!r:.80}")


def _as_sent(body: dict[str, Any]) -> dict[str, Any]:
    """A message as JSON has it: YAML knows more than it."""
    try:
        sent: dict[str, Any] = orjson.loads(orjson.dumps(body))
    except orjson.JSONEncodeError as error:
        raise ValueError(f"a message is no JSON: {error}") from error
    return sent
