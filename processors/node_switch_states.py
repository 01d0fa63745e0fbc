"""The life of a swap, as a table. Pure.

SERVING   one node serves, and no other is thought of
WARMING   one serves, and another is brought up beside it
READY     the other is up, and waits for its moment
MOVING    the other serves: it is told of the call, and hears what is not answered
DOWN      none serves; another is brought up
OVER      none serves, nor will
"""

from enum import Enum, auto


class SwapState(Enum):
    SERVING = auto()
    WARMING = auto()
    READY = auto()
    MOVING = auto()
    DOWN = auto()
    OVER = auto()


class Happening(Enum):
    WANTED = auto()
    """Another node is wanted."""
    CAME_UP = auto()
    REFUSED = auto()
    """It does not come up, or died while it waited."""
    MOMENT = auto()
    """It takes over now."""
    SERVES = auto()
    """It has heard everything, and serves."""
    LOST = auto()
    """The node that serves cannot go on."""
    ENDED = auto()
    """The call ends, or there is no other node."""


_S, _H = SwapState, Happening
_NEXT = {
    (_S.SERVING, _H.WANTED): _S.WARMING,
    (_S.SERVING, _H.LOST): _S.DOWN,
    (_S.WARMING, _H.CAME_UP): _S.READY,
    (_S.WARMING, _H.REFUSED): _S.SERVING,
    (_S.WARMING, _H.LOST): _S.DOWN,
    (_S.READY, _H.MOMENT): _S.MOVING,
    (_S.READY, _H.REFUSED): _S.SERVING,
    # Who is up takes over at once, where none serves any more.
    (_S.READY, _H.LOST): _S.DOWN,
    (_S.MOVING, _H.SERVES): _S.SERVING,
    (_S.MOVING, _H.LOST): _S.DOWN,
    (_S.DOWN, _H.WANTED): _S.DOWN,
    (_S.DOWN, _H.CAME_UP): _S.DOWN,
    (_S.DOWN, _H.REFUSED): _S.DOWN,
    (_S.DOWN, _H.LOST): _S.DOWN,
    (_S.DOWN, _H.MOMENT): _S.MOVING,
}


def advance(state: SwapState, happening: Happening) -> SwapState:
    """What follows; what cannot happen changes nothing."""
    if happening is Happening.ENDED or state is SwapState.OVER:
        return SwapState.OVER
    return _NEXT.get((state, happening), state)


__all__ = ["Happening", "SwapState", "advance"]
