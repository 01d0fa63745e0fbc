"""Who has the floor, as far as late results have to wait for it. Pure."""

from enum import Enum

ANSWER_DUE_MS = 3000.0
"""How long the answer to the user, or to a result, is waited for before it counts as not coming."""


class UserSound(Enum):
    """What is heard of the user on this machine."""

    BEGAN = "speech may have begun"
    CONFIRMED = "it is speech"
    DROPPED = "it was none"
    ENDED = "speech has ended"


class Floor:
    """Whether a response runs, and whether anybody speaks.

    The user's turns are told by whoever owns them, and not on every wire: Gemini tells only of
    those that interrupt. What is heard here is told on all of them.

    Attributes:
        agent_speaks: Whether the agent is heard, whoever put it into its mouth.
    """

    def __init__(self) -> None:
        self.agent_speaks = False
        self._response_id: str | None = None
        self._turn = False
        self._sounds = False
        self._sure = False
        """It was told that what sounds is speech."""
        self._answered = False
        """A response has begun since the user was heard last."""
        self._due_until_ms = 0.0

    @property
    def user_speaks(self) -> bool:
        """Whether the user speaks, by whoever has heard it."""
        return self._turn or self._sounds

    def free(self, now_ms: float) -> bool:
        """Whether nobody speaks but perhaps the agent, and no answer is on its way or due."""
        taken = self.user_speaks or self._response_id is not None
        return not taken and now_ms >= self._due_until_ms

    def due_until_ms(self, now_ms: float) -> float | None:
        """Until when an answer is waited for; None if none is."""
        return self._due_until_ms if self._due_until_ms > now_ms else None

    def asked(self, now_ms: float) -> None:
        """The model shall speak, and will do so soon."""
        self._due_until_ms = now_ms + ANSWER_DUE_MS

    def response_started(self, response_id: str) -> None:
        # One at a time: whatever ran before is over, its end told or not.
        self._response_id = response_id
        self._due_until_ms = 0.0
        self._answered = True
        # Who answers takes the user's turn for over. Not every wire tells of its end.
        self._turn = False

    def response_ended(self, response_id: str) -> None:
        if response_id == self._response_id:
            self._response_id = None

    def turn(self, speaks: bool, now_ms: float) -> bool:
        """The user's turn begins or ends; true if one began."""
        began = speaks and not self._turn
        if self._turn and not speaks:
            self.asked(now_ms)
        self._answered &= not began
        self._turn = speaks
        return began

    def sound(self, sound: UserSound, now_ms: float) -> bool:
        """The user is heard; true if it is now sure that they spoke."""
        sounded, sure = self._sounds, self._sure
        match sound:
            case UserSound.BEGAN:
                self._sounds, self._sure, self._answered = True, False, False
            case UserSound.CONFIRMED:
                self._sure = True
            case UserSound.DROPPED:
                self._sounds = False
            case UserSound.ENDED:
                self._sounds = False
                if sounded and not self._answered:
                    self.asked(now_ms)
        # Not every detector confirms; what ends without being dropped was speech, too.
        return sounded and not sure and sound in (UserSound.CONFIRMED, UserSound.ENDED)


__all__ = ["ANSWER_DUE_MS", "Floor", "UserSound"]
