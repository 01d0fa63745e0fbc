"""A call whose speech node can change while it runs."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.conversation.ledger import Conversation
from crossfade.observability.call import CallRecord
from crossfade.processors.node_switch import NodeSwitch
from crossfade.processors.phrases import Phrases
from crossfade.processors.tool_actions import ToolWire
from crossfade.processors.tool_answers import tool_wire
from crossfade.processors.tools import Tool
from crossfade.processors.turn_taking import TurnOwner

from .assembly import Call, EndOfTurnRule
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
    in_rate_hz: int = 16000,
    out_rate_hz: int = 24000,
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
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        custom: Processors of your own, before the speech node.

    Raises:
        CrossfadeError: No node of the route can be had; if there is no route, the first.
    """
    # Its price is known with one of the next things that happen.
    record.subscribe(lambda _: switch.report_cost(float(record.spent_usd)))
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
            in_rate_hz=in_rate_hz,
            out_rate_hz=out_rate_hz,
            custom=custom,
            unfinished=switch.unfinished_audio,
            unfinished_rate_hz=in_rate_hz,
            serving=lambda: None if switch.node is None else switch.node.serving,
        )
    finally:
        await switch.let_go()


__all__ = ["switched_call"]
