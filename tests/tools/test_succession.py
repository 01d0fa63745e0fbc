"""A tool that runs while the session behind the conversation is replaced."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from crossfade.emulators.backends.backend import Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, RefuseHandshake, RefuseKey, Reset
from crossfade.frames.continuity import NodeSwitchedFrame, SessionContinuedFrame
from crossfade.frames.control import BotStartedSpeakingFrame, ErrorFrame, InterruptionFrame
from crossfade.processors.node_switch import When
from crossfade.processors.tools import OnInterruption, Tool, tool
from crossfade.providers.continuity.settings import Continuity
from crossfade.providers.events import Handover
from tests.clock import run
from tests.tools.wires import PROVIDERS, THINK_MS, Talk, Told, Wire, call, swapping, talk

each_wire = pytest.mark.parametrize("wire", PROVIDERS, ids=lambda wire: wire.name)
CASCADE = Wire.CASCADE
DIES = Reset(at=State.TOOL_PENDING, after_ms=300)
# So much earlier than the provider's limit the session looks for a quiet moment, and forces one.
SOON = Continuity(rotate_before_s=11, force_before_s=9.5)
LASTS_S = 12.0
SUCCESSIONS: Mapping[str, tuple[Handover, Mapping[str, Any]]] = {
    "reconnect": (Handover.RECONNECT, {"faults": [DIES]}),
    "rotation": (Handover.ROTATION, {"lasts_s": LASTS_S, "continuity": SOON}),
    "failover": (Handover.FAILOVER, {"faults": [DIES, RefuseKey(session=2)]}),
}
FALLBACK = {
    Wire.OPENAI: Wire.GEMINI,
    Wire.GEMINI: Wire.OPENAI,
    Wire.BLOCKING: Wire.OPENAI,
}
SWAPS = [
    *FALLBACK.items(),
    *((wire, CASCADE) for wire in PROVIDERS),
    *((CASCADE, wire) for wire in PROVIDERS),
]
each_swap = pytest.mark.parametrize(
    ("wire", "other"), SWAPS, ids=[f"{one.name}-{other.name}" for one, other in SWAPS]
)
# What the results are, placeholders included, is read out as often as the model is asked.
TELL = Turn(on=Trigger.TOOL_RESULTS, think_ms=THINK_MS, say=("{results}",))
SCRIPT = Scenario(
    turns=(Turn(on=Trigger.TEXT, think_ms=THINK_MS, call=(call("look"),)), TELL, TELL),
    otherwise="Well.",
)


class Looker:
    """A tool that takes a while, and how often it ran."""

    def __init__(self, takes_s: float) -> None:
        self.runs = 0
        self._takes_s = takes_s

    @property
    def tool(self) -> Tool:
        @tool(name="look", acknowledge=None, placeholder="look runs")
        async def look() -> str:
            """Look."""
            self.runs += 1
            await asyncio.sleep(self._takes_s)
            return "seen"

        return look


def results(told: Sequence[Told]) -> list[Told]:
    """Where the result was told, or a part of it."""
    return [one for one in told if one.kind != "ask" and "seen" in str(one.what)]


def in_its_form(wire: Wire) -> Told:
    """The result as a session takes it that was told of the open call as a call, or in words."""
    words = "[The tool call look({}) of before has its result now: seen]"
    return Told("result", "seen") if wire in (Wire.OPENAI, CASCADE) else Told("text", words)


def seeded(wire: Wire) -> Told:
    """The result as a part of the history."""
    return Told("result", "seen") if wire is Wire.OPENAI else Told("text", "[look({}) gave: seen]")


def check(made: Talk, looker: Looker, why: Handover, *forms: Told) -> None:
    """The call went on, and the tool's result was told and spoken of once, in such a form."""
    (continued,) = made.chain.last.frames(SessionContinuedFrame)
    assert continued.why is why
    check_told_once(made, looker, *forms)


