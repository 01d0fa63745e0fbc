"""The items that we sent and that are not yet part of the conversation."""

from collections import OrderedDict

from crossfade.providers.wire_json import JsonObject, children, string

_PREFIX = "crossfade_item_"
# Nobody sends so many at once; the oldest is taken for arrived.
_MOST_WAITING = 4096
_WRITTEN = ("input_text", "input_image", "output_text", "text")

_Likeness = tuple[str, str]


class SentItems:
    """Names the items that are sent, and strikes them off when the service tells of them."""

    def __init__(self) -> None:
        self.told_of = False
        """Whether the service tells of items at all; some do not."""
        self._sent = 0
        self._earlier = 0
        self._waiting: OrderedDict[str, _Likeness | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_name(self) -> str:
        """How the item is called that is sent next."""
        return f"{_PREFIX}{self._sent + 1}"

    def send(self, item: JsonObject) -> None:
        """Note that an item was sent by the next name."""
        self._waiting[self.next_name] = _likeness(item)
        self._sent += 1
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)

    def turn_over(self) -> None:
        """Note that a turn of the user ended: what is sent from now on comes after it."""
        self._earlier = self._sent

    @property
    def later(self) -> int:
        """How many items were sent after the last turn of the user."""
        return self._sent - self._earlier

    def forget_earlier(self) -> None:
        """Take what was sent before the end of the turn for arrived."""
        while len(self._waiting) > self.later:
            self._waiting.popitem(last=False)

    def arrive(self, item: JsonObject) -> None:
        """Note that an item became part of the conversation, be it ours or not."""
        self.told_of = True
        name = string(item, "id")
        if name.startswith(_PREFIX):
            self._waiting.pop(name, None)
            return
        # Some services name all items themselves: the oldest that looks the same is meant.
        likeness = _likeness(item)
        same = (name for name, other in self._waiting.items() if other == likeness)
        if likeness is not None and (name := next(same, "")):
            del self._waiting[name]

    def refuse(self, name: str) -> bool:
        """Note that an item was refused; the oldest if the service names none.

        Returns:
            Whether it was one of these.
        """
        name = name or next(iter(self._waiting), "")
        known = name in self._waiting
        self._waiting.pop(name, None)
        return known


def _likeness(item: JsonObject) -> _Likeness | None:
    """What an item keeps under another name; None for what is spoken, or still being made."""
    kind = string(item, "type")
    if kind in ("function_call", "function_call_output"):
        return kind, string(item, "call_id")
    part = next(iter(children(item, "content")), {})
    if string(item, "status") == "in_progress" or string(part, "type") not in _WRITTEN:
        return None
    return "message", string(item, "role")


__all__ = ["SentItems"]
