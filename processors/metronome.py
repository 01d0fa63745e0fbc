"""One timer for everything that goes at the pace of sound on an event loop."""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

PERIOD_MS = 20
SLOTS = 4
"""Who joins at different times beats at different times, so that calls do not all work at once."""
SLOT_S = PERIOD_MS / 1000 / SLOTS

Beat = Callable[[], None]


class Metronome:
    """Calls its members every 20 ms, each first 15 to 20 ms after it joined; it never drifts.

    A loop that was busy calls each member once for all the beats it missed; who must not fall
    behind looks at the clock. Without members there is no timer.

    Args:
        loop: Whose time it keeps.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._origin_s = loop.time()
        self._slots: tuple[dict[Beat, None], ...] = tuple({} for _ in range(SLOTS))
        self._over = 0
        """The newest turn whose members were called; a turn is one slot's time."""
        self._due: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def join(self, beat: Beat) -> None:
        """Call `beat` from now on; it takes no time and is a member once at most."""
        if not any(beat in slot for slot in self._slots):
            now = self._turn_now()
            self._over = max(self._over, now)
            self._slots[now % SLOTS][beat] = None
            self._arm()

    def leave(self, beat: Beat) -> None:
        """Call it no more; who is no member may leave, too."""
        for slot in self._slots:
            slot.pop(beat, None)

    def _turn_now(self) -> int:
        return int((self._loop.time() - self._origin_s) / SLOT_S)

    def _arm(self) -> None:
        coming = range(self._over + 1, self._over + 1 + SLOTS)
        due = next((turn for turn in coming if self._slots[turn % SLOTS]), None)
        if due == self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due, self._timer = due, None
        if due is not None:
            self._timer = self._loop.call_at(self._origin_s + due * SLOT_S, self._beat)

    def _beat(self) -> None:
        assert self._due is not None
        first, last = self._due, max(self._due, self._turn_now())
        self._over, self._due, self._timer = last, None, None
        for turn in range(first, min(last, first + SLOTS - 1) + 1):
            slot = self._slots[turn % SLOTS]
            for beat in tuple(slot):
                if beat not in slot:
                    continue
                try:
                    beat()
                except Exception as error:
                    # One call's failure is not another's.
                    context = {"message": f"{beat!r} failed on a beat", "exception": error}
                    self._loop.call_exception_handler(context)
        self._arm()


_metronomes: WeakKeyDictionary[asyncio.AbstractEventLoop, Metronome] = WeakKeyDictionary()


def metronome() -> Metronome:
    """The running loop's one."""
    loop = asyncio.get_running_loop()
    if loop not in _metronomes:
        _metronomes[loop] = Metronome(loop)
    return _metronomes[loop]
