"""Threads for tools that block."""

import asyncio
import contextvars
import threading

import pytest
from loguru import logger

from crossfade.processors.tool_threads import ToolThreads, TooManyThreads
from crossfade.processors.tools import tool
from tests.clock import run

where = contextvars.ContextVar("where", default="nowhere")


def test_a_function_runs_with_the_context_of_its_caller() -> None:
    async def main() -> None:
        where.set("here")
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(ToolThreads(), where.get) == "here"

    run(main())


def test_what_a_function_raises_comes_back() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(ToolThreads(), lambda: 1 / 0)

    run(main())


def test_threads_that_hang_are_counted_until_they_end() -> None:
    threads, release = ToolThreads(limit=1), threading.Event()
    hanging = threads.submit(release.wait)
    with pytest.raises(TooManyThreads):
        threads.submit(print)
    release.set()
    assert hanging.result(timeout=5) is True
    while True:
        try:
            assert threads.submit(lambda: 7).result(timeout=5) == 7
            break
        except TooManyThreads:
            continue


def test_a_cancelled_call_of_a_blocking_function_is_not_waited_for() -> None:
    release, told, logged = threading.Event(), threading.Event(), []

    def keep(message: str) -> None:
        logged.append(message)
        told.set()

    @tool
    def block() -> None:
        """Block."""
        release.wait()

    async def main() -> None:
        task = asyncio.create_task(block.run({}))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    sink = logger.add(keep, format="{message}", filter=lambda line: "dropped" in line["message"])
    release.set()
    assert told.wait(timeout=5)
    logger.remove(sink)
    assert logged == ["dropped the result of the tool block: its call was cancelled before\n"]
