"""When a server looks for the garbage of ended calls: seldom, since nobody is heard meanwhile."""

import gc
from collections.abc import Callable

LEAST_ENDED = 20
_NEVER = 1_000_000
_MIDDLE_SELDOM = 100


class Garbage:
    """Has what ended calls leave behind collected, in place of the interpreter's own full rounds.

    A full round looks at all that lives: 1 ms for each call that runs, in one piece. The
    interpreter begins one for every 25 calls that come and go among a hundred; here twice as many
    calls as run must have ended, or nobody must be left to hear it. So long 0.6 MB of each wait.
    The rounds among young objects stay the interpreter's.

    Args:
        collect: Does a full round.
    """

    def __init__(self, collect: Callable[[], object] = gc.collect) -> None:
        self._collect = collect
        self._ended = 0

    def ended(self, running: int) -> None:
        """A call has ended, and so many run."""
        self._ended += 1
        if not running or self._ended >= max(LEAST_ENDED, 2 * running):
            self._ended = 0
            self._collect()


def leave_rounds_to_us() -> None:
    """Leave out what is loaded by now from all rounds, and have the interpreter begin no full one.

    Looking through all modules takes 90 ms, in which no call hears anything.
    """
    gc.collect()
    gc.freeze()
    young, _, _ = gc.get_threshold()
    # A middle round finds next to nothing while calls run: 5 ms every 3 s at 60, or 10 every 30.
    gc.set_threshold(young, _MIDDLE_SELDOM, _NEVER)


__all__ = ["LEAST_ENDED", "Garbage", "leave_rounds_to_us"]
