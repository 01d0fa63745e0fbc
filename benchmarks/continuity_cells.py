"""The cells of the matrix: every fault of a connection in every state of a call."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

from crossfade.emulators.faults import (
    Burst,
    Close,
    Fault,
    HalfOpen,
    MalformedJson,
    NoPongs,
    Oversized,
    RefuseHandshake,
    Reset,
    SlowPongs,
    Stall,
    State,
    Trickle,
)
from crossfade.emulators.gemini import faults as gemini
from crossfade.emulators.openai import faults as openai

TRANSCRIPT_DELAY_MS = 150.0
LATE_MS = 1500.0
"""Words so late follow the beginning of the answer."""


class CallState(Enum):
    """What the call is doing when the fault strikes."""

    IDLE = "idle"
    USER_SPEAKING = "user speaking"
    THINKING = "thinking"
    """The user's turn is committed and nothing of the answer has come."""
    AGENT_SPEAKING = "agent speaking"
    TOOL_PENDING = "tool pending"
    ROTATING = "rotating"
    """A second connection is being opened while the first serves, or is opened in its stead."""
    RECONNECTING = "reconnecting"
    """The first connection is dead, a second one is being opened."""


MakeFault = Callable[..., Fault]
"""Takes the fields of `Fault`: session, turn, at, after_ms."""

ROTATE_AFTER_S = 5.0
"""While the first answer sounds."""
# After the answer began to come: its sound still plays, and the other connection is ready.
_STANDBY_MS = 3300
_BOTH: Mapping[str, MakeFault] = {
    "reset": Reset,
    "half_open": HalfOpen,
    **{
        f"close_{code}": lambda code=code, **at: Close(code=code, **at)
        for code in (1000, 1001, 1011, 1012, 1013)
    },
    "stall": Stall,
    "stall_1500": lambda **at: Stall(ms=1500, **at),
    "burst": lambda **at: Burst(ms=1500, **at),
    "trickle": lambda **at: Trickle(ms=60, **at),
    "slow_pongs": SlowPongs,
    "no_pongs": NoPongs,
    "malformed_json": MalformedJson,
    "oversized": Oversized,
}
_OPENAI: Mapping[str, MakeFault] = {
    "session_expired": openai.SessionExpired,
    "server_error": openai.ServerError,
}
_GEMINI: Mapping[str, MakeFault] = {
    "go_away": lambda **at: gemini.GoAway(time_left_ms=3000, **at),
    "go_away_silence": lambda **at: gemini.GoAway(time_left_ms=3000, then="silence", **at),
    "expire": gemini.Expire,
    "server_error": gemini.ServerError,
    **{
        f"service_close_{name}": lambda name=name, **at: gemini.ServiceClose(name=name, **at)
        for name in ("internal", "unavailable", "deadline", "aborted")
    },
}
_OPENING: Mapping[str, MakeFault] = {
    "refuse_handshake_503": RefuseHandshake,
    "refuse_handshake_429": lambda **at: RefuseHandshake(status=429, **at),
}
_RESUMING: Mapping[str, MakeFault] = {
    f"refuse_resume_{code}": lambda code=code, **at: gemini.RefuseResume(code=code, **at)
    for code in (1007, 1008, 1011)
}
# Behind the service's first message: the connection dies while it is told what was said.
_SEEDING: Mapping[str, MakeFault] = {
    "reset_when_set_up": lambda **at: Reset(after_messages=1, **at),
    "half_open_when_set_up": lambda **at: HalfOpen(after_messages=1, **at),
    "close_1011_when_set_up": lambda **at: Close(code=1011, after_messages=1, **at),
}
# The connection that serves dies while another one is ready.
_OF_THE_OLD: Mapping[str, MakeFault] = {
    "reset_of_the_old": Reset,
    "half_open_of_the_old": HalfOpen,
    "close_1001_of_the_old": lambda **at: Close(code=1001, **at),
}
# All of the answer has come, and it still plays.
_WHEN_GENERATED_MS = 2500
_PLAYING: Mapping[str, MakeFault] = {
    "reset_when_generated": Reset,
    "half_open_when_generated": HalfOpen,
    "stall_when_generated": Stall,
    "close_1011_when_generated": lambda **at: Close(code=1011, **at),
}
FAULTS: Mapping[str, Mapping[str, MakeFault]] = {
    "openai": {**_BOTH, **_OPENAI},
    "gemini": {**_BOTH, **_GEMINI},
}
"""By wire: what strikes a connection that serves, or that is being opened."""

_LATE = ("reset", "half_open", "close_1011", "server_error", "stall")

_LOSSY = {name: _BOTH[name] for name in ("reset", "half_open", "close_1000", "close_1011", "stall")}
_LOSSY_POINTS: Mapping[CallState, Mapping[str, Any]] = {
    CallState.IDLE: {"turn": 1, "at": State.IDLE, "after_ms": 500},
    CallState.USER_SPEAKING: {"turn": 2, "at": State.USER_SPEAKING, "after_ms": 400},
}

