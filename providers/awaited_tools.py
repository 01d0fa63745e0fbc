"""What a conversation still waits for: answers to its calls, and the agent's words on them."""

from collections import OrderedDict

# Far more than run at a time; the oldest are forgotten.
_MOST_CALLS = 256


class AwaitedTools:
    """The calls of a session that are unanswered, and whether an answer is yet to be spoken of.

    Attributes:
        due: A result was told that is to be spoken of, and the response that does has not begun.
    """

    def __init__(self) -> None:
        self.due = False
        self._open: OrderedDict[str, None] = OrderedDict()

    @property
    def pending(self) -> bool:
        """What `ResponseDone.awaits_tools` says."""
        return self.due or bool(self._open)

    def call(self, call_id: str) -> None:
        self._open[call_id] = None
        if len(self._open) > _MOST_CALLS:
            self._open.popitem(last=False)

    def answer(self, call_id: str, *, silent: bool) -> None:
        """Note that all of a result was told; of one that is told silently nothing is said."""
        if call_id in self._open and not silent:
            self.due = True
        self.take_back(call_id)

    def take_back(self, call_id: str) -> None:
        """Note that a call is not to be answered any more."""
        self._open.pop(call_id, None)

    def answer_begins(self) -> None:
        """Note that a response begins that knows of all results."""
        self.due = False


__all__ = ["AwaitedTools"]
