"""A call whose speech node can change while it runs."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.audio.vad import VoiceDetector
from crossfade.conversation.ledger import Conversation
from crossfade.observability.call import CallRecord
from crossfade.processors.node_switch import NodeSwitch
from crossfade.processors.phrases import Phrases
from crossfade.processors.tool_actions import ToolWire
from crossfade.processors.tool_answers import tool_wire
from crossfade.processors.tools import Tool
from crossfade.processors.turn_taking import TurnOwner

from .assembly import Call, EndOfTurnRule
from .capture_nodes import keep_switch, setup_of
from .capture_tools import captured_tools
from .cascaded_call import SPEECH_RATE_HZ


@contextlib.asynccontextmanager
async def switched_call(
    switch: NodeSwitch,
    *,
    transport: BaseTransport,
    record: CallRecord,
    conversation: Conversation,
    tools: Sequence[Tool] = (),
    phrases: Phrases | None = None,
    end_of_turn: EndOfTurnRule = "silence",
    detector: VoiceDetector | None = None,
    in_rate_hz: int = 16000,
    out_rate_hz: int = 24000,
    entry: Sequence[FrameProcessor] = (),
    custom: Sequence[FrameProcessor] = (),
) -> AsyncIterator[Call]:
    """Make the first node and put a call together around the switch; `Call.run` then runs it.

    Whichever node serves, the turns are heard here: a turn that is being spoken when nodes change
    then has one beginning and one end.

    Args:
        switch: Makes the nodes, and sends speech at 24 kHz.
        transport: Any pipecat transport, mono, at the two rates.
        record: Keeps what happens.
        conversation: What the nodes were given, too.
        tools: What any of the nodes' models may call.
        phrases: What is said while tools run, in one voice for all nodes; None has each node say
            it by itself, if it can.
        end_of_turn: What ends the caller's turn: silence, or what the Smart Turn model takes for
            an end.
        detector: Hears when the caller speaks; None hears it by their voice.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        entry: Processors of your own, before what the caller says is filed.
        custom: Processors of your own, before the speech node.

    Raises:
        CrossfadeError: No node of the route can be had; if there is no route, the first.
    """
    # Its price is known with one of the next things that happen.
    record.subscribe(lambda _: switch.report_cost(float(record.spent_usd)))
    if record.capture is not None:
        setup = setup_of(
            switch,
            end_of_turn=end_of_turn,
            in_rate_hz=in_rate_hz,
            out_rate_hz=out_rate_hz,
            begun_elsewhere=bool(conversation.entries),
            own_phrases=phrases is not None,
        )
        keep_switch(record.capture, setup, switch, tools)
        tools = captured_tools(tools, record.capture)
    try:
        profile = (await switch.prepare()).profile
        yield Call(
            transport=transport,
            node=switch,
            node_rate_hz=SPEECH_RATE_HZ,
            record=record,
            conversation=conversation,
            tools=tools,
            tool_wire=ToolWire.PARTS if profile is None else tool_wire(profile),
            phrases=phrases,
            turn_owner=TurnOwner.LOCAL,
            end_of_turn=end_of_turn,
            detector=detector,
            in_rate_hz=in_rate_hz,
            out_rate_hz=out_rate_hz,
            entry=entry,
            custom=custom,
            unfinished=switch.unfinished_audio,
            unfinished_rate_hz=in_rate_hz,
            serving=lambda: None if switch.node is None else switch.node.serving,
        )
    finally:
        await switch.let_go()


__all__ = ["switched_call"]