def check_told_once(made: Talk, looker: Looker, *forms: Told) -> None:
    assert not made.chain.last.frames(ErrorFrame)
    assert looker.runs == 1
    (round_,) = made.turns("tool")
    assert (round_["result"], round_["is_error"]) == ("seen", False)
    assert not results(made.told)
    ((told,),) = [results(told) for told in made.successors if results(told)]
    assert told in forms
    assert ["Seen" in words for words in made.spoken()].count(True) == 1
    assert "Seen" in made.spoken()[-1]


@each_wire
@pytest.mark.parametrize("succession", SUCCESSIONS)
@pytest.mark.parametrize("takes_s", [0.9, 3.0])
def test_a_call_that_runs_meanwhile_gives_its_result_to_the_successor_once(
    wire: Wire, succession: str, takes_s: float
) -> None:
    """In time, and behind its placeholder."""
    why, how = SUCCESSIONS[succession]
    fallback = FALLBACK[wire] if why is Handover.FAILOVER else None

    async def main() -> None:
        looker = Looker(takes_s)
        async with talk(wire, [looker.tool], SCRIPT, fallback=fallback, **how) as made:
            if why is Handover.ROTATION:
                # So that the call runs when the moment comes, after half of that time.
                await asyncio.sleep(LASTS_S / 2 - 0.8 * takes_s)
            await made.say()
            await asyncio.sleep(takes_s + 4)
            check(made, looker, why, in_its_form(fallback or wire))

    run(main())


@each_wire
def test_a_part_that_comes_after_a_succession_is_told_in_a_form_that_the_successor_takes(
    wire: Wire,
) -> None:
    @tool(name="look", acknowledge=None, placeholder="look runs")
    async def look() -> AsyncIterator[str]:
        """Look."""
        await asyncio.sleep(3)
        yield "half seen"
        await asyncio.sleep(30)

    async def main() -> None:
        async with talk(wire, [look], SCRIPT, faults=[DIES]) as made:
            await made.say()
            await asyncio.sleep(8)
            assert not made.chain.last.frames(ErrorFrame)
            words = "[The tool call look({}) of before is at this now, and runs on: half seen]"
            part = Told("part", "half seen") if wire is Wire.OPENAI else Told("text", words)
            (told,) = [results(told) for told in made.successors if results(told)]
            assert told == [part]

    run(main())


@pytest.mark.parametrize("wire", [Wire.GEMINI, Wire.BLOCKING], ids=lambda wire: wire.name)
def test_a_result_during_the_users_speech_to_a_successor_is_spoken_of_after_it(wire: Wire) -> None:
    """Begun anew, it has the result as text, which would have it speak at once."""

    async def main() -> None:
        looker = Looker(3.4)
        async with talk(wire, [looker.tool], SCRIPT, faults=[DIES], hears=True) as made:
            await made.say()
            await asyncio.sleep(3)
            before = len(made.chain.first.frames(BotStartedSpeakingFrame))
            await made.hear_line("weather_tokyo", 0)
            assert len(made.chain.first.frames(BotStartedSpeakingFrame)) == before
            await made.hear(bytes(5 * 32000))
            check(made, looker, Handover.RECONNECT, in_its_form(wire))

    run(main())


@each_wire
def test_a_call_that_is_cancelled_after_a_succession_is_told_of(wire: Wire) -> None:
    @tool(acknowledge=None, placeholder="look runs", on_interruption=OnInterruption.CANCEL)
    async def look() -> None:
        """Look."""
        await asyncio.sleep(30)

    async def main() -> None:
        async with talk(wire, [look], SCRIPT, faults=[DIES]) as made:
            await made.say()
            await asyncio.sleep(3.5)
            await made.chain.down(InterruptionFrame())
            await asyncio.sleep(2)
            await made.say("Are you there?")
            await asyncio.sleep(2)
            why = "The user interrupted it."
            words = f"[The tool call look({{}}) of before was cancelled: {why}]"
            (told,) = made.successors
            (cancelled,) = [one for one in told if why in str(one.what)]
            assert (
                cancelled
                == {
                    Wire.OPENAI: Told("result", {"error": why}),
                    Wire.GEMINI: Told("text", words),
                    Wire.BLOCKING: Told("text", f"{words}\nAre you there?"),
                }[wire]
            )

    run(main())


