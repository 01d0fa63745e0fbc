"""Calls that need the caller's word, on models of every kind."""

import asyncio
from dataclasses import replace

from crossfade.emulators.backends.backend import Trigger
from crossfade.processors.tools import Tool, tool
from tests.clock import run
from tests.tools.test_each_wire import each_provider
from tests.tools.wires import Talk, Wire, call, script, talk

SCRIPT = script([call("pay")], "Shall I pay?", [call("pay")], "Done.", "Well.")
# The second call follows what is said, the first what is written.
SPOKEN = replace(
    SCRIPT,
    turns=(*SCRIPT.turns[:2], replace(SCRIPT.turns[2], on=Trigger.SPEECH), *SCRIPT.turns[3:]),
)


def paying(runs: list[str]) -> Tool:
    @tool(confirm=True, acknowledge=None)
    async def pay() -> str:
        """Pay."""
        runs.append("paid")
        return "paid"

    return pay


def results(made: Talk) -> list[bool]:
    """Of each answer to a call, whether it says that the tool has run."""
    told = [str(one.what) for one in made.told if one.kind == "result"]
    assert all(each == "paid" or "has not been run" in each for each in told)
    return [each == "paid" for each in told]


@each_provider
def test_a_call_that_needs_consent_runs_once_when_the_caller_has_said_something(
    wire: Wire,
) -> None:
    async def main() -> None:
        runs: list[str] = []
        async with talk(wire, [paying(runs)], SPOKEN, hears=True) as made:
            await made.say()
            await asyncio.sleep(3)
            assert not runs
            await made.hear_line("enough", 0.6)
            await asyncio.sleep(3)
            assert runs == ["paid"]
            assert results(made) == [False, True]
            assert made.spoken() == ["Shall I pay?", "Done."]

    run(main())


@each_provider
def test_what_is_written_is_no_consent(wire: Wire) -> None:
    """An application may have written it."""

    async def main() -> None:
        runs: list[str] = []
        async with talk(wire, [paying(runs)], SCRIPT, hears=True) as made:
            await made.say()
            await asyncio.sleep(3)
            await made.say("Yes.")
            await asyncio.sleep(2)
            assert not runs
            assert results(made) == [False, False]

    run(main())
