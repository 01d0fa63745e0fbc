"""Whether something of the agent's speech is still to be heard."""

from crossfade.frames.audio import SpeechPlayedFrame
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
)


class Sounding:
    """Follows speech from when it is generated until it was played, and what others play.

    An item that no frame tells the end of counts no more once the agent fell silent and its
    response is over.
    """

    def __init__(self) -> None:
        self._items: dict[str, str] = {}
        self._running: set[str] = set()
        self._speaks = False

    @property
    def now(self) -> bool:
        """Whether anything is being played, or waits for it."""
        return self._speaks or bool(self._items)

    def generated(self, response_id: str, item_id: str) -> None:
        """Speech of an item goes to be played."""
        self._items[item_id] = response_id
        self._running.add(response_id)

    def response_ended(self, response_id: str) -> None:
        self._running.discard(response_id)

    def note(self, frame: Frame) -> None:
        match frame:
            case InterruptionFrame():
                self._items.clear()
            case SpeechPlayedFrame():
                for item in frame.items:
                    self._items.pop(item.origin.item_id, None)
            case BotStartedSpeakingFrame():
                self._speaks = True
            case BotStoppedSpeakingFrame():
                self._speaks = False
                running = self._running
                self._items = {i: r for i, r in self._items.items() if r in running}


__all__ = ["Sounding"]
