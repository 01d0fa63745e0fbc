"""Turns, texts, results, interruptions and swaps in any order: nodes keep their contract."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.conversation.ledger import Conversation
from crossfade.frames.audio import SpeechFrame
from crossfade.frames.control import InterruptionFrame, ResponseEndFrame, ResponseStartFrame
from crossfade.frames.text import InputTextRawFrame, SpokenTextFrame, UserTranscriptFrame
from crossfade.frames.tools import AcknowledgeFrame, ToolCallsFrame
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.node_switch import NodeSwitch, When
from crossfade.processors.tools import tool
from tests.clock import run

from .fakes import Brain, Calls, Line, PacedVoice, made_by
from .nodes import Kind, Talk, cascade, in_chain, maker

STORY = "Once upon a time, there was an answer. It was not short, and it took its time. The end."
LINES = st.lists(
    st.sampled_from([STORY, "Yes.", "...", Calls((("look", {}),)), Calls((("look", {}),) * 2)]),
    min_size=4,
    max_size=12,
)
KINDS = ["turn", "begin", "end", "text", "interrupt", "acknowledge", "wait", "pause"]
STEPS = st.lists(st.sampled_from(KINDS), min_size=2, max_size=14)
STEPS_AND_SWAPS = st.lists(st.sampled_from([*KINDS, "swap", "swap when quiet"]), max_size=14)


@tool
async def look() -> str:
    """Look."""
    await asyncio.sleep(0.7)
    return "seen"


async def take(talking: Talk, step: str) -> None:
    match step:
        case "turn":
            await talking.speak()
        case "begin":
            await talking.begin_to_speak()
        case "end":
            await talking.finish_speaking()
        case "text":
            await talking.chain.down(InputTextRawFrame("Go on."))
        case "interrupt":
            await talking.chain.down(InterruptionFrame())
        case "acknowledge":
            await talking.chain.up(AcknowledgeFrame(call_id="c", text="One moment."))
        case "wait":
            await asyncio.sleep(1.3)
        case "pause":
            await asyncio.sleep(0.06)


@settings(max_examples=25, deadline=None)
@given(LINES, STEPS)
def test_each_response_begins_and_ends_once_and_nothing_of_a_cut_one_gets_through(
    lines: list[Line], steps: list[str]
) -> None:
    async def scenario() -> Talk:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        node = cascade(EmbeddedLLM(made_by(Brain(lines))), ledger, [look], voice=PacedVoice(6))
        async with in_chain(node, Kind.EMBEDDED, ledger, [look]) as talking:
            for step in steps:
                await take(talking, step)
            await talking.finish_speaking()
            await asyncio.sleep(30)
        return talking

    check(run(scenario()))


@settings(max_examples=25, deadline=None)
@given(LINES, LINES, STEPS_AND_SWAPS)
def test_so_it_is_whichever_nodes_are_swapped_meanwhile(
    lines: list[Line], others: list[Line], steps: list[str]
) -> None:
    async def scenario() -> Talk:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        nodes = {
            "a": maker(Kind.EMBEDDED, lines, [look], ledger),
            "b": maker(Kind.EMBEDDED, others, [look], ledger),
        }
        switch = NodeSwitch(nodes)
        async with in_chain(switch, Kind.EMBEDDED, ledger, [look]) as talking:
            for step in steps:
                if step.startswith("swap"):
                    other = "b" if switch.serving == "a" else "a"
                    switch.ask(other, when=When.NOW if step == "swap" else When.QUIET)
                    continue
                await take(talking, step)
            await talking.finish_speaking()
            await asyncio.sleep(60)
        return talking

    check(run(scenario()))


def check(talking: Talk) -> None:
    begun: list[str] = []
    open_ids: set[str] = set()
    cut: set[str] = set()
    ended: set[str] = set()
    for frame, _ in talking.below.seen:
        match frame:
            case ResponseStartFrame():
                begun.append(frame.response_id)
                open_ids.add(frame.response_id)
            case InterruptionFrame():
                cut |= open_ids
            case SpeechFrame(origin=origin) if origin is not None:
                assert origin.response_id in open_ids - cut
            case SpokenTextFrame():
                assert frame.response_id in open_ids - cut
            case ResponseEndFrame():
                assert frame.response_id in open_ids
                whole = {"interrupted"} if frame.response_id in cut else {"completed", "cut"}
                assert frame.status in whole
                open_ids.discard(frame.response_id)
                ended.add(frame.response_id)
            case ToolCallsFrame():
                assert frame.response_id in ended - cut
    assert not open_ids
    assert len(begun) == len(set(begun)) == len(ended)
    told = Counter(frame.item_id for frame in talking.above.up(UserTranscriptFrame))
    assert set(told.values()) <= {1}
    assert not talking.chain.errors