@each_wire
@pytest.mark.parametrize("takes_s", [0.6, 1.5])
def test_a_result_that_comes_while_no_session_serves_is_told_to_the_next_once(
    wire: Wire, takes_s: float
) -> None:
    faults: list[Fault] = [DIES, *(RefuseHandshake(session=n) for n in (2, 3, 4, 5))]

    async def main() -> None:
        looker = Looker(takes_s)
        async with talk(wire, [looker.tool], SCRIPT, faults=faults) as made:
            await made.say()
            await asyncio.sleep(12)
            # The line may be back just before.
            check(made, looker, Handover.RECONNECT, seeded(wire), in_its_form(wire))

    run(main())


@each_wire
def test_a_rotation_that_can_wait_waits_for_the_tool_and_its_answer(wire: Wire) -> None:
    async def main() -> None:
        looker = Looker(2.0)
        async with talk(wire, [looker.tool], SCRIPT) as made:
            await made.say()
            await asyncio.sleep(1)
            assert made.session is not None
            made.session.rotate()
            await asyncio.sleep(12)
            (continued,) = made.chain.last.frames(SessionContinuedFrame)
            assert continued.why is Handover.ROTATION
            assert len(results(made.told)) == 1
            assert "Seen" in made.spoken()[-1]
            await made.say("Thank you.")
            await asyncio.sleep(3)
            assert made.spoken()[-1] == "Well."
            assert looker.runs == 1

    run(main())


@each_swap
@pytest.mark.parametrize("takes_s", [0.9, 3.0])
def test_a_call_that_runs_when_the_node_is_swapped_gives_its_result_once(
    wire: Wire, other: Wire, takes_s: float
) -> None:
    async def main() -> None:
        looker = Looker(takes_s)
        async with swapping([wire, other], [looker.tool], SCRIPT) as made:
            await made.say()
            await asyncio.sleep(0.6)
            assert made.switch is not None
            await made.switch.to("1", when=When.NOW)
            await asyncio.sleep(takes_s + 4)
            assert len(made.chain.last.frames(NodeSwitchedFrame)) == 1
            check_told_once(made, looker, in_its_form(other))

    run(main())


@each_swap
def test_a_call_that_runs_while_the_node_is_swapped_twice_gives_its_result_to_the_last(
    wire: Wire, other: Wire
) -> None:
    async def main() -> None:
        looker = Looker(4.0)
        async with swapping([wire, other, wire], [looker.tool], SCRIPT) as made:
            await made.say()
            await asyncio.sleep(0.6)
            assert made.switch is not None
            await made.switch.to("1", when=When.NOW)
            await asyncio.sleep(1.5)
            await made.switch.to("2", when=When.NOW)
            await asyncio.sleep(8)
            assert len(made.chain.last.frames(NodeSwitchedFrame)) == 2
            assert not results(made.successors[0])
            check_told_once(made, looker, in_its_form(wire))

    run(main())


@each_wire
@pytest.mark.parametrize("takes_s", [0.9, 3.0])
def test_a_call_that_runs_when_the_provider_is_lost_gives_its_result_to_the_cascade_once(
    wire: Wire, takes_s: float
) -> None:
    faults: list[Fault] = [DIES, *(RefuseHandshake(session=n) for n in range(2, 20))]

    async def main() -> None:
        looker = Looker(takes_s)
        nodes = [wire, CASCADE]
        async with swapping(nodes, [looker.tool], SCRIPT, faults=faults, route="01") as made:
            await made.say()
            await asyncio.sleep(takes_s + 12)
            (switched,) = made.chain.last.frames(NodeSwitchedFrame)
            assert switched.node == "1"
            check_told_once(made, looker, in_its_form(CASCADE))

    run(main())
