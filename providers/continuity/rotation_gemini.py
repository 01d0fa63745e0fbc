"""How a session of Gemini moves: by its handle where that loses nothing, else beside the old one.

Source: https://ai.google.dev/gemini-api/docs/live-session
"""

from crossfade.providers.continuity.rotation import Moment, Plan, Situation

# A handle is valid for two hours; what is left of them is for the clocks to differ.
_HANDLE_S = 7000.0
# What a server says that does not take a session up: the handle is bad, unknown, or the old
# connection is still open.
_REFUSALS = (1007, 1008, 1011)


class ResumingRotation:
    """Gemini. Implements `Rotation`."""

    def prepares(self, situation: Situation) -> bool:
        return situation.moment is not Moment.LOST and not _resumable(situation)

    def plan(self, situation: Situation) -> Plan:
        if _resumable(situation):
            return Plan.RESUME
        return Plan.REOPEN if situation.moment is Moment.LOST else Plan.PARALLEL


def refuses_resumption(close_code: int | None) -> bool:
    """Whether the end of a connection that was to resume means that the handle is of no use."""
    return close_code in _REFUSALS


def _resumable(situation: Situation) -> bool:
    """Whether the session of the handle has all that was said, and waits for nothing."""
    handle = situation.handle
    if handle is None or situation.utterance or situation.open_calls:
        return False
    if situation.now_s - handle.told_s > _HANDLE_S:
        return False
    return situation.last_turn_s is None or handle.told_s > situation.last_turn_s


__all__ = ["ResumingRotation", "refuses_resumption"]
