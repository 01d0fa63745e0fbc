"""What the user showed, as far as it is still in memory: the newest of it."""

from collections import OrderedDict

from crossfade.conversation.history import Picture

MOST_PICTURES = 8
MOST_BYTES = 16 * 1024 * 1024


class Pictures:
    """The newest pictures of a conversation, no more than 8 and no more than 16 MiB of them.

    A new one drops the oldest as far as need be; one that is larger than all the room is not kept.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Of all that are kept."""
        return self._bytes

    def keep(self, image_id: str, picture: Picture) -> None:
        if image_id in self._kept or len(picture.data) > MOST_BYTES:
            return
        self._kept[image_id] = picture
        self._bytes += len(picture.data)
        while len(self._kept) > MOST_PICTURES or self._bytes > MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.data)

    def get(self, image_id: str) -> Picture | None:
        return self._kept.get(image_id)


__all__ = ["MOST_BYTES", "MOST_PICTURES", "Pictures"]
