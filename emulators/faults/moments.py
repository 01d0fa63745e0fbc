"""The points of a call that a fault can be tied to."""

from enum import StrEnum


class State(StrEnum):
    """What an emulated session is doing."""

    IDLE = "idle"
    """Nobody speaks and nothing is asked."""
    USER_SPEAKING = "user_speaking"
    THINKING = "thinking"
    """A turn is to be answered and nothing of the answer has been sent."""
    SPEAKING = "speaking"
    """The answer is being sent."""
    TOOL_PENDING = "tool_pending"
    """The client has not answered a call."""
