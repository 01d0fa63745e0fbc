"""Threads for tools that are plain functions and may block."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from loguru import logger

T = TypeVar("T")

MOST_THREADS = 64
"""Blocking calls at once in the whole process, those that nobody waits for any more included."""


class TooManyThreads(Exception):
    """All threads are taken, perhaps by calls that hang."""


class StrayExit(Exception):
    """A function raised what would end its caller and not only itself, such as SystemExit."""


class ToolThreads(Executor):
    """Runs each function in a daemon thread of its own.

    A function that hangs can be abandoned but not stopped; a pool would run dry of such, and would
    keep the process from ending.

    Args:
        limit: Threads at once.
    """

    def __init__(self, limit: int = MOST_THREADS) -> None:
        self._free = threading.BoundedSemaphore(limit)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Begin to run a function, with the context of the caller.

        Raises:
            TooManyThreads: All are taken.
        """
        if not self._free.acquire(blocking=False):
            raise TooManyThreads
        future: Future[T] = Future()
        context = contextvars.copy_context()

        def run() -> None:
            try:
                if not future.set_running_or_notify_cancel():
                    return
                try:
                    result = context.run(fn, *args, **kwargs)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
            finally:
                self._free.release()

        threading.Thread(target=run, name="tool", daemon=True).start()
        return future


_THREADS = ToolThreads()


async def in_thread(function: Callable[[], T], name: str) -> T:
    """Run a function in a thread. Cancelled, it is left alone, and what it gives is dropped.

    Args:
        function: What to run.
        name: What the log calls it.

    Raises:
        TooManyThreads: All threads of the process are taken.
        StrayExit: It raised SystemExit, StopIteration or the like.
    """
    abandoned = False

    def run() -> T:
        try:
            result = function()
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, StopIteration):
                raise
            stray = StrayExit(f"it raised {type(error).__name__}")
            raise stray.with_traceback(error.__traceback__) from None
        if abandoned:
            logger.info(f"dropped the result of the tool {name}: its call was cancelled before")
        return result

    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, run)
    except asyncio.CancelledError:
        abandoned = True
        raise


__all__ = ["MOST_THREADS", "StrayExit", "TooManyThreads", "ToolThreads", "in_thread"]