_POINTS: Mapping[CallState, Mapping[str, Any]] = {
    CallState.USER_SPEAKING: {"turn": 2, "at": State.USER_SPEAKING, "after_ms": 400},
    CallState.THINKING: {"turn": 2, "at": State.THINKING, "after_ms": 150},
    CallState.AGENT_SPEAKING: {"turn": 1, "at": State.SPEAKING, "after_ms": 300},
    CallState.TOOL_PENDING: {"turn": 2, "at": State.TOOL_PENDING, "after_ms": 200},
}
# By the clock of a call that nothing disturbs.
_DEADLINES_S = {
    CallState.IDLE: 7.6,
    CallState.USER_SPEAKING: 9.2,
    CallState.THINKING: 10.8,
    CallState.AGENT_SPEAKING: 2.8,
    CallState.TOOL_PENDING: 11.2,
}
_OPENING_STATES = (CallState.ROTATING, CallState.RECONNECTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One call with a fault in it."""

    wire: str
    fault: str
    state: CallState
    faults: tuple[Fault, ...]
    rotates: bool = False
    """The session is to rotate when it has served for `ROTATE_AFTER_S`."""
    transcript_delay_ms: float = TRANSCRIPT_DELAY_MS
    """How long behind the caller's turn its words come."""
    wordless: int = 0
    """So many turns of the caller, from the first, stay without words, as the wire's rule says."""
    forced_s: float | None = None
    """So long after it began the session has to rotate, whatever the call is doing."""

    @property
    def needs_more(self) -> bool:
        """Whether it is about a further connection, or makes one needed."""
        return self.rotates or self.forced_s is not None or self.state in _OPENING_STATES


def cells(wire: str, *, idle_ms: float) -> Iterator[Cell]:
    """All cells of a wire.

    Args:
        wire: openai or gemini.
        idle_ms: How long after an answer was generated nobody speaks and nothing sounds.
    """
    points = {CallState.IDLE: {"turn": 1, "at": State.IDLE, "after_ms": idle_ms}, **_POINTS}
    for state in CallState:
        for fault, make in FAULTS[wire].items():
            if state not in _OPENING_STATES:
                yield Cell(wire=wire, fault=fault, state=state, faults=(make(**points[state]),))
        if state in _OPENING_STATES:
            resuming = _RESUMING if wire == "gemini" else {}
            for fault, make in {**FAULTS[wire], **_OPENING, **_SEEDING, **resuming}.items():
                yield _opening(wire, fault, state, make(session=2))
    if wire == "openai":
        # Gemini's goAway does the same there.
        for state, forced_s in _DEADLINES_S.items():
            yield Cell(wire=wire, fault="deadline", state=state, faults=(), forced_s=forced_s)
    for fault, make in _PLAYING.items():
        struck = make(turn=1, at=State.SPEAKING, after_ms=_WHEN_GENERATED_MS)
        yield Cell(wire=wire, fault=fault, state=CallState.AGENT_SPEAKING, faults=(struck,))
    for fault, make in _OF_THE_OLD.items():
        struck = make(turn=1, at=State.SPEAKING, after_ms=_STANDBY_MS)
        yield Cell(wire=wire, fault=fault, state=CallState.ROTATING, faults=(struck,), rotates=True)


def _opening(wire: str, fault: str, state: CallState, second: Fault) -> Cell:
    """A fault of the second connection."""
    if state is CallState.ROTATING:
        return Cell(wire=wire, fault=fault, state=state, faults=(second,), rotates=True)
    first = Reset(**_POINTS[CallState.USER_SPEAKING])
    return Cell(wire=wire, fault=fault, state=state, faults=(first, second))


def lossy_cells() -> Iterator[Cell]:
    """Cells of Moshi, whose wire knows no turns, no tools and no text."""
    for state, point in _LOSSY_POINTS.items():
        for fault, make in _LOSSY.items():
            yield Cell(wire="moshi", fault=fault, state=state, faults=(make(**point),))


def late_cells(wire: str) -> Iterator[Cell]:
    """Cells in which the caller's words come long after the answer has begun.

    Gemini writes down what it hears live and nothing else: of a turn that is answered the next
    connection can be given the sound, but tells no words.
    """
    for state in (CallState.THINKING, CallState.AGENT_SPEAKING):
        for fault in _LATE:
            struck = FAULTS[wire][fault](**_POINTS[state])
            yield Cell(
                wire=wire,
                fault=f"late_words_{fault}",
                state=state,
                faults=(struck,),
                transcript_delay_ms=LATE_MS,
                wordless=int(wire == "gemini" and state is CallState.AGENT_SPEAKING),
            )


class Placed(Protocol):
    """A cell of any kind."""

    @property
    def wire(self) -> str:
        """Whose row it is in."""

    @property
    def fault(self) -> str:
        """Its row."""

    @property
    def state(self) -> CallState:
        """Its column."""


C = TypeVar("C", bound=Placed)


def chosen(all_cells: list[C], count: int | None) -> list[C]:
    """So many of the cells, in order; None is all of them.

    The next one is always of a fault that was taken least, of these of a state that was; each on
    its wire.
    """
    if count is None or count >= len(all_cells):
        return all_cells
    left = dict(enumerate(all_cells))
    taken = Counter[tuple[str, str | CallState]]()
    for _ in range(count):
        at = min(left, key=lambda at: (*(taken[key] for key in _keys(left[at])), at))
        taken.update(_keys(left.pop(at)))
    return [cell for at, cell in enumerate(all_cells) if at not in left]


def _keys(cell: Placed) -> tuple[tuple[str, str | CallState], ...]:
    return (cell.wire, cell.fault), (cell.wire, cell.state), (cell.wire, "")
