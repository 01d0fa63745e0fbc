"""How often a provider's silence is taken for a dead line, by what it should have answered."""

# The caller's own ear may take a shorter noise for speech, but hardly two in a row.
_LIKELY_SPEECH_S = 0.5
_SURELY_SPEECH_S = 1.0
# What so many connections in a row have left unanswered is no question; or a noise.
_MOST = 3
_MOST_FOR_A_NOISE = 2


class Doubts:
    """Counts the connections in a row that were given up for their silence.

    Speech that only the caller's own ear hears may be a noise. A connection that is given up for
    a noise costs a new session, so a short one is doubted late, and less often.
    """

    def __init__(self) -> None:
        self._given_up = 0
        self._unheard = 0
        self._since_s = 0.0
        self._noise = True

    def ear_began(self, now_s: float) -> None:
        """Note that the caller's ear hears speech."""
        self._since_s = now_s

    def ear_ended(self, now_s: float) -> bool:
        """Note that it is over; whether it was so short that it is as likely a noise."""
        self._unheard += 1
        spoke_s = now_s - self._since_s
        self._noise = spoke_s < _SURELY_SPEECH_S and self._unheard == 1
        return self._noise and spoke_s < _LIKELY_SPEECH_S

    def taken_up(self) -> None:
        """Note that the provider made a turn of what the user said."""
        self._unheard = 0

    def answered(self) -> None:
        """Note that an answer has begun."""
        self._unheard = self._given_up = 0

    def gave_up(self) -> None:
        """Note that a connection was given up for its silence."""
        self._given_up += 1

    def dispelled(self) -> None:
        """Note that the connection that was doubted has told something."""
        self._given_up = 0

    @property
    def of_a_question(self) -> bool:
        """Whether the next connection may be doubted, too, for what it was asked."""
        return self._given_up < _MOST

    @property
    def of_speech(self) -> bool:
        """Whether the next connection may be doubted, too, for what the ear heard."""
        return self._given_up < (_MOST_FOR_A_NOISE if self._noise else _MOST)


__all__ = ["Doubts"]
