"""Faults by script: what goes wrong, and when. YAML, or the same classes in Python.

    faults:
      - fault: reset           # the network drops the connection
        turn: 2                # in the second turn of the call
        at: speaking           # from the moment the answer begins to come
        after_ms: 250          # so much later
      - fault: close
        session: 2             # of the second connection that was made
        code: 1011
        reason: Internal error encountered.
        after_messages: 10     # after ten messages of the service

A fault is armed when its point is reached: `turn` and `at`, or the start of the connection, before
the service's first message, where neither is given. It strikes `after_ms` later or once
`after_messages` more messages have been sent, else at once. It strikes once.
"""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import orjson
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from websockets.frames import EXTERNAL_CLOSE_CODES

from crossfade.errors import SettingsError

from .moments import State


def _sendable(code: int) -> int:
    if code not in EXTERNAL_CLOSE_CODES and not 3000 <= code <= 4999:
        raise ValueError("a close carries 1000 to 1003, 1007 to 1014, or 3000 to 4999")
    return code


def _fitting(reason: str) -> str:
    if len(reason.encode()) > 123:
        raise ValueError("a close carries at most 123 bytes of reason")
    return reason


def _known_status(status: int) -> int:
    if status not in {known.value for known in HTTPStatus if known >= HTTPStatus.BAD_REQUEST}:
        raise ValueError("no status of a refusal: they are 4xx and 5xx")
    return status


def _encodable(message: dict[str, JsonValue] | str) -> dict[str, JsonValue] | str:
    try:
        orjson.dumps(message)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"it cannot be sent: {error}") from error
    return message


CloseCode = Annotated[int, AfterValidator(_sendable)]
CloseReason = Annotated[str, AfterValidator(_fitting)]
RefusalStatus = Annotated[int, AfterValidator(_known_status)]


