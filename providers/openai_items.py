"""The agent's items: how much audio and text of each has arrived."""

from collections import OrderedDict
from dataclasses import dataclass, field

from crossfade.providers.sound_format import SoundFormat, WholeSamples

# What can still be playing, many times over; the oldest are forgotten.
_MOST_ITEMS = 256


@dataclass(slots=True)
class Item:
    """One piece of an answer."""

    injected: bool = False
    received_bytes: int = 0
    """Audio that was given to the caller."""
    samples: WholeSamples = field(default_factory=WholeSamples)
    text_length: int = 0
    """Characters of text that were given to the caller."""
    done: bool = False
    """Everything of it has arrived."""
    settled: bool = False
    """The conversation keeps what was heard of it; it is not cut again."""

    def whole_samples(self, audio: bytes, sample_bytes: int) -> bytes:
        """Give the whole samples that end in `audio`; half a sample waits for the next chunk."""
        audio = self.samples.join(audio, sample_bytes)
        self.received_bytes += len(audio)
        return audio


class Items:
    """The latest items, by id.

    Args:
        sound: How their audio is coded.
    """

    def __init__(self, sound: SoundFormat) -> None:
        self.sound = sound
        self.spoken = False
        """Whether there was any audio in this session."""
        self._items: OrderedDict[str, Item] = OrderedDict()

    def get(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    def get_or_add(self, item_id: str, *, injected: bool) -> Item:
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = Item(injected=injected)
            if len(self._items) > _MOST_ITEMS:
                self._items.popitem(last=False)
        return item


__all__ = ["Item", "Items"]
