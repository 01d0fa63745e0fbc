"""A key that is held, or pressed twice."""

import numpy as np
import pytest

from crossfade.audio.vad import SpeechBegan, SpeechConfirmed, SpeechDropped, SpeechEnded
from crossfade.transports.push_to_talk import REPEAT_S, TalkKey, key_detector

WINDOW = np.zeros(512, "<i2").tobytes()


def opened(presses: list[float], until_s: float) -> list[tuple[float, bool]]:
    """When the microphone opens and closes, looked at each 20 ms."""
    key, waiting = TalkKey(), sorted(presses)
    changes: list[tuple[float, bool]] = []
    for step in range(int(until_s / 0.02) + 1):
        now_s = step * 0.02
        while waiting and waiting[0] <= now_s:
            key.press(waiting.pop(0))
        key.look(now_s)
        if not changes or changes[-1][1] is not key.is_open:
            changes.append((now_s, key.is_open))
    return changes


@pytest.mark.parametrize("delay_s", [0.25, 0.5, 0.66])
def test_a_key_that_is_held_is_open_until_it_is_released(delay_s: float) -> None:
    repeats = [1 + delay_s + n * 0.033 for n in range(60)]
    first, began, ended = opened([1.0, *repeats], 5)
    assert (first[1], began, ended[1]) == (False, (1.0, True), False)
    assert ended[0] == pytest.approx(repeats[-1] + REPEAT_S, abs=0.021)


def test_a_key_that_is_pressed_twice_is_open_between() -> None:
    first, began, ended = opened([1.0, 4.0], 6)
    assert (first[1], began, ended[1]) == (False, (1.0, True), False)
    assert ended[0] == pytest.approx(4 + REPEAT_S, abs=0.021)
    changes = opened([1.0, 2.0, 3.0, 4.0], 6)
    assert [each for _, each in changes] == [False, True, False, True, False]


def test_a_key_that_is_tapped_twice_at_once_is_closed_again() -> None:
    assert opened([1.0, 1.1], 3)[-1][1] is False


def test_the_detector_hears_the_key_and_nothing_else() -> None:
    key = TalkKey()
    detector = key_detector(key)
    loud = (np.sin(np.arange(512)) * 20000).astype("<i2").tobytes()
    assert detector.feed(loud * 10) == []
    key.press(1.0)
    began, confirmed = detector.feed(WINDOW * 2)
    assert isinstance(began, SpeechBegan)
    assert isinstance(confirmed, SpeechConfirmed)
    # However long nobody says anything.
    assert detector.feed(WINDOW * 300) == []
    key.press(2.0)
    key.look(3.0)
    (ended,) = detector.feed(loud)
    assert isinstance(ended, SpeechEnded)
    key.press(4.0)
    assert isinstance(detector.feed(WINDOW)[0], SpeechBegan)
    key.press(4.05)
    key.look(5.0)
    assert isinstance(detector.feed(WINDOW)[0], SpeechDropped)
