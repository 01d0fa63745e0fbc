"""Turns, texts, results and interruptions in any order: a cascade keeps its contract."""

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
from crossfade.processors.tools import tool
from tests.clock import run

from .fakes import Brain, Calls, Line, PacedVoice, made_by
from .nodes import Kind, Talk, cascade, in_chain

STORY = "Once upon a time, there was an answer. It was not short, and it took its time. The end."
LINES = st.lists(
    st.sampled_from([STORY, "Yes.", "...", Calls((("look", {}),)), Calls((("look", {}),) * 2)]),
    min_size=4,
    max_size=12,
)
STEPS = st.lists(
    st.sampled_from(["turn", "begin", "end", "text", "interrupt", "acknowledge", "wait", "pause"]),
    min_size=2,
    max_size=14,
)


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

    talking = run(scenario())
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
                assert frame.status == ("interrupted" if frame.response_id in cut else "completed")
                open_ids.discard(frame.response_id)
                ended.add(frame.response_id)
            case ToolCallsFrame():
                assert frame.response_id in ended - cut
    assert not open_ids
    assert len(begun) == len(set(begun)) == len(ended)
    told = Counter(frame.item_id for frame in talking.above.up(UserTranscriptFrame))
    assert set(told.values()) <= {1}
    assert not talking.chain.errors
