"""Runs Python snippets: with `await` at their top on the virtual clock, their tests as tests."""

import ast
import asyncio
import contextlib
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

import pytest

from tests.clock import run
from tests.snippets.blocks import Block
from tests.snippets.given import GIVEN, OUTSIDE

Fixture = Callable[[str], Any]
"""Gives a fixture of pytest's by its name."""


def run_python(
    block: Block, names: dict[str, Any], patch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Run a block in these names, then the tests in it."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(block.compiled_from, str(block), "exec", flags=flags, dont_inherit=True)
    givens = [GIVEN[name] for name in block.given]

    async def given(stack: contextlib.AsyncExitStack) -> None:
        for each in givens:
            names.update(await stack.enter_async_context(each(patch)))

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            await given(stack)
            if "with_forecasts" in names and "forecast(" in block.text:
                names["with_forecasts"]()
            await _execute(code, names)

    if OUTSIDE.isdisjoint(block.given) and (givens or code.co_flags & inspect.CO_COROUTINE):
        asyncio.run(main()) if "a_session" in block.given else run(main())
    else:
        asyncio.run(given(contextlib.AsyncExitStack()))
        exec(code, names)
    for name, test in list(names.items()):
        if name.startswith("test_") and f"def {name}(" in block.text:
            _run_test(test, request)


async def _execute(code: CodeType, names: dict[str, Any]) -> None:
    result = eval(code, names)
    if inspect.iscoroutine(result):
        await result


def _run_test(test: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    for mark in getattr(test, "pytestmark", ()):
        request.node.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))
    fixtures = {name: request.getfixturevalue(name) for name in inspect.signature(test).parameters}
    test(**fixtures)


__all__ = ["run_python"]
