"""How much sound is heard in one turn of the event loop, by all calls of a process together.

A client that comes back sends seconds of its microphone at once, and after a crash a hundred do.
Heard at once, each second would take the loop several ms in which nobody else's call goes on. And
what the call makes of its sound, such as that the caller began to speak, takes some turns of the
loop to get to where the beginning is still kept: so each call hears one short piece in a turn.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

PIECES_A_TURN = 16
"""Of those that wait, heard within 5 ms or so."""
_ASK_AT = PIECES_A_TURN // 2
"""From so many on, a turn is asked for in which to begin anew: each costs the loop a round of its
own, and they may be of turns that are long over."""

Step = Callable[[], bool]
"""Hears one piece; whether it is to be called again, in the next turn."""


class SoundTurns:
    """Shares the turns of an event loop among those that have sound to be heard.

    A call hears one piece at once, and the rest in the next turns, in which timers and other
    sockets have their part too; who waits gets a piece after the other, each call in its turn. How
    much waits, and how long a piece is, is bounded by whoever waits.

    Args:
        loop: Whose turns they are.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heard: set[Step] = set()
        """Who has had a piece in this turn, or in one not long ago."""
        self._waiting: deque[Step] = deque()
        self._planned = False

    def room(self, step: Step) -> bool:
        """Whether who would wait with `step` may hear a piece at once: its first in this turn,
        however many others there are, since a busy loop has few turns."""
        if step in self._heard:
            return False
        self._heard.add(step)
        if len(self._heard) >= _ASK_AT:
            self._plan()
        return True

    def leave(self, step: Step) -> None:
        """Forget who hears nothing more."""
        self._heard.discard(step)

    def wait(self, step: Step) -> None:
        """Have `step` called in the coming turns, until it says no; who waits already
        does not ask again."""
        self._waiting.append(step)
        self._plan()

    def _plan(self) -> None:
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._planned = False
        self._heard.clear()
        for _ in range(min(len(self._waiting), PIECES_A_TURN)):
            step = self._waiting.popleft()
            if step():
                self._waiting.append(step)
        if self._waiting:
            self._plan()


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, SoundTurns] = WeakKeyDictionary()


def sound_turns() -> SoundTurns:
    """The running loop's one."""
    loop = asyncio.get_running_loop()
    if loop not in _turns:
        _turns[loop] = SoundTurns(loop)
    return _turns[loop]


__all__ = ["PIECES_A_TURN", "SoundTurns", "sound_turns"]
