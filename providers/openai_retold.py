"""Turns of the user that an earlier session has not put into words: heard again, for the words.

The service writes down what is committed, and nothing that stands in an item it is given. So a turn
is committed in its place among the items. Meanwhile the service looks for no turns: it would take
it for said now, and answer it.
"""

from collections import OrderedDict, deque

from crossfade.conversation.history import Recording
from crossfade.providers.events import UserTranscript
from crossfade.providers.openai_requests import OWN_IDS, append_audio, commit_audio
from crossfade.providers.sound_format import SoundFormat

_PREFIX = f"{OWN_IDS}retold_"
# The service refuses to commit less.
_SHORTEST_MS = 100
_MOST_ITEMS = 64


class Retold:
    """Knows such turns by the names that they had.

    Attributes:
        heard_ms: How much of what the service heard was theirs.
    """

    def __init__(self) -> None:
        self.heard_ms = 0
        self._sent = 0
        self._expected: deque[tuple[str, str]] = deque()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._until = ""

    def send(self, turn: Recording, sound: SoundFormat) -> list[bytes]:
        """Note that a turn is sent; give the messages."""
        second = sound.input_second_bytes
        # Whole milliseconds, as the service counts; it begins with a little silence.
        audio = turn.audio[len(turn.audio) % (second // 1000) :]
        self._sent += 1
        self.heard_ms += round(sound.input_ms(len(audio)))
        commit = f"{_PREFIX}{self._sent}"
        self._expected.append((commit, turn.item_id))
        pieces = [audio[at : at + second] for at in range(0, len(audio), second)]
        return [*map(append_audio, pieces), commit_audio(commit)]

    def end(self, update: str) -> None:
        """Note that no more follow, but a change of the session of this name."""
        self._until = update

    def confirmed(self, update: str) -> None:
        """Note that a change was made: what was sent before it and has not come will not."""
        if update == self._until:
            self._expected.clear()

    def refused(self, commit: str) -> None:
        """Note that the service does not take one up."""
        kept = [each for each in self._expected if each[0] != commit]
        if commit and len(kept) < len(self._expected):
            self._expected = deque(kept)

    def committed(self, item_id: str) -> bool:
        """Note that a turn was taken up; whether it is one of these."""
        if not self._expected:
            return False
        _, self._names[item_id] = self._expected.popleft()
        if len(self._names) > _MOST_ITEMS:
            self._names.popitem(last=False)
        return True

    def words(self, item_id: str, text: str, *, final: bool) -> list[UserTranscript] | None:
        """Give the words of an item, once and in whole; None if it is not one of these."""
        name = self._names.get(item_id)
        if name is None:
            return None
        if not (final and name and text):
            return []
        self._names[item_id] = ""
        return [UserTranscript(item_id=name, text=text, final=True)]


def is_retold(item: object, sound: SoundFormat) -> bool:
    """Whether an item of a history can be heard again, and its words are wanted."""
    if not isinstance(item, Recording) or not item.item_id:
        return False
    return int(sound.input_ms(len(item.audio))) >= _SHORTEST_MS


__all__ = ["Retold", "is_retold"]
