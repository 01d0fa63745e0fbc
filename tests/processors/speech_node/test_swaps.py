"""Nodes that take each other's place during a call: nothing is lost, and it is one conversation."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from crossfade.conversation.ledger import Conversation
from crossfade.errors import CrossfadeError, ProviderFault, SettingsError
from crossfade.frames.audio import SpeechFrame
from crossfade.frames.continuity import NodeFailedFrame, NodeSwitchedFrame
from crossfade.frames.control import (
    ErrorFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechDroppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import InputTextRawFrame, UserTranscriptFrame
from crossfade.frames.tools import FunctionCallResultFrame, ToolCallsFrame
from crossfade.processors.node_slot import MakeNode
from crossfade.processors.node_switch import NodeSwitch, SwitchSettings, When
from crossfade.processors.speech_node import SpeechNode
from crossfade.processors.switch_policy import CostRule, LatencyRule, SwitchPolicy
from crossfade.processors.tools import Tool, tool
from tests.clock import run

from .fakes import FAILS, HEARD, Calls, Line
from .nodes import Kind, Talk, Watch, in_chain, maker

LONG = "Once upon a time there was a very long answer. " * 8
LOOK = Calls((("look", {}),))
Lines = Mapping[str, Sequence[Line]]
PAIRS = pytest.mark.parametrize(
    ("before", "after"),
    [
        (Kind.OPENAI, Kind.EMBEDDED),
        (Kind.EMBEDDED, Kind.OPENAI),
        (Kind.OPENAI, Kind.GEMINI),
        (Kind.GEMINI, Kind.LOOPBACK),
        (Kind.LOOPBACK, Kind.GEMINI),
    ],
    ids=lambda kind: kind.name,
)


@dataclass
class Swapped:
    talking: Talk
    switch: NodeSwitch

    @property
    def below(self) -> Watch:
        return self.talking.below

    @property
    def switched(self) -> list[NodeSwitchedFrame]:
        return self.below.down(NodeSwitchedFrame)

    def ends(self) -> list[str]:
        return [end.status for end in self.below.down(ResponseEndFrame)]

    def turns(self) -> list[tuple[str, str]]:
        turns = self.talking.ledger.to_dict()["turns"]
        return [(t["role"], str(t.get("text", t.get("result")))) for t in turns]


@contextlib.asynccontextmanager
async def swapping(
    kinds: Mapping[str, Kind],
    lines: Lines,
    tools: Sequence[Tool] = (),
    **options: Any,
) -> AsyncIterator[Swapped]:
    """A call whose nodes say these lines. An emulated model is told what was said before it took
    over, and finds its place in the whole script by that."""
    ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
    nodes: dict[str, MakeNode] = {}
    before: list[Line] = []
    for name, kind in kinds.items():
        whole = [*before, *lines[name]] if kind in (Kind.OPENAI, Kind.GEMINI) else lines[name]
        nodes[name] = maker(kind, whole, tools, ledger)
        before += lines[name]
    switch = NodeSwitch(nodes, **options)
    kind = next(iter(kinds.values()))
    async with in_chain(switch, kind, ledger, tools) as talking:
        yield Swapped(talking, switch)


def looking(takes_s: float) -> Tool:
    @tool(acknowledge=None)
    async def look() -> str:
        """Look."""
        await asyncio.sleep(takes_s)
        return "seen"

    return look


@PAIRS
def test_an_idle_swap_is_silent_and_the_next_turn_is_answered(before: Kind, after: Kind) -> None:
    async def scenario() -> None:
        kinds = {"a": before, "b": after}
        async with swapping(kinds, {"a": ["First."], "b": ["Second."]}) as made:
            await made.talking.speak()
            await asyncio.sleep(4)
            told = await made.switch.to("b", why="a test")
            assert told is not None
            assert (told.left, told.node, told.why) == ("a", "b", "a test")
            assert told.gap_ms < 20
            assert told.replayed_ms == 0
            await made.talking.speak()
            await asyncio.sleep(4)
            assert made.turns() == [
                ("user", HEARD),
                ("agent", "First."),
                ("user", HEARD),
                ("agent", "Second."),
            ]
            assert made.ends() == ["completed", "completed"]
            assert len(made.switched) == 1
            assert not made.talking.chain.errors

    run(scenario())


@PAIRS
def test_a_turn_that_is_being_spoken_is_heard_by_the_node_that_takes_over(
    before: Kind, after: Kind
) -> None:
    async def scenario() -> None:
        kinds = {"a": before, "b": after}
        async with swapping(kinds, {"a": [], "b": ["Here it is."]}) as made:
            await made.talking.begin_to_speak()
            await made.switch.to("b", when=When.NOW)
            await made.talking.sound(0.4)
            await made.talking.finish_speaking()
            await asyncio.sleep(4)
            (told,) = made.switched
            assert 600 <= told.replayed_ms <= 700 or told.replayed_ms == pytest.approx(400, abs=21)
            assert made.turns() == [("user", HEARD), ("agent", "Here it is.")]
            said = made.talking.above.up(UserTranscriptFrame)
            assert len({frame.item_id for frame in said}) == len(said) == 1
            assert not made.talking.chain.errors

    run(scenario())


@PAIRS
@pytest.mark.parametrize("wait_s", [0.0, 0.06])
def test_a_turn_that_waits_for_its_answer_is_answered_once_by_the_next(
    before: Kind, after: Kind, wait_s: float
) -> None:
    async def scenario() -> None:
        kinds = {"a": before, "b": after}
        async with swapping(kinds, {"a": [], "b": ["Here it is."]}) as made:
            await made.talking.speak()
            await asyncio.sleep(wait_s)
            assert not made.below.down(SpeechFrame)
            await made.switch.to("b", when=When.NOW)
            await asyncio.sleep(5)
            agent = [text for role, text in made.turns() if role == "agent" and text]
            assert agent == ["Here it is."]
            assert made.turns()[0] == ("user", HEARD)
            assert [role for role, _ in made.turns()].count("user") == 1
            starts = made.below.down(ResponseStartFrame)
            assert len(starts) == len(made.ends())
            assert not made.talking.chain.errors

    run(scenario())


@PAIRS
def test_an_answer_that_is_cut_is_gone_on_with_and_nothing_of_the_old_node_comes_after(
    before: Kind, after: Kind
) -> None:
    async def scenario() -> None:
        kinds = {"a": before, "b": after}
        async with swapping(kinds, {"a": [LONG], "b": ["And they lived on."]}) as made:
            await made.talking.speak()
            await asyncio.sleep(2.0)
            await made.switch.to("b", when=When.NOW)
            await asyncio.sleep(30)
            below = made.below
            first, second = below.down(ResponseStartFrame)
            assert made.ends() in (["cut", "completed"], ["completed", "completed"])
            frames = [frame for frame, _ in below.seen]
            cut = next(f for f in frames if isinstance(f, ResponseEndFrame))
            late = [f for f in frames[frames.index(cut) :] if isinstance(f, SpeechFrame)]
            assert {f.origin.response_id for f in late if f.origin} <= {second.response_id}
            turns = made.talking.ledger.to_dict()["turns"]
            agent = [turn for turn in turns if turn["role"] == "agent"]
            if made.ends()[0] == "cut":
                assert [turn["continues"] for turn in agent[1:]] == [True]
                assert agent[0]["text"] == agent[0]["heard"] != ""
            assert first.response_id != second.response_id
            assert all(turn["final"] for turn in turns if turn["role"] == "user")
            assert not made.talking.chain.errors

    run(scenario())


@PAIRS
@pytest.mark.parametrize("takes_s", [0.3, 3.0])
def test_a_tool_that_runs_tells_its_result_to_the_node_that_takes_over(
    before: Kind, after: Kind, takes_s: float
) -> None:
    async def scenario() -> None:
        kinds = {"a": before, "b": after}
        lines: Lines = {"a": [LOOK], "b": ["It was seen."]}
        async with swapping(kinds, lines, [looking(takes_s)]) as made:
            await made.talking.speak()
            await asyncio.sleep(0.25)
            assert made.below.down(ToolCallsFrame)
            await made.switch.to("b", when=When.NOW)
            await asyncio.sleep(takes_s + 5)
            assert len(made.below.up(FunctionCallResultFrame)) >= 1
            roles = [role for role, _ in made.turns() if role != "agent"]
            assert roles == ["user", "tool"]
            assert made.talking.texts("agent") == ["It was seen."]
            assert not made.talking.chain.errors

    run(scenario())


@PAIRS
def test_an_answer_that_is_held_is_gone_on_with_when_it_was_only_a_cough(
    before: Kind, after: Kind
) -> None:
    async def scenario() -> None:
        kinds = {"a": before, "b": after}
        async with swapping(kinds, {"a": [LONG], "b": ["And they lived on."]}) as made:
            await made.talking.speak()
            await asyncio.sleep(0.7)
            chain = made.talking.chain
            await chain.down(VADUserStartedSpeakingFrame(start_secs=0.2))
            await asyncio.sleep(0.1)
            await made.switch.to("b", when=When.NOW)
            await asyncio.sleep(0.1)
            await chain.down(SpeechDroppedFrame())
            await chain.down(VADUserStoppedSpeakingFrame(stop_secs=0.2))
            await asyncio.sleep(60)
            assert [role for role, _ in made.turns()].count("user") == 1
            assert made.ends() in (["cut", "completed"], ["completed", "completed"])
            if made.ends()[0] == "cut":
                assert len(made.talking.texts("agent")) == 2
            assert not chain.errors

    run(scenario())


def test_a_swap_waits_until_nobody_speaks_and_no_tool_runs() -> None:
    async def scenario() -> None:
        kinds = {"a": Kind.OPENAI, "b": Kind.EMBEDDED}
        lines: Lines = {"a": [LOOK, "It was seen by me."], "b": ["Second."]}
        async with swapping(kinds, lines, [looking(1.5)]) as made:
            await made.talking.begin_to_speak()
            swap = asyncio.create_task(made.switch.to("b"))
            await made.talking.finish_speaking()
            await asyncio.sleep(2)
            assert not swap.done()
            await swap
            assert made.talking.texts("agent") == ["It was seen by me."]
            # All of it was played before.
            frames = [type(frame).__name__ for frame, _ in made.below.seen]
            assert frames.index("NodeSwitchedFrame") > frames.index("SpeechPlayedFrame")
            assert made.ends() == ["completed", "completed"]

    run(scenario())


def test_a_swap_comes_at_the_deadline_in_any_state() -> None:
    async def scenario() -> None:
        kinds = {"a": Kind.EMBEDDED, "b": Kind.LOOPBACK}
        settings = SwitchSettings(deadline_s=2)
        lines: Lines = {"a": [LONG], "b": ["The rest."]}
        async with swapping(kinds, lines, settings=settings) as made:
            await made.talking.speak()
            await asyncio.sleep(1)
            began_s = asyncio.get_running_loop().time()
            await made.switch.to("b")
            assert asyncio.get_running_loop().time() - began_s == pytest.approx(2, abs=0.1)
            await asyncio.sleep(20)
            assert made.ends() == ["cut", "completed"]

    run(scenario())


def refusing(error: CrossfadeError) -> MakeNode:
    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[SpeechNode]:
        if str(error):
            raise error
        yield cast(SpeechNode, None)

    return make


def test_a_node_that_does_not_come_up_leaves_the_other_one_serving() -> None:
    async def scenario() -> None:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        nodes = {
            "a": maker(Kind.EMBEDDED, ["Still here."], (), ledger),
            "b": refusing(ProviderFault("The key was refused.")),
        }
        switch = NodeSwitch(nodes)
        async with in_chain(switch, Kind.EMBEDDED, ledger) as talking:
            with pytest.raises(ProviderFault, match="key was refused"):
                await switch.to("b", when=When.NOW)
            with pytest.raises(SettingsError, match="no node 'c'"):
                await switch.to("c")
            (failed,) = talking.below.down(NodeFailedFrame)
            assert (failed.node, failed.served) == ("b", False)
            assert switch.serving == "a"
            await talking.speak()
            await asyncio.sleep(3)
            assert talking.texts("agent") == ["Still here."]

    run(scenario())


def test_a_node_that_is_lost_is_replaced_along_the_route_and_taken_again_when_it_is_well() -> None:
    async def scenario() -> None:
        kinds = {"a": Kind.OPENAI, "b": Kind.GEMINI, "c": Kind.EMBEDDED}
        lines: Lines = {"a": ["From a."], "b": ["From b."], "c": ["From c."]}
        settings = SwitchSettings(return_after_s=20)
        async with swapping(kinds, lines, route=("a", "b", "c"), settings=settings) as made:
            for name in "abc":
                assert made.switch.serving == name
                await made.talking.speak()
                await asyncio.sleep(4)
                if name != "c":
                    await lose_node(made.switch)
                    await asyncio.sleep(1)
            assert made.talking.texts("agent") == ["From a.", "From b.", "From c."]
            assert [(f.left, f.node) for f in made.switched] == [("a", "b"), ("b", "c")]
            assert [f.served for f in made.below.down(NodeFailedFrame)] == [True, True]
            await asyncio.sleep(30)
            assert made.switch.serving == "a"
            assert made.switched[-1].why == "a is well again"
            assert not made.talking.chain.errors

    run(scenario())


def test_a_node_that_cannot_answer_is_replaced_and_nothing_is_left_unanswered() -> None:
    async def scenario() -> None:
        kinds = {"a": Kind.EMBEDDED, "b": Kind.LOOPBACK}
        lines: Lines = {"a": ["From a.", FAILS, FAILS], "b": ["From b."]}
        settings = SwitchSettings(return_after_s=20)
        async with swapping(kinds, lines, route=("a", "b"), settings=settings) as made:
            for _ in range(3):
                await made.talking.speak()
                await asyncio.sleep(4)
            assert made.ends() == ["completed", "failed", "cut", "completed"]
            assert made.talking.texts("agent") == ["From a.", "From b."]
            (failed,) = made.below.down(NodeFailedFrame)
            assert failed.served
            assert "twice" in failed.message
            assert made.switch.serving == "b"

    run(scenario())


def test_a_node_that_cannot_answer_and_has_no_other_behind_it_goes_on() -> None:
    async def scenario() -> None:
        lines: Lines = {"a": [FAILS, FAILS, FAILS, "From a."]}
        async with swapping({"a": Kind.EMBEDDED}, lines) as made:
            for _ in range(4):
                await made.talking.speak()
                await asyncio.sleep(4)
            assert made.ends() == [*["failed"] * 3, "completed"]
            assert not made.below.down(NodeFailedFrame)

    run(scenario())


def coming(after_s: float) -> MakeNode:
    """What comes up after so long."""

    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[SpeechNode]:
        await asyncio.sleep(after_s)
        yield cast(SpeechNode, None)

    return make


async def lose_node(switch: NodeSwitch) -> ProviderFault:
    assert switch.node is not None
    lost = ProviderFault("It is out of order.")
    await switch.node.push_error(str(lost), exception=lost, force_treat_as_permanent=True)
    return lost


def test_what_is_wanted_at_once_waits_for_nobodys_quiet_moment() -> None:
    async def scenario() -> None:
        kinds = {"a": Kind.EMBEDDED, "b": Kind.LOOPBACK, "c": Kind.LOOPBACK}
        lines: Lines = {"a": [LONG], "b": ["From b."], "c": ["The rest."]}
        async with swapping(kinds, lines) as made:
            await made.talking.speak()
            await asyncio.sleep(1)
            waits = asyncio.create_task(made.switch.to("b"))
            await asyncio.sleep(1)
            began_s = asyncio.get_running_loop().time()
            await made.switch.to("c", when=When.NOW, why="it is urgent")
            assert asyncio.get_running_loop().time() - began_s < 0.5
            with pytest.raises(CrossfadeError, match="c was wanted at once meanwhile: it is urg"):
                await waits
            await asyncio.sleep(20)
            assert [frame.node for frame in made.switched] == ["c"]
            assert made.ends() == ["cut", "completed"]
            assert not made.below.down(NodeFailedFrame)

    run(scenario())


def test_a_node_that_waits_for_its_moment_is_taken_at_once_where_that_is_wanted() -> None:
    async def scenario() -> None:
        kinds = {"a": Kind.EMBEDDED, "b": Kind.LOOPBACK}
        async with swapping(kinds, {"a": [LONG], "b": ["The rest."]}) as made:
            await made.talking.speak()
            await asyncio.sleep(1)
            waits = asyncio.create_task(made.switch.to("b"))
            await asyncio.sleep(1)
            assert await made.switch.to("b", when=When.NOW, why="it is urgent") is None
            told = await waits
            assert told is not None
            assert told.why == "it is urgent"
            assert len(made.switched) == 1

    run(scenario())


def test_a_spare_node_waits_for_none_that_is_coming_up() -> None:
    async def scenario() -> None:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        nodes = {
            "a": maker(Kind.OPENAI, [], (), ledger),
            "b": coming(15),
            "c": maker(Kind.EMBEDDED, ["From c."], (), ledger),
        }
        switch = NodeSwitch(nodes, route=("a", "c"), spare="c")
        async with in_chain(switch, Kind.OPENAI, ledger) as talking:
            await asyncio.sleep(1)
            comes = asyncio.create_task(switch.to("b", when=When.NOW))
            await asyncio.sleep(1)
            await lose_node(switch)
            with pytest.raises(CrossfadeError, match="c was wanted at once meanwhile: a failed"):
                await comes
            await talking.speak()
            await asyncio.sleep(4)
            (told,) = talking.below.down(NodeSwitchedFrame)
            assert (told.node, told.gap_ms) == ("c", 0)
            assert talking.texts("agent") == ["From c."]

    run(scenario())


def test_a_spare_node_that_is_coming_up_is_waited_for_and_not_made_twice() -> None:
    async def scenario() -> None:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        make, made = maker(Kind.EMBEDDED, ["From b."], (), ledger), 0

        @contextlib.asynccontextmanager
        async def slowly() -> AsyncIterator[SpeechNode]:
            nonlocal made
            made += 1
            await asyncio.sleep(3)
            async with make() as node:
                yield node

        nodes = {"a": maker(Kind.OPENAI, [], (), ledger), "b": slowly}
        switch = NodeSwitch(nodes, route=("a", "b"), spare="b")
        async with in_chain(switch, Kind.OPENAI, ledger) as talking:
            await asyncio.sleep(2)
            await lose_node(switch)
            await asyncio.sleep(2)
            (told,) = talking.below.down(NodeSwitchedFrame)
            assert told.gap_ms == pytest.approx(1000, abs=50)
            assert made == 1

    run(scenario())


def test_a_spare_node_that_is_lost_is_told_of_and_made_anew() -> None:
    async def scenario() -> None:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        make = maker(Kind.EMBEDDED, ["From b."], (), ledger)
        made: list[SpeechNode] = []

        @contextlib.asynccontextmanager
        async def noted() -> AsyncIterator[SpeechNode]:
            async with make() as node:
                made.append(node)
                yield node

        nodes = {"a": maker(Kind.OPENAI, [], (), ledger), "b": noted}
        switch = NodeSwitch(nodes, route=("a", "b"), spare="b")
        async with in_chain(switch, Kind.OPENAI, ledger) as talking:
            await asyncio.sleep(1)
            lost = ProviderFault("It is out of order.")
            await made[0].push_error(str(lost), exception=lost, force_treat_as_permanent=True)
            await asyncio.sleep(6)
            (failed,) = talking.below.down(NodeFailedFrame)
            assert (failed.node, failed.served) == ("b", False)
            assert len(made) == 2
            await lose_node(switch)
            await asyncio.sleep(1)
            (told,) = talking.below.down(NodeSwitchedFrame)
            assert (told.node, told.gap_ms) == ("b", 0)
            assert not talking.chain.errors

    run(scenario())


def test_a_call_that_is_over_takes_no_other_node() -> None:
    async def scenario() -> None:
        async with swapping({"a": Kind.EMBEDDED, "b": Kind.LOOPBACK}, {"a": [], "b": []}) as made:
            await asyncio.sleep(1)
        with pytest.raises(CrossfadeError, match="The call is over"):
            await made.switch.to("b")

    run(scenario())


def test_without_anybody_else_the_loss_of_the_node_is_an_error_of_the_call() -> None:
    async def scenario() -> None:
        async with swapping({"a": Kind.EMBEDDED}, {"a": ["A."]}, route=("a",)) as made:
            lost = await lose_node(made.switch)
            await asyncio.sleep(1)
            (error,) = made.talking.chain.errors
            assert isinstance(error, ErrorFrame)
            assert error.exception is lost

    run(scenario())


def test_what_is_written_while_no_node_serves_is_answered_by_the_next() -> None:
    async def scenario() -> None:
        kinds = {"a": Kind.OPENAI, "b": Kind.LOOPBACK}
        lines: Lines = {"a": ["From a."], "b": ["From b."]}
        async with swapping(kinds, lines, route=("a", "b")) as made:
            await lose_node(made.switch)
            assert made.below.down(NodeSwitchedFrame) == []
            await made.talking.chain.down(InputTextRawFrame("Hello?"))
            await asyncio.sleep(4)
            assert made.turns() == [("user", "Hello?"), ("agent", "From b.")]

    run(scenario())


def test_a_rule_that_asks_for_an_unknown_node_is_told_of_at_once() -> None:
    node = maker(Kind.EMBEDDED, [], (), Conversation())
    with pytest.raises(SettingsError, match="no node 'cheap'"):
        NodeSwitch({"a": node}, policy=SwitchPolicy([CostRule(over_usd=1, to="cheap")]))


def test_cost_and_latency_ask_for_another_node() -> None:
    async def scenario(policy: SwitchPolicy, *, cost: bool) -> str:
        kinds = {"a": Kind.EMBEDDED, "b": Kind.LOOPBACK}
        lines: Lines = {"a": ["One.", "Two.", "Three."], "b": ["From b."]}
        async with swapping(kinds, lines, policy=policy) as made:
            if cost:
                made.switch.report_cost(0.2)
                made.switch.report_cost(0.6)
            else:
                for _ in range(2):
                    await made.talking.speak()
                    await asyncio.sleep(3)
            await asyncio.sleep(3)
            (told,) = made.switched
            return told.why

    rule = CostRule(over_usd=0.5, to="b")
    assert "0.6000 USD" in run(scenario(SwitchPolicy([rule]), cost=True))
    late = LatencyRule(over_ms=200, to="b", turns=2)
    assert "ms" in run(scenario(SwitchPolicy([late]), cost=False))


def test_a_tool_hands_over_and_the_other_node_speaks_of_its_result() -> None:
    async def scenario() -> None:
        switches: list[NodeSwitch] = []

        @tool(acknowledge=None)
        async def look() -> str:
            """Speak to the specialist."""
            await switches[0].to("b", when=When.NOW, why="the specialist was asked for")
            return "You are the specialist now."

        kinds = {"a": Kind.OPENAI, "b": Kind.LOOPBACK}
        lines: Lines = {"a": [LOOK, "Not me."], "b": ["The specialist speaks."]}
        async with swapping(kinds, lines, [look]) as made:
            switches.append(made.switch)
            await made.talking.speak()
            await asyncio.sleep(5)
            assert made.switch.serving == "b"
            assert made.talking.texts("agent") == ["The specialist speaks."]

    run(scenario())


def test_the_users_sound_is_kept_and_given_where_nobody_has_answered_it() -> None:
    async def scenario() -> None:
        async with swapping({"a": Kind.OPENAI}, {"a": ["Well."]}) as made:
            await made.talking.begin_to_speak()
            unfinished = made.switch.unfinished_audio()
            assert 12800 <= len(unfinished) <= 12800 + 22400
            await made.talking.finish_speaking()
            await asyncio.sleep(4)
            assert made.switch.unfinished_audio() == b""

    run(scenario())


def test_a_spare_node_takes_over_without_delay_and_another_one_is_kept_then() -> None:
    async def scenario() -> None:
        kinds = {"a": Kind.OPENAI, "b": Kind.EMBEDDED}
        lines: Lines = {"a": ["From a."], "b": ["From b."]}
        async with swapping(kinds, lines, route=("a", "b"), spare="b") as made:
            for _ in range(2):
                await made.talking.speak()
                await asyncio.sleep(4)
                if made.switch.serving == "a":
                    await lose_node(made.switch)
                    await asyncio.sleep(0)
            (told,) = made.switched
            assert told.gap_ms == 0
            assert made.talking.texts("agent") == ["From a.", "From b."]
            await asyncio.sleep(10)
            assert made.switch.serving == "a"

    run(scenario())


def test_a_slow_voice_of_another_rate_comes_at_the_rate_of_all() -> None:
    async def scenario() -> None:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        node = maker(Kind.EMBEDDED, ["It is a clear day."], (), ledger)
        switch = NodeSwitch({"a": node}, speech_rate_hz=16000)
        async with in_chain(switch, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(4)
            speech = talking.below.down(SpeechFrame)
            assert {frame.sample_rate for frame in speech} == {16000}
            (end,) = talking.below.down(ResponseEndFrame)
            heard_ms = sum(len(frame.audio) for frame in speech) / 32
            assert heard_ms == pytest.approx(sum(end.received_ms.values()), abs=2)

    run(scenario())
