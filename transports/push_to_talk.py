"""A key that opens the microphone. Pure.

A terminal tells that a key is pressed, and again while it is held, but not that it is released.
Hence a key works both ways: held, it is open until it stops to repeat; pressed shortly, it is open
until it is pressed again.
"""

from enum import Enum, auto

from crossfade.audio.vad import WINDOW_MS, VoiceDetector

REPEAT_S = 0.15
"""A key that is held repeats sooner than that."""


class _State(Enum):
    CLOSED = auto()
    PRESSED = auto()
    """Once: held or not, nobody knows."""
    PRESSED_AGAIN = auto()
    """The key begins to repeat, or was pressed to close."""
    HELD = auto()


class TalkKey:
    """Whether the microphone is open."""

    def __init__(self) -> None:
        self._state = _State.CLOSED
        self._pressed_s = 0.0

    @property
    def is_open(self) -> bool:
        return self._state is not _State.CLOSED

    def press(self, now_s: float) -> None:
        """The key came, by itself or by repetition."""
        self.look(now_s)
        repeats = now_s - self._pressed_s < REPEAT_S
        self._pressed_s = now_s
        match self._state:
            case _State.CLOSED:
                self._state = _State.PRESSED
            case _State.PRESSED:
                self._state = _State.HELD if repeats else _State.PRESSED_AGAIN
            case _State.PRESSED_AGAIN:
                self._state = _State.HELD

    def look(self, now_s: float) -> None:
        """Time passes: a key that stopped to repeat was released."""
        silent = now_s - self._pressed_s >= REPEAT_S
        if silent and self._state in (_State.PRESSED_AGAIN, _State.HELD):
            self._state = _State.CLOSED


def key_detector(key: TalkKey) -> VoiceDetector:
    """Takes for speech whatever is said while the key is down, and nothing else."""
    return VoiceDetector(
        lambda window: float(key.is_open),
        start_threshold=0.5,
        stay_threshold=0.5,
        start_ms=WINDOW_MS,
        stop_ms=WINDOW_MS,
        gate_dbfs=float("-inf"),
        confirm_ms=WINDOW_MS,
        confirm_threshold=0.5,
        drop_ms=WINDOW_MS,
    )


__all__ = ["REPEAT_S", "TalkKey", "key_detector"]
