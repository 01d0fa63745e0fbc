"""Which connection serves and which is to follow: the states of a session that outlives them."""

from collections.abc import Mapping
from enum import Enum


class Service(Enum):
    """What serves, and what is being done for the time after."""

    SERVING = "serving"
    PREPARING = "preparing"
    """One serves, the next is being opened."""
    READY = "ready"
    """One serves, the next is open and waits for its moment."""
    DOWN = "down"
    """None serves, and none is being opened."""
    DIALLING = "dialling"
    """None serves, the next is being opened."""
    OVER = "over"


class Happening(Enum):
    LOST = "lost"
    """The connection that serves died, or was given up."""
    WANTED = "wanted"
    """It is time to open the next one."""
    OPENED = "opened"
    """The next one is open and configured."""
    FAILED = "failed"
    """The next one could not be opened, or died while it waited."""
    MOMENT = "moment"
    """Now is when the next one shall serve."""
    NEEDLESS = "needless"
    """The one that serves is well, and stays."""
    SPENT = "spent"
    """No further attempt is worth making."""


class Step(Enum):
    """What is to be done about it."""

    NOTHING = "nothing"
    OPEN = "open the next one"
    SWITCH = "let the next one serve"
    DISMISS = "close the next one"
    END = "end the session"


_TABLE: Mapping[tuple[Service, Happening], tuple[Service, Step]] = {
    (Service.SERVING, Happening.LOST): (Service.DOWN, Step.NOTHING),
    (Service.SERVING, Happening.WANTED): (Service.PREPARING, Step.OPEN),
    (Service.PREPARING, Happening.OPENED): (Service.READY, Step.NOTHING),
    (Service.PREPARING, Happening.FAILED): (Service.SERVING, Step.NOTHING),
    (Service.PREPARING, Happening.LOST): (Service.DIALLING, Step.NOTHING),
    (Service.READY, Happening.MOMENT): (Service.SERVING, Step.SWITCH),
    (Service.READY, Happening.LOST): (Service.SERVING, Step.SWITCH),
    (Service.READY, Happening.FAILED): (Service.SERVING, Step.NOTHING),
    (Service.READY, Happening.NEEDLESS): (Service.SERVING, Step.DISMISS),
    (Service.DOWN, Happening.WANTED): (Service.DIALLING, Step.OPEN),
    (Service.DOWN, Happening.SPENT): (Service.OVER, Step.END),
    (Service.DIALLING, Happening.OPENED): (Service.SERVING, Step.SWITCH),
    (Service.DIALLING, Happening.FAILED): (Service.DOWN, Step.NOTHING),
}


def advance(state: Service, happening: Happening) -> tuple[Service, Step]:
    """Give the state that follows, and what to do.

    Raises:
        ValueError: That cannot happen in this state.
    """
    try:
        return _TABLE[state, happening]
    except KeyError:
        raise ValueError(f"{happening.value} cannot happen while {state.value}") from None


__all__ = ["Happening", "Service", "Step", "advance"]
