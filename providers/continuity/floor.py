"""Who has the floor, and since when nobody has: a connection is best replaced then."""

from crossfade.providers.continuity.liveness import TURN_OVER_S
from crossfade.providers.continuity.owed import Owed
from crossfade.providers.continuity.uplink import UplinkBuffer


class Floor:
    """What the session's caller hears of both sides. Knows no clock.

    Args:
        silent_s: So long a provider that tells of no speech may take to tell of a turn.
    """

    def __init__(self, silent_s: float) -> None:
        self.playing = False
        """Whether an answer sounds."""
        self._silent_s = silent_s
        self._user_speaks = False
        self._has_ear = False
        self._ear_stopped_s = 0.0
        self._stirred_s = 0.0

    def stirred(self, now_s: float) -> None:
        """Note that anything was asked or told."""
        self._stirred_s = now_s

    def user_speaks(self, speaks: bool, now_s: float) -> None:
        """Note that the caller's own ear hears the user begin or stop to speak."""
        self._user_speaks, self._has_ear = speaks, True
        if not speaks:
            self._ear_stopped_s = now_s

    def is_users(self, owed: Owed) -> bool:
        """Whether the user speaks: by the caller's own ear, if it ever told."""
        return self._user_speaks or (owed.user_speaks and not self._has_ear)

    def quiet_since_s(self, owed: Owed, uplink: UplinkBuffer) -> float | None:
        """Since when nobody speaks, nothing plays and nothing is owed; None if that is not so.

        What only the caller's ear has heard is waited for no longer than a provider that is well
        takes to tell of it: a noise then, and kept for the next one all the same.
        """
        if not owed.settled or uplink.owes_turn or self._user_speaks or self.playing:
            return None
        if not uplink.owes:
            return self._stirred_s
        patience_s = TURN_OVER_S if uplink.speech_events else self._silent_s
        return max(self._stirred_s, self._ear_stopped_s + patience_s)


__all__ = ["Floor"]
