"""A call with a person, from the terminal."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Unpack

from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.observability.call_summary import CallSummary

from .assembly import Call
from .live_caller import Caller, LiveCaller, Meter, live_caller
from .live_options import LiveSettings
from .recorded_call import Keeping, Outcome, recorded_call

MakeLiveCall = Callable[[LiveCaller, CallRecord], AbstractAsyncContextManager[Call]]


async def hold_live_call(
    make: MakeLiveCall,
    settings: LiveSettings,
    *,
    meter: Meter | None = None,
    **kept: Unpack[Keeping],
) -> Outcome:
    """Make a call and run it until the person hangs up, by Ctrl-C or by leaving.

    Args:
        make: Puts the call together around the person and the record.
        settings: Where they are.
        meter: Filled with what the terminal shows of the microphone.
        kept: What of the call is kept.

    Raises:
        CrossfadeError: As `live_caller`, `make` and `Call.run`; the record is valid then, too.
        ConnectionLost: The sound card or the room was lost.
    """
    announce = kept["announce"]
    async with live_caller(settings, announce=announce, meter=meter) as (person, caller):
        outcome = await recorded_call(
            lambda record: make(person, record), lambda call: _run(call, caller), **kept
        )
        for remark in person.remarks():
            announce(remark)
    if caller.failure is not None:
        raise caller.failure
    return outcome


async def _run(call: Call, caller: Caller) -> CallSummary:
    """Run the call, and end it at once when the person hangs up: nobody listens any more."""
    ending = asyncio.create_task(_end(call, caller), name="hang up")
    try:
        with _interrupts(caller.hang_up):
            return await call.run()
    except CrossfadeError as error:
        raise caller.explain(error) from error
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


async def _end(call: Call, caller: Caller) -> None:
    await caller.hung_up()
    await call.worker.cancel(reason="hung up")


@contextlib.contextmanager
def _interrupts(hang_up: Callable[[], None]) -> Iterator[None]:
    """Have the first Ctrl-C hang up; the next one ends the process."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        hang_up()

    # Windows has none, nor has a thread; Ctrl-C raises there.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, first)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)


__all__ = ["MakeLiveCall", "hold_live_call"]
