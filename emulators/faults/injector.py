"""Arms the faults of one connection at their points and lets them strike."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .moments import State
from .script import Fault

_BEGINS_A_TURN = frozenset({None, State.IDLE, State.SPEAKING})
"""Thinking begins a turn where no speech and no call came before it."""


@dataclass(slots=True)
class _Armed:
    """A fault whose point was reached and that waits for messages."""

    fault: Fault
    messages_left: int


class Injector:
    """Follows one connection and strikes with its faults.

    Args:
        faults: The faults of this connection.
        strike: Called with each fault when it is due.
    """

    def __init__(self, faults: Sequence[Fault], strike: Callable[[Fault], None]) -> None:
        self._waiting = list(faults)
        self._strike = strike
        self._armed: list[_Armed] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._state: State | None = None
        self._turn = 0
        self._spoken = False
        """What the user said last is not asked about yet."""

    def start(self) -> None:
        """The connection is there."""
        self._arm(lambda fault: fault.at is None and fault.turn is None)

    def enter(self, state: State) -> None:
        """The session is in `state` from now on; entering the present one is nothing new."""
        if state is self._state and state is not State.USER_SPEAKING:
            return
        asked = state is State.THINKING and self._state in _BEGINS_A_TURN
        # What was spoken may be asked about later, by the client: that is no other turn.
        begins = state is State.USER_SPEAKING or (asked and not self._spoken)
        if state in (State.USER_SPEAKING, State.THINKING):
            self._spoken = state is State.USER_SPEAKING
        self._state = state
        if begins:
            self._turn += 1
        self._arm(lambda fault: self._is_point_of(fault, begins))

    def _is_point_of(self, fault: Fault, begins: bool) -> bool:
        if fault.turn is not None and fault.turn != self._turn:
            return False
        if fault.at is None:
            return begins and fault.turn is not None
        return fault.at is self._state

    def sent(self) -> None:
        """The service has sent a message."""
        if not self._armed:
            return
        for armed in list(self._armed):
            armed.messages_left -= 1
            if not armed.messages_left:
                self._armed.remove(armed)
                self._strike(armed.fault)

    def stop(self) -> None:
        """The connection is gone."""
        self._waiting.clear()
        self._armed.clear()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def arm(self, fault: Fault) -> None:
        """Begin the delay of a fault whose point is now."""
        if fault.after_messages:
            self._armed.append(_Armed(fault, fault.after_messages))
        elif fault.after_ms:
            self._strike_later(fault)
        else:
            self._strike(fault)

    def _arm(self, reached: Callable[[Fault], bool]) -> None:
        due = [fault for fault in self._waiting if reached(fault)]
        self._waiting = [fault for fault in self._waiting if not reached(fault)]
        for fault in due:
            self.arm(fault)

    def _strike_later(self, fault: Fault) -> None:
        def strike() -> None:
            self._timers.discard(timer)
            self._strike(fault)

        timer = asyncio.get_running_loop().call_later(fault.after_ms / 1000, strike)
        self._timers.add(timer)
