"""The states of a session, from its caller's side."""

from collections.abc import Mapping, Sequence
from enum import Enum

from crossfade.errors import CallerError


class SessionState(Enum):
    NEW = "new"
    OPENING = "opening"
    OPEN = "open"
    ENDED = "ended"
    """By itself: its connection died for good, or the provider ended it."""
    CLOSING = "closing"
    CLOSED = "closed"
    """By the caller, or because it could not be opened."""


_NEXT: Mapping[SessionState, Sequence[SessionState]] = {
    SessionState.NEW: (SessionState.OPENING, SessionState.CLOSING),
    SessionState.OPENING: (SessionState.OPEN, SessionState.CLOSING),
    SessionState.OPEN: (SessionState.ENDED, SessionState.CLOSING),
    SessionState.ENDED: (SessionState.CLOSING,),
    SessionState.CLOSING: (SessionState.CLOSING, SessionState.CLOSED),
    SessionState.CLOSED: (SessionState.CLOSED,),
}
_NOT_OPEN: Mapping[SessionState, str] = {
    SessionState.NEW: "The session is not open yet.",
    SessionState.OPENING: "The session is still opening; wait for `open`.",
    SessionState.ENDED: "The session has ended.",
    SessionState.CLOSING: "The session is closed.",
    SessionState.CLOSED: "The session is closed.",
}


def may_follow(state: SessionState, following: SessionState) -> bool:
    return following in _NEXT[state]


def not_open(state: SessionState) -> CallerError:
    """Give the error of a verb in a state in which it cannot be carried out."""
    return CallerError(_NOT_OPEN[state])


__all__ = ["SessionState", "may_follow", "not_open"]
