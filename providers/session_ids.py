"""Names for what a wire leaves unnamed."""

import random


def session_mark(source: random.Random) -> str:
    """Make what tells the names of one connection from those of all others."""
    return f"{source.getrandbits(48):012x}"


class Ids:
    """Ids that no other session gives: of a kind, this session's mark and a number.

    Args:
        source: Where the mark comes from.
    """

    def __init__(self, source: random.Random) -> None:
        self._mark = session_mark(source)
        self._count = 0

    def next(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._mark}_{self._count}"


__all__ = ["Ids", "session_mark"]