class Fault(BaseModel):
    """When a fault strikes; what it does is its subclass's matter."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    marks: ClassVar[bool] = False
    """Of a wire's own fault: it only marks what comes next, so that it may strike while a session
    is in the middle of something. Any other waits until the session is out of it."""
    session: PositiveInt | Literal["every"] = 1
    """Which of the connections made to the emulator, counted from 1."""
    turn: PositiveInt | None = None
    """The turn of the call, counted from 1; a turn begins with the user's speech, text or
    request. None is the first that comes to `at`."""
    at: State | None = None
    """The state that arms it; None is the start of the turn, or of the connection."""
    after_ms: NonNegativeFloat = 0
    after_messages: NonNegativeInt = 0

    @model_validator(mode="after")
    def _one_delay(self) -> "Fault":
        if self.after_ms and self.after_messages:
            raise ValueError("give after_ms or after_messages, not both")
        return self


class Reset(Fault):
    """The connection is reset (TCP RST)."""

    fault: Literal["reset"] = "reset"


class HalfOpen(Fault):
    """The line goes dead without a word: nothing is heard, sent or closed any more, until the
    client itself has gone."""

    fault: Literal["half_open"] = "half_open"


class Close(Fault):
    """The service closes the connection."""

    fault: Literal["close"] = "close"
    code: CloseCode = 1000
    reason: CloseReason = ""


class Stall(Fault):
    """Nothing is sent for `ms`, or ever again; pings are still answered."""

    fault: Literal["stall"] = "stall"
    ms: PositiveFloat | None = None


class Burst(Fault):
    """Everything of the next `ms` comes at once when they are over."""

    fault: Literal["burst"] = "burst"
    ms: PositiveFloat = 1000


class Trickle(Fault):
    """The next `messages` come one by one, `ms` apart at least."""

    fault: Literal["trickle"] = "trickle"
    ms: PositiveFloat = 200
    messages: PositiveInt = 50


class SlowPongs(Fault):
    """Pings are answered `ms` late from now on."""

    fault: Literal["slow_pongs"] = "slow_pongs"
    ms: PositiveFloat = 30_000


class NoPongs(Fault):
    """Pings are answered no more."""

    fault: Literal["no_pongs"] = "no_pongs"


class MalformedJson(Fault):
    """A text message comes that is no JSON."""

    fault: Literal["malformed_json"] = "malformed_json"


class UnknownEvent(Fault):
    """A message comes of a kind that nobody has heard of."""

    fault: Literal["unknown_event"] = "unknown_event"


class UnknownFields(Fault):
    """The next `messages` have fields that nobody has heard of."""

    fault: Literal["unknown_fields"] = "unknown_fields"
    messages: PositiveInt = 10


class Oversized(Fault):
    """A message comes that is `bytes` long."""

    fault: Literal["oversized"] = "oversized"
    bytes: Annotated[int, Field(gt=0, le=15 * 1024 * 1024)] = 2 * 1024 * 1024


class Send(Fault):
    """A message of your own comes, as it stands: a JSON object, or a text."""

    fault: Literal["send"] = "send"
    message: Annotated[dict[str, JsonValue] | str, AfterValidator(_encodable)]


class Drop(Fault):
    """The next `count` messages of a type do not come."""

    fault: Literal["drop"] = "drop"
    type: str
    count: PositiveInt = 1


class Duplicate(Fault):
    """The next message of a type comes twice."""

    fault: Literal["duplicate"] = "duplicate"
    type: str


class Delay(Fault):
    """The next `count` messages of a type come `ms` late; others overtake them."""

    fault: Literal["delay"] = "delay"
    type: str
    ms: PositiveFloat
    count: PositiveInt = 1


class Trail(Fault):
    """After the next message of type `after`, the last one of `type` comes `count` times more."""

    fault: Literal["trail"] = "trail"
    type: str
    after: str
    count: PositiveInt = 3


class _Refusal(Fault):
    """The client is refused as it connects: there is no other point."""

    @model_validator(mode="after")
    def _no_point(self) -> "_Refusal":
        if self.turn or self.at or self.after_ms or self.after_messages:
            raise ValueError("a client is refused as it connects; name its session alone")
        return self


class RefuseHandshake(_Refusal):
    """The connection is refused by HTTP, before it is a WebSocket."""

    fault: Literal["refuse_handshake"] = "refuse_handshake"
    status: RefusalStatus = 503


class RefuseKey(_Refusal):
    """The key is refused as this service refuses one."""

    fault: Literal["refuse_key"] = "refuse_key"


GENERAL: tuple[type[Fault], ...] = (
    Reset,
    HalfOpen,
    Close,
    Stall,
    Burst,
    Trickle,
    SlowPongs,
    NoPongs,
    MalformedJson,
    UnknownEvent,
    UnknownFields,
    Oversized,
    Send,
    Drop,
    Duplicate,
    Delay,
    Trail,
    RefuseHandshake,
    RefuseKey,
)
"""The faults that every wire can have."""


def load_faults(path: Path, own: Sequence[type[Fault]] = ()) -> list[Fault]:
    """Read a file of faults.

    Args:
        path: The YAML file.
        own: The wire's own faults.

    Raises:
        SettingsError: The file cannot be read, is no YAML, or a field of it is wrong.
    """
    try:
        return parse_faults(path.read_text(encoding="utf-8"), own)
    except OSError as error:
        raise SettingsError(
            f"cannot read the faults {path}: {error.strerror}; name a readable YAML file"
        ) from error
    except (SettingsError, UnicodeDecodeError) as error:
        raise SettingsError(f"faults {path}: {error}") from error


def parse_faults(text: str, own: Sequence[type[Fault]] = ()) -> list[Fault]:
    """The faults that a YAML text holds.

    Args:
        text: The YAML.
        own: The wire's own faults.

    Raises:
        SettingsError: It is no YAML, or a field of it is wrong.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"no valid YAML: {error}") from error
    if not isinstance(document, dict) or list(document) != ["faults"]:
        raise SettingsError("list the faults under 'faults:', and nothing beside it")
    entries = document["faults"]
    if not isinstance(entries, list) or not entries:
        raise SettingsError("'faults' must be a list of one fault or more")
    kinds = {kind.model_fields["fault"].default: kind for kind in (*GENERAL, *own)}
    return [_fault(f"fault {n}", entry, kinds) for n, entry in enumerate(entries, 1)]


def _fault(where: str, entry: Any, kinds: dict[str, type[Fault]]) -> Fault:
    name = entry.get("fault") if isinstance(entry, dict) else None
    if not isinstance(name, str) or name not in kinds:
        raise SettingsError(f"{where}: 'fault' must be one of {', '.join(sorted(kinds))}")
    try:
        return kinds[name].model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        field = first["loc"][0] if first["loc"] else "the whole"
        problem = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{where} ({name}): {field}: {problem}") from error
