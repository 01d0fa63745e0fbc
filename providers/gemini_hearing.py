"""The user's spoken turns, which Gemini shows by their words alone.

The words come in pieces, in no order with the answer: they may even trail it. A turn's place in
the conversation is before its answer, so it is opened, at the latest, when the answer begins.
"""

from crossfade.providers.events import Event, UserTranscript, UserTurnCommitted
from crossfade.providers.session_ids import Ids

_MOST_CHARACTERS = 20_000


class Hearing:
    """Makes the user's turns of what the service says it heard.

    Args:
        ids: Names of this session.

    Attributes:
        transcribe: Whether the user's words are wanted.
        audio_sent: Whether there was anything to hear; set by who sends it.
    """

    def __init__(self, ids: Ids) -> None:
        self.transcribe = True
        self.audio_sent = False
        self._ids = ids
        self._item_id = ""
        self._text = ""
        self._answered = False
        # The turn is over, but its words are still to come.
        self._unheard = False
        # The caller marks the turns; one was begun since the last answer began.
        self._marked = self._begun = False
        self._due: list[Event] = []
        # What is answered next must have been spoken, unless something else was to be answered.
        self._spoken = True

    def begins(self) -> None:
        """The caller begins a turn: words that come from now on are no earlier one's."""
        self._marked = self._begun = True
        if self._unheard:
            self._due += self._close()

    def prompted(self) -> None:
        """Something else than speech is to be answered next."""
        self._spoken = False

    def words(self, text: str, *, finished: bool) -> list[Event]:
        """A piece of what the user says."""
        events: list[Event] = []
        if not self._item_id and text.strip():
            events += self._open()
        if not self._item_id:
            return events
        self._text = (self._text + text)[:_MOST_CHARACTERS]
        if finished:
            self._spoken = self._spoken and self._answered
            return events + self._close()
        if self.transcribe and (so_far := self._text.strip()):
            events.append(UserTranscript(item_id=self._item_id, text=so_far, final=False))
        return events

    def answered(self) -> list[Event]:
        """A response begins."""
        events: list[Event] = []
        if not self._item_id and self._spoken and self.audio_sent:
            events += self._open()
        self._answered = True
        self._spoken = self._begun = False
        return events

    def turn_over(self, *, calling: bool = False) -> list[Event]:
        """The model's turn is over, or cut: what comes now is said anew, unless the caller marks
        the turns, has begun none since, and no words of the last one have come.

        Args:
            calling: It ended with calls of tools. If none of the user's words have come by then,
                those that come next are the ones that the tools were called for.
        """
        if not self._answered and not self._unheard:
            return []
        self._answered = False
        self._spoken = True
        self.audio_sent = False
        waits = calling or (self._marked and not self._begun)
        self._unheard = waits and bool(self._item_id) and not self._text.strip()
        return self._close() if self._item_id and not self._unheard else []

    def ended(self) -> list[Event]:
        """No more is told."""
        over = self._answered or self._unheard
        due, self._due = self._due, []
        return due + (self._close() if self._item_id and over else [])

    def _open(self) -> list[Event]:
        self._item_id = self._ids.next("user")
        self._text = ""
        due, self._due = self._due, []
        return [*due, UserTurnCommitted(item_id=self._item_id)]

    def _close(self) -> list[Event]:
        item_id, self._item_id = self._item_id, ""
        self._unheard = False
        if not self.transcribe:
            return []
        return [UserTranscript(item_id=item_id, text=self._text.strip(), final=True)]


__all__ = ["Hearing"]
