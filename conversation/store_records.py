"""What the store of calls is given and gives back, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from crossfade.conversation.turns import Entry


class CallStatus(Enum):
    RUNNING = "running"
    """Begun and not ended; if nobody holds its lease, its process is gone."""
    ENDED = "ended"
    FAILED = "failed"
    """Ended by an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """What is known of a call when it begins. Without secrets: no keys, no addresses."""

    id: str
    spec: str
    """PROVIDER:MODEL, the first of the route."""
    started_at: float
    """Unix time."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the taker must know to set up a session, as JSON can hold it."""
    audio_rate_hz: int = 16000
    """Rate of the unfinished audio, s16le mono."""
    state: str = ""
    """What the pipeline keeps besides, at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHandle:
    """By which a provider resumes its session."""

    spec: str
    """PROVIDER:MODEL whose handle it is."""
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class CallFolder:
    """Where a process that served a call recorded it."""

    since: float
    """Unix time."""
    host: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """The newest state of one entry of a ledger."""

    position: int
    kind: str
    at_s: float
    """When it began, in seconds from the call's start."""
    record: str
    """JSON whose times count from the call's start."""
    tool: "ToolRow | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """A round with a tool, as it can be queried."""

    tool_call_id: str
    name: str
    called_at_s: float
    answered_at_s: float | None
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioChange:
    """What became of the utterance that the caller has not finished."""

    anew: bool
    """Whether what was kept before is deleted first."""
    part: int
    """Number of the chunk, rising within an utterance."""
    chunk: bytes
    """What came since; empty if nothing did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChanges:
    """What changed in one call since it was last written. All of it is written, or nothing."""

    call_id: str
    began: NewCall | None = None
    changed: NewCall | None = None
    """The call goes on with another model: its `spec` and `audio_rate_hz` are replaced."""
    entries: Sequence[EntryRow] = ()
    audio: AudioChange | None = None
    state: str | None = None
    """What the pipeline keeps besides, if it changed."""
    handle: StoredHandle | None = None
    forget_handle: bool = False
    folder: CallFolder | None = None
    """Another folder of the call."""
    ended: CallStatus | None = None
    ended_at: float | None = None
    """Unix time; given with `ended`, which also deletes audio and handle and frees the lease."""
    free: bool = False
    """Whether the writer's lease is given back afterwards: another process shall go on."""


class LeftOut(Enum):
    """Why nothing of a call was written."""

    TAKEN = "taken"
    """Its lease is not the writer's: another process serves it."""
    DELETED = "deleted"
    """There is no such call any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who serves a call, and until when unless renewed."""

    call_id: str
    owner: str
    until: float
    """Unix time by the database's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallListing:
    """One line about a call."""

    id: str
    spec: str
    status: CallStatus
    started_at: float
    ended_at: float | None
    seen_at: float
    """When it was last written to, by the database's clock."""
    entries: int
    tool_calls: int
    owner: str | None
    """Who holds its lease now; None if nobody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCall:
    """All that is kept of a call: what another process needs to go on with it."""

    id: str
    spec: str
    config: Mapping[str, Any]
    status: CallStatus
    started_at: float
    """Unix time."""
    started_at_s: float
    """The same on the clock of `entries`; for `Conversation`."""
    ended_at: float | None
    entries: Sequence[Entry]
    unfinished: bytes = field(default=b"", repr=False)
    """s16le mono of the utterance that the caller had not finished."""
    audio_rate_hz: int = 16000
    unfinished_part: int = 0
    """Number of its next chunk."""
    state: str = ""
    """What the pipeline kept besides, in its own words; empty if it kept nothing."""
    handle: StoredHandle | None = None
    folders: Sequence[CallFolder] = ()
    """In the order in which they were begun."""


__all__ = [
    "AudioChange",
    "CallChanges",
    "CallFolder",
    "CallListing",
    "CallStatus",
    "EntryRow",
    "Lease",
    "LeftOut",
    "NewCall",
    "StoredCall",
    "StoredHandle",
    "ToolRow",
]
