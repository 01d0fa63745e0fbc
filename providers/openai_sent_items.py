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
        self._sent = 0
        self._waiting: OrderedDict[str, _Likeness | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, item: JsonObject) -> str:
        """Name an item that is sent."""
        self._sent += 1
        name = f"{_PREFIX}{self._sent}"
        self._waiting[name] = _likeness(item)
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)
        return name

    def arrive(self, item: JsonObject) -> None:
        """Note that an item became part of the conversation, be it ours or not."""
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
