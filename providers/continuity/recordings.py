"""What the user said and was answered, as it sounded, until the words are told.

They may trail the answer. A line that dies before they come takes them along: the next session is
given the sound in their place, and tells the words if it can.
"""

from collections import OrderedDict
from collections.abc import Mapping

from crossfade.conversation.history import HistoryItem, Notice, Recording

UNHEARD = (
    "The user said something here that you answered; the words were lost. Should they matter, "
    "ask for them."
)


# One line may have died by chance; of sessions that die of it the third is spared.
_MOST_DEATHS = 2


class Recordings:
    """The latest such turns, by their names.

    Args:
        keep_bytes: No more is kept of them together; the oldest are forgotten.
    """

    def __init__(self, keep_bytes: int) -> None:
        self._keep_bytes = keep_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._died_of_it = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._kept)

    def keep(self, item_id: str, audio: bytes) -> None:
        """Keep a turn that is answered, and of which no words have come."""
        self.told(item_id)
        if not audio or len(audio) > self._keep_bytes:
            return
        self._kept[item_id] = audio
        self._kept_bytes += len(audio)
        while self._kept_bytes > self._keep_bytes:
            self.told(next(iter(self._kept)))

    def told(self, item_id: str) -> None:
        """Note that its words have come."""
        self._kept_bytes -= len(self._kept.pop(item_id, b""))

    def alive(self) -> None:
        """Note that the session that was given them understands what it is told."""
        self._died_of_it = 0

    def given(self) -> None:
        """Note that a session is given them."""
        self._died_of_it = self._died_of_it + 1 if self._kept else 0

    def items(self) -> Mapping[str, HistoryItem]:
        """What a session is told of each: its sound, but if the last ones that were given it died
        without a sign, in words that it was lost."""
        return {
            item_id: Notice(text=UNHEARD)
            if self._died_of_it >= _MOST_DEATHS
            else Recording(text=UNHEARD, audio=audio, item_id=item_id)
            for item_id, audio in self._kept.items()
        }


__all__ = ["UNHEARD", "Recordings"]
