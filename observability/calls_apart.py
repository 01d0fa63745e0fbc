"""When the calls of one loop hand on their sound: one by one, and not all at once."""

import asyncio
import itertools
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from .call_sound import EVERY_S, apart_s
from .event_log import EventLog

_numbers: WeakKeyDictionary[asyncio.AbstractEventLoop, Iterator[int]] = WeakKeyDictionary()
"""Of the calls of each loop."""


def first_s(log: EventLog) -> float:
    """When the sound of a new call is handed on, in seconds from its start: not when others are."""
    loop = asyncio.get_running_loop()
    number = next(_numbers.setdefault(loop, itertools.count()))
    return (apart_s(number) - (loop.time() - log.now_s)) % EVERY_S


__all__ = ["first_s"]
