"""Runs a captured call again, through the pipeline as it is now."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from crossfade.errors import CrossfadeError, SettingsError
from crossfade.observability.call import CallRecord
from crossfade.observability.capture_file import CapturedCall, Record, read_capture
from crossfade.observability.live_events import Listener
from crossfade.processors.tools import Tool
from crossfade.providers.tap import ConnectionTaps

from .assembly import Call
from .capture_call import CallSetup
from .capture_chain import client_frame
from .replay_caller import ReplayedCaller
from .replay_chain import (
    Changes,
    ReplayedOrders,
    ReplayedSides,
    Setup,
    replayed_chain,
    setup_of,
)
from .replay_phrases import ReplayedStore
from .replay_provider import ReplayProvider
from .replay_tools import ReplayedTools

_SAME_MOMENT_S = 0.001
# Loop turns in which what a record causes is done, where the next one follows at once.
_TURNS = 20


class _Conductor:
    """Brings back what came from outside, in the order and at the times of the capture."""

    def __init__(
        self,
        call: CapturedCall,
        caller: ReplayedCaller,
        provider: ReplayProvider,
        tools: ReplayedTools,
        phrases: ReplayedStore,
        orders: ReplayedOrders,
    ) -> None:
        self._call = call
        self._caller = caller
        self._provider = provider
        self._tools = tools
        self._phrases = phrases
        self._orders = orders
        self._loop = asyncio.get_running_loop()
        self._zero_s = self._loop.time()

    async def run(self) -> None:
        """Bring everything, and wait for the moment at which the captured call ended."""
        end, end_s = self._call.end, self._call.end_s
        before_s = 0.0
        for record in self._call.records:
            if record.kind == "input":
                await self._provider.delivered()
                if record.t - before_s <= _SAME_MOMENT_S:
                    await self._settle()
            await self._until(record.t)
            before_s = record.t
            await self._bring(record)
            if record is end:
                break
        await self._until(end_s)
        await self._settle()

    async def _bring(self, record: Record) -> None:
        fields = record.fields
        match record.kind:
            case "input":
                await self._caller.microphone.begun.wait()
                self._caller.microphone.hear(record.sound)
            case "dialled":
                self._provider.made(fields["line"])
            case "message" if fields["dir"] == "out":
                self._provider.expect(fields["line"], record.data)
            case "message":
                await self._provider.play(fields["line"], record.data)
            case "closed":
                await self._provider.hang_up(fields["line"], fields["code"], fields["reason"])
            case "tool":
                self._tools.release(record)
            case "phrase":
                self._phrases.release(record)
            case "order":
                self._orders.give(record)
            case "client":
                await self._caller.microphone.begun.wait()
                await self._caller.bring(client_frame(fields), upstream=fields["upstream"])

    async def _until(self, at_s: float) -> None:
        wait_s = self._zero_s + at_s - self._loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _settle(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)


async def replay_call(
    call: CapturedCall,
    folder: Path,
    *,
    changes: Changes | None = None,
    tools: Sequence[Tool] | None = None,
    listener: Listener | None = None,
) -> CapturedCall:
    """Run it on the running loop, whose pace is the replay's.

    Args:
        call: The captured call.
        folder: Where the record of the new run goes.
        changes: What is to be otherwise.
        tools: How the tools are declared now; their results are those of the capture. None
            declares them as they were.
        listener: Told what happens.

    Returns:
        The capture of the new run, for `compare`.

    Raises:
        SettingsError: The capture does not hold all that it takes, or a change cannot be used.
    """
    setup = setup_of(call)
    replayed, phrases = ReplayedTools(call, tools), ReplayedStore(call)
    caller = ReplayedCaller(in_rate_hz=setup.in_rate_hz, out_rate_hz=setup.out_rate_hz)
    async with ReplayProvider(call) as provider:
        record = CallRecord.open(folder, capture=True, details={"replay": _name_of(setup)})
        assert isinstance(record.tap, ConnectionTaps)
        record.tap = provider.watch(record.tap)
        if listener is not None:
            record.subscribe(listener)
        orders = ReplayedOrders()
        sides = ReplayedSides(
            call=call,
            caller=caller,
            provider=provider,
            tools=replayed.tools,
            phrases=phrases,
            orders=orders,
        )
        conductor = _Conductor(call, caller, provider, replayed, phrases, orders)
        conducting = asyncio.create_task(conductor.run(), name="conductor")
        try:
            async with replayed_chain(setup, sides, record, changes or Changes()) as chain:
                await chain.run(until=_ending(conducting, chain, hangs_up=call.hung_up))
        except CrossfadeError as error:
            record.error(str(error))
            if isinstance(error, SettingsError) and call.began:
                raise
            # As the captured call may have ended, too: the comparison tells.
        finally:
            conducting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await conducting
            await record.aclose({})
    return read_capture(folder)


async def _ending(conducting: asyncio.Task[None], chain: Call, *, hangs_up: bool) -> None:
    """Wait for the end, and have what waits to be played dropped where it was dropped."""
    await asyncio.wait([conducting])
    if hangs_up:
        await chain.worker.cancel()
        # The chain ends by that, and need not be told to end.
        await asyncio.Event().wait()


def _name_of(setup: Setup) -> str:
    return setup.spec if isinstance(setup, CallSetup) else setup.node


__all__ = ["Changes", "replay_call"]
