"""Where in an answer's sound its words end, where the synthesiser tells when each begins. Pure."""

from crossfade.conversation.heard import WordTiming

_NS_PER_MS = 1e6


class SpokenWords:
    """The words of one answer.

    pipecat's synthesisers tell for each word a time on the pipeline's clock: that of the first
    sound of its stretch, or of the last word before if that is later, and how far behind it the
    word begins. A word ends where the next one begins, and the last of a stretch with its sound.
    """

    def __init__(self) -> None:
        self.text = ""
        """What was given to the synthesiser and to the ledger so far."""
        self._found_to = 0
        self._last_pts_ns = 0
        self._begun_ns = 0
        self._begun_ms = 0.0
        self._open: int | None = None
        """How much of the text is said by the end of the word that sounds."""

    def sound_begins(self, now_ns: int, received_ms: float) -> list[WordTiming]:
        """The first sound of a stretch comes, behind so much of the answer's."""
        ended = self.sound_ended(received_ms)
        self._begun_ns = max(now_ns, self._last_pts_ns)
        self._begun_ms = received_ms
        return ended

    def word(self, word: str, pts_ns: int) -> list[WordTiming]:
        """A word is told; gives the end of the one before it."""
        self._last_pts_ns = max(self._last_pts_ns, pts_ns)
        at_ms = self._begun_ms + max(0, pts_ns - self._begun_ns) / _NS_PER_MS
        ended = self.sound_ended(at_ms)
        word = word.strip()
        at = self.text.find(word, self._found_to) if word else -1
        if at >= 0:
            # What is said in other words than it is written is passed over.
            self._open = self._found_to = at + len(word)
        return ended

    def sound_ended(self, at_ms: float) -> list[WordTiming]:
        """The word that sounds ends there in the answer's sound."""
        end, self._open = self._open, None
        return [] if end is None else [WordTiming(end_character=end, end_ms=at_ms)]


__all__ = ["SpokenWords"]
