"""Runs a test's coroutine on the virtual clock and fails on what it leaves behind."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

from crossfade.observability.virtual_time import run_virtual

T = TypeVar("T")

# Loop turns granted to tasks that are finished but for their last callbacks.
_LAST_TURNS = 10


def run(main: Coroutine[Any, Any, T], *, timeout_s: float = 3600.0) -> T:
    """Run `main` in virtual time.

    Args:
        main: The test.
        timeout_s: Virtual seconds after which the test fails.

    Raises:
        AssertionError: A task was left pending, or nobody retrieved a task's exception.
    """
    unhandled: list[dict[str, Any]] = []

    async def supervised() -> T:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: unhandled.append(context))
        before = asyncio.all_tasks()
        result = await main
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(0)
        left = sorted(task.get_name() for task in asyncio.all_tasks() - before)
        assert not left, f"tasks left pending: {left}"
        return result

    result = run_virtual(supervised(), timeout_s=timeout_s)
    # A task tells that its exception was never retrieved when it is collected.
    gc.collect()
    if unhandled:
        raise AssertionError(f"unhandled in the loop: {unhandled}") from unhandled[0].get(
            "exception"
        )
    return result
