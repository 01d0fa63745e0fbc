"""The user's transcripts in the order of the conversation.

Recognisers finish when they please: the words of a long turn may come after those of the next.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from crossfade.providers.events import UserTranscript

# An item whose words never come is given up when so many later ones have theirs, ...
_MOST_FINAL_BEHIND = 3
# ... or when so many items wait in all.
_MOST_WAITING = 64
# Items whose final transcript was seen; some servers send a second, empty one.
_MOST_FINISHED = 64


@dataclass(slots=True)
class _Waiting:
    transcripts: list[UserTranscript] = field(default_factory=list)
    """The latest partial, or the final."""

    @property
    def final(self) -> bool:
        return any(transcript.final for transcript in self.transcripts)


class TranscriptOrder:
    """Holds what comes too early, and drops what follows a final transcript.

    An item that was not announced yet belongs behind those that were: its final transcript waits
    for them, its partials pass by.
    """

    def __init__(self) -> None:
        self._items: OrderedDict[str, _Waiting] = OrderedDict()
        self._early: OrderedDict[str, UserTranscript] = OrderedDict()
        self._finished: deque[str] = deque(maxlen=_MOST_FINISHED)

    def announce(self, item_id: str, after: str | None = None) -> list[UserTranscript]:
        """Note that a turn of the user became an item of the conversation.

        Args:
            item_id: The item.
            after: The item before it, where the provider tells; else it is the last.

        Returns:
            Transcripts that are due now.
        """
        early = self._early.pop(item_id, None)
        known = item_id in self._items or (item_id in self._finished and early is None)
        if not item_id or known:
            return []
        self._items[item_id] = _Waiting([] if early is None else [early])
        if after is not None and after in self._items:
            order = list(self._items)
            for other in order[order.index(after) + 1 : -1]:
                self._items.move_to_end(other)
        return self._release()

    def put(self, transcript: UserTranscript) -> list[UserTranscript]:
        """Take a transcript, and give those that are due now."""
        item_id = transcript.item_id
        if item_id in self._finished:
            return []
        if transcript.final and item_id:
            self._finished.append(item_id)
        waiting = self._items.get(item_id)
        if waiting is None:
            if not (transcript.final and item_id and self._items):
                return [transcript]
            self._early[item_id] = transcript
            return self._release()
        waiting.transcripts = [transcript]
        return self._release()

    def forget(self, item_id: str) -> list[UserTranscript]:
        """Note that an item left the conversation."""
        self._items.pop(item_id, None)
        self._early.pop(item_id, None)
        return self._release()

    def flush(self) -> list[UserTranscript]:
        """Give all that waits, in its order: the words it waits for will not come."""
        due = [one for waiting in self._items.values() for one in waiting.transcripts]
        due += self._early.values()
        self._items.clear()
        self._early.clear()
        return due

    def _release(self) -> list[UserTranscript]:
        due: list[UserTranscript] = []
        while self._items:
            item_id, first = next(iter(self._items.items()))
            due += first.transcripts
            done = first.final
            first.transcripts = []
            if not done and not self._overdue():
                break
            del self._items[item_id]
        if not self._items:
            due += self._early.values()
            self._early.clear()
        return due

    def _overdue(self) -> bool:
        final = sum(waiting.final for waiting in self._items.values()) + len(self._early)
        return final >= _MOST_FINAL_BEHIND or len(self._items) > _MOST_WAITING


__all__ = ["TranscriptOrder"]
