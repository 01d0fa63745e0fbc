"""Names for what Gemini leaves unnamed."""

import random


class Ids:
    """Ids that no other session gives: of this session's mark, a kind and a number.

    Args:
        source: Where the mark comes from.
    """

    def __init__(self, source: random.Random) -> None:
        self._mark = f"{source.getrandbits(48):012x}"
        self._count = 0

    def next(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._mark}_{self._count}"


__all__ = ["Ids"]
