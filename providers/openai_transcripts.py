"""The user's words while they are still being recognised."""

from collections import OrderedDict

# Transcripts in progress; one whose end never came is forgotten.
_MOST_ITEMS = 64
_MOST_CHARACTERS = 20_000


class Transcripts:
    """Joins the pieces of each user item's transcript."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()

    def add(self, item_id: str, delta: str) -> str:
        """Add a piece and give all the text so far."""
        text = (self._texts.get(item_id, "") + delta)[:_MOST_CHARACTERS]
        self._texts[item_id] = text
        if len(self._texts) > _MOST_ITEMS:
            self._texts.popitem(last=False)
        return text.strip()

    def forget(self, item_id: str) -> None:
        self._texts.pop(item_id, None)


__all__ = ["Transcripts"]
