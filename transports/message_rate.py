"""How fast messages may come over a line. Pure: the time is told."""


class MessageRate:
    """Lets so many messages pass in a second, and some more at once after a while with fewer.

    Args:
        a_second: So many in the long run.
        at_once: So many without any time between them.
    """

    def __init__(self, *, a_second: float, at_once: int) -> None:
        self._each_s = 1 / a_second
        self._ahead_s = at_once / a_second
        self._paid_until_s = float("-inf")
        """When those that passed would have come to their end, one after the other."""

    def passes(self, now_s: float) -> bool:
        """Whether one more may pass; counted if so.

        Args:
            now_s: Any clock that does not go back.
        """
        until_s = max(self._paid_until_s, now_s) + self._each_s
        if until_s > now_s + self._ahead_s:
            return False
        self._paid_until_s = until_s
        return True


__all__ = ["MessageRate"]
