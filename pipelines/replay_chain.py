"""The chain of a captured call, put together again around what it was captured with."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from crossfade.conversation.ledger import Conversation
from crossfade.errors import CrossfadeError, SettingsError
from crossfade.observability.call import CallRecord
from crossfade.observability.capture_file import CapturedCall, Record
from crossfade.processors.node_switch import NodeSwitch, When
from crossfade.processors.tools import Tool
from crossfade.providers import SessionConfig
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.settings import Continuity

from .assembly import Call, new_conversation
from .call_nodes import CallNode, cascade_node, native_node
from .capture_call import CallSetup, captured_setup
from .capture_cascade import CascadeSetup
from .capture_nodes import (
    KeptCascade,
    KeptNode,
    SwitchedSetup,
    captured_node,
    captured_nodes_setup,
)
from .cascaded_call import Services, cascaded_call
from .cascaded_settings import CascadedSettings
from .native_call import native_call
from .replay_caller import ReplayedCaller
from .replay_phrases import ReplayedStore
from .replay_provider import ReplayProvider
from .stored_config import config_of
from .switched_call import switched_call

KEY = "the-key-of-a-replayed-call"

Setup = CallSetup | CascadeSetup | SwitchedSetup


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to be otherwise than in the captured call; None leaves it."""

    instructions: str | None = None
    threshold: float | None = None
    silence_ms: int | None = None

    def applied_to(self, config: SessionConfig) -> SessionConfig:
        """The same session, changed."""
        changed = {
            name: value for name in self.__slots__ if (value := getattr(self, name)) is not None
        }
        return replace(config, **changed)

    def instructions_of(self, instructions: str) -> str:
        """Those of a node whose turns are ours.

        Raises:
            SettingsError: Something else is to be changed, which it does not have.
        """
        if self.threshold is not None or self.silence_ms is not None:
            raise SettingsError(
                "the turns of this call are our own, so the provider's threshold and silence "
                "change nothing; leave them out"
            )
        return instructions if self.instructions is None else self.instructions


def setup_of(call: CapturedCall) -> Setup:
    """What the call was set up with.

    Raises:
        SettingsError: The capture does not hold all that it takes.
    """
    settings = call.settings
    if "call" not in settings:
        raise SettingsError("the capture has no provider's side: the call never began")
    if "node" in settings["call"]:
        setup: Setup = captured_nodes_setup(settings["call"])
    elif {"config", "continuity"} <= settings.keys():
        setup = captured_setup(settings)
    else:
        raise SettingsError("the capture does not hold how the provider's session was set up")
    if setup.begun_elsewhere:
        raise SettingsError(
            "the call was taken over from another process, so the capture does not hold its "
            "beginning; run the capture of that process again"
        )
    if isinstance(setup, SwitchedSetup) and setup.own_phrases:
        raise SettingsError(
            "what was said while tools ran had a voice of its own, which the capture of a call "
            "that changes its node does not hold; make it without `phrases`"
        )
    return setup


