"""Which worker has which call, and who is given the next connection. Pure."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FRESH_S = 1.0
"""So long a connection that was given counts as a call that is to come."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """What is known of one."""

    number: int
    ready: bool = False
    draining: bool = False
    busy: bool = False
    """It takes no new calls now."""
    told_s: float = 0.0
    """When it was heard of last."""
    spent: dict[str, Any] = field(default_factory=dict)
    given: deque[float] = field(default_factory=deque)

    def load(self, calls: int, now_s: float) -> int:
        """The calls it has or will have."""
        while self.given and self.given[0] <= now_s - FRESH_S:
            self.given.popleft()
        return calls + len(self.given)


class Workers:
    """The workers of a server, and their calls.

    Args:
        silent_s: Who said nothing for so long is given nothing.
    """

    def __init__(self, *, silent_s: float) -> None:
        self._silent_s = silent_s
        self._workers: dict[int, Worker] = {}
        self._holders: dict[str, int] = {}

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._workers.values()))

    def add(self, number: int, now_s: float) -> Worker:
        """A worker is being started."""
        worker = self._workers[number] = Worker(number=number, told_s=now_s)
        return worker

    def remove(self, number: int) -> None:
        """A worker has ended, and its calls with it, for now."""
        self._workers.pop(number, None)
        self._holders = {call: at for call, at in self._holders.items() if at != number}

    def begun(self, call_id: str, number: int) -> None:
        """A worker serves a call, whoever did before."""
        self._holders[call_id] = number

    def ended(self, call_id: str, number: int) -> bool:
        """A worker serves a call no more; whether nobody has taken it since."""
        own = self._holders.get(call_id) == number
        if own:
            del self._holders[call_id]
        return own

    def holder(self, call_id: str, now_s: float) -> int | None:
        """Who serves a call, and will for a while; None if nobody does, or who does hangs."""
        worker = self._workers.get(self._holders.get(call_id, -1))
        if worker is None or worker.draining or not self._awake(worker, now_s):
            return None
        return worker.number

    def calls(self, number: int | None = None) -> list[str]:
        """The calls of one worker, or of all."""
        return [call for call, at in self._holders.items() if number in (None, at)]

    def choose(self, now_s: float, *, but: int | None = None) -> int | None:
        """Who is given a connection: the one with the fewest calls, if it can be one that is not
        busy. None if there is nobody at all.

        Args:
            now_s: Any clock.
            but: Somebody who is not to be given it.
        """
        counts: dict[int, int] = {}
        for at in self._holders.values():
            counts[at] = counts.get(at, 0) + 1
        ready = [each for each in self._workers.values() if each.ready and each.number != but]
        # One that ends says so itself.
        able = [each for each in ready if not each.draining] or ready
        # One that hangs is better than nobody: it may wake up.
        awake = [each for each in able if self._awake(each, now_s)] or able
        if not awake:
            return None
        chosen = min(
            awake,
            key=lambda each: (each.busy, each.load(counts.get(each.number, 0), now_s), each.number),
        )
        chosen.given.append(now_s)
        return chosen.number

    def _awake(self, worker: Worker, now_s: float) -> bool:
        return worker.told_s > now_s - self._silent_s


__all__ = ["FRESH_S", "Worker", "Workers"]
