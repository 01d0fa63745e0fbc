"""Calls that are cancelled, on models of every kind: what is told, and that the rest goes on."""

import asyncio

import pytest

from crossfade.emulators.faults.moments import State
from crossfade.emulators.gemini.faults import CallCancellation
from crossfade.frames.control import InterruptionFrame
from crossfade.processors.tools import OnInterruption, tool
from tests.clock import run
from tests.tools.test_each_wire import BLOCKING, CASCADE, GEMINI, OPENAI, each_wire, later, sleeper
from tests.tools.wires import ASK, Told, Wire, call, script, talk

INTERRUPTED = {"error": "The user interrupted it."}
WHY = Told("result", "The user interrupted it.")
"""The same, as a cascade's model has it."""


@pytest.mark.parametrize("wire", [GEMINI, BLOCKING], ids=lambda wire: wire.name)
def test_a_call_that_the_provider_takes_back_is_cancelled_and_not_answered(wire: Wire) -> None:
    cleaned_up = False

    @tool
    async def look() -> str:
        """Look."""
        nonlocal cleaned_up
        try:
            await asyncio.sleep(5)
        finally:
            cleaned_up = True
        return "done"

    async def main() -> None:
        fault = CallCancellation(at=State.TOOL_PENDING, after_ms=500)
        async with talk(wire, [look], script([call("look")], "Yes."), faults=[fault]) as made:
            await made.say()
            await asyncio.sleep(3)
            assert cleaned_up
            assert made.told == []
            await made.say("Hello?")
            await asyncio.sleep(2)
            assert made.spoken() == ["Yes."]

    run(main())


@each_wire
def test_an_interruption_cancels_what_is_of_no_use_then_and_the_rest_goes_on(wire: Wire) -> None:
    async def main() -> None:
        useless = sleeper("useless", 1.6, on_interruption=OnInterruption.CANCEL)
        tools = [useless, sleeper("useful", 1.6)]
        async with talk(wire, tools, script([call("useless"), call("useful")], "So.")) as made:
            await made.say()
            await asyncio.sleep(0.5)
            await made.chain.down(InterruptionFrame())
            await asyncio.sleep(4)
            why = INTERRUPTED
            words = "[The tool call useful({}) of before has its result now: done]"
            assert (
                made.told
                == {
                    OPENAI: [Told("result", why), *later("useful", "done")[OPENAI]],
                    GEMINI: [Told("result", why, "SILENT"), *later("useful", "done")[GEMINI]],
                    BLOCKING: [
                        *(Told("result", why), Told("result", "useful runs"), Told("text", words))
                    ],
                    CASCADE: [WHY, *later("useful", "done")[CASCADE]],
                }[wire]
            )
            assert [turn["is_error"] for turn in made.turns("tool")] == [True, False]

    run(main())


@pytest.mark.parametrize("wire", [GEMINI, BLOCKING], ids=lambda wire: wire.name)
def test_what_the_others_gave_is_spoken_of_when_the_last_call_is_taken_back(wire: Wire) -> None:
    async def main() -> None:
        tools = [sleeper("slow", 5), sleeper("quick", 0.1, "q")]
        scenario = script([call("slow"), call("quick")], "It is q.")
        fault = CallCancellation(at=State.TOOL_PENDING, after_ms=500)
        async with talk(wire, tools, scenario, faults=[fault]) as made:
            await made.say()
            await asyncio.sleep(2)
            words = "[The tool call slow({}) of before was taken back. Go on without it.]"
            when = None if wire is BLOCKING else "SILENT"
            assert made.told == [Told("result", "q", when), Told("text", words)]
            assert made.spoken() == ["It is q."]

    run(main())


@each_wire
def test_what_the_others_gave_is_spoken_of_when_the_last_call_is_interrupted(wire: Wire) -> None:
    async def main() -> None:
        useless = sleeper("useless", 5, on_interruption=OnInterruption.CANCEL)
        tools = [useless, sleeper("quick", 0.1, "q")]
        scenario = script([call("useless"), call("quick")], "It is q.")
        async with talk(wire, tools, scenario) as made:
            await made.say()
            await asyncio.sleep(0.6)
            await made.chain.down(InterruptionFrame())
            await asyncio.sleep(1)
            assert (
                made.told
                == {
                    OPENAI: [Told("result", "q"), Told("result", INTERRUPTED), ASK],
                    GEMINI: [
                        Told("result", "q", "SILENT"),
                        Told("result", INTERRUPTED, "WHEN_IDLE"),
                    ],
                    BLOCKING: [Told("result", "q"), Told("result", INTERRUPTED)],
                    CASCADE: [WHY, Told("result", "q"), ASK],
                }[wire]
            )
            assert made.spoken() == ["It is q."]

    run(main())


@each_wire
def test_a_call_that_is_cancelled_behind_its_placeholder_is_told_of(wire: Wire) -> None:
    """Gemini 3.1 reads no text that it shall not answer: it has it with the next."""

    async def main() -> None:
        useless = sleeper("useless", 5, on_interruption=OnInterruption.CANCEL)
        async with talk(wire, [useless], script([call("useless")], "Sure.", "Yes.")) as made:
            await made.say()
            await asyncio.sleep(2)
            await made.chain.down(InterruptionFrame())
            await asyncio.sleep(1)
            await made.say("Are you there?")
            await asyncio.sleep(1)
            words = "[The tool call useless({}) of before was cancelled: The user interrupted it.]"
            assert (
                made.told
                == {
                    OPENAI: [
                        Told("part", "useless runs"),
                        Told("result", INTERRUPTED),
                        Told("text", "Are you there?"),
                        ASK,
                    ],
                    GEMINI: [
                        Told("part", "useless runs", "SILENT"),
                        Told("result", INTERRUPTED, "SILENT"),
                        Told("text", "Are you there?"),
                    ],
                    BLOCKING: [
                        Told("result", "useless runs"),
                        Told("text", f"{words}\nAre you there?"),
                    ],
                    CASCADE: [WHY, Told("text", "Are you there?"), ASK],
                }[wire]
            )

    run(main())