class ReplayedOrders:
    """Asks for the swaps of a captured call."""

    def __init__(self) -> None:
        self.switch: NodeSwitch | None = None
        """Who swaps the nodes, once the chain is there."""

    def give(self, record: Record) -> None:
        """A swap was asked for now."""
        fields = record.fields
        # A node that is gone is a divergence, and no mistake.
        with contextlib.suppress(CrossfadeError):
            if self.switch is not None:
                self.switch.ask(
                    fields["node"],
                    when=When(fields["when"]),
                    why=fields["why"],
                    speaks=fields["speaks"],
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedSides:
    """What is around the chain: it all comes from the capture."""

    call: CapturedCall
    caller: ReplayedCaller
    provider: ReplayProvider
    tools: Sequence[Tool]
    phrases: ReplayedStore
    orders: ReplayedOrders


@contextlib.asynccontextmanager
async def replayed_chain(
    setup: Setup, sides: ReplayedSides, record: CallRecord, changes: Changes
) -> AsyncIterator[Call]:
    """Put the chain together; `Call.run` then runs it.

    Raises:
        CrossfadeError: As it did in the captured call, or a change cannot be used.
    """
    match setup:
        case CallSetup():
            async with _native(setup, sides, record, changes) as chain:
                yield chain
        case CascadeSetup():
            yield _cascaded(setup, sides, record, changes)
        case SwitchedSetup():
            async with _switched(setup, sides, record, changes) as chain:
                yield chain


def _native(
    setup: CallSetup, sides: ReplayedSides, record: CallRecord, changes: Changes
) -> contextlib.AbstractAsyncContextManager[Call]:
    url = sides.provider.url
    return native_call(
        setup.spec,
        transport=sides.caller,
        record=record,
        config=changes.applied_to(setup.config),
        tools=sides.tools,
        tool_instruction=setup.tool_instruction,
        phrases=sides.phrases,
        base_url=url,
        api_key=KEY,
        route=[replace(leg, base_url=url, api_key=KEY) for leg in setup.route],
        continuity=setup.continuity,
        unfinished=setup.unfinished,
        end_of_turn=setup.end_of_turn,
        in_rate_hz=setup.in_rate_hz,
        out_rate_hz=setup.out_rate_hz,
        uplink_ms=setup.uplink_ms,
    )


def _cascaded(
    setup: CascadeSetup, sides: ReplayedSides, record: CallRecord, changes: Changes
) -> Call:
    return cascaded_call(
        _services(sides.provider),
        transport=sides.caller,
        record=record,
        instructions=changes.instructions_of(setup.instructions),
        tools=sides.tools,
        tool_instruction=setup.tool_instruction,
        end_of_turn=setup.end_of_turn,
        in_rate_hz=setup.in_rate_hz,
        out_rate_hz=setup.out_rate_hz,
    )


def _services(provider: ReplayProvider) -> Services:
    # They stand for any service of their role, and are none of pipecat's classes.
    stt, llm, tts = (cast(Any, provider.service(role)) for role in ("stt", "llm", "tts"))
    return Services(stt=stt, llm=llm, tts=tts)


@contextlib.asynccontextmanager
async def _switched(
    setup: SwitchedSetup, sides: ReplayedSides, record: CallRecord, changes: Changes
) -> AsyncIterator[Call]:
    conversation = new_conversation()
    kept: Mapping[str, Any] = sides.call.settings.get("nodes", {})
    nodes = {
        name: _node(captured_node(name, each), sides, record, changes, conversation)
        for name, each in kept.items()
    }
    # What its policy asked for is in the capture, as all that was asked for is.
    switch = NodeSwitch(
        nodes,
        first=setup.first,
        route=setup.route,
        spare=setup.spare,
        rate_hz=setup.in_rate_hz,
        settings=setup.settings,
    )
    async with switched_call(
        switch,
        transport=sides.caller,
        record=record,
        conversation=conversation,
        tools=sides.tools,
        end_of_turn=setup.end_of_turn,
        in_rate_hz=setup.in_rate_hz,
        out_rate_hz=setup.out_rate_hz,
    ) as chain:
        sides.orders.switch = switch
        yield chain


def _node(
    kept: KeptNode,
    sides: ReplayedSides,
    record: CallRecord,
    changes: Changes,
    conversation: Conversation,
) -> CallNode:
    if isinstance(kept, KeptCascade):

        @contextlib.asynccontextmanager
        async def services() -> AsyncIterator[tuple[Services, str]]:
            await sides.provider.services_made()
            yield _services(sides.provider), "captured services"

        return cascade_node(
            CascadedSettings(instructions=changes.instructions_of(kept.instructions)),
            conversation=conversation,
            tools=sides.tools,
            tool_instruction=kept.tool_instruction,
            rate_hz=kept.rate_hz,
            services=services,
        )
    config = config_of(kept.config)
    url = sides.provider.url
    return native_node(
        kept.spec,
        conversation=conversation,
        config=replace(config, instructions=changes.instructions_of(config.instructions)),
        tools=sides.tools,
        tool_instruction=kept.tool_instruction,
        base_url=url,
        api_key=KEY,
        route=[
            Endpoint(
                spec=leg.spec, dialect=leg.dialect, changes=leg.changes, base_url=url, api_key=KEY
            )
            for leg in kept.route
        ],
        continuity=Continuity(**kept.continuity),
        tap=record.tap,
        rate_hz=kept.rate_hz,
        uplink_ms=kept.uplink_ms,
    )


__all__ = ["Changes", "ReplayedOrders", "ReplayedSides", "Setup", "replayed_chain", "setup_of"]
