"""The chain of a served call: its record, its speech node or nodes, and what its client is told."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

from loguru import logger
from pipecat.transports.base_transport import BaseTransport

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_records import StoredHandle
from crossfade.errors import SettingsError
from crossfade.observability.call import CallRecord
from crossfade.observability.cost_meter import Budget, OnBudget
from crossfade.observability.unwritten import unwritten_record
from crossfade.processors.keypad import Keypad
from crossfade.processors.node_slot import MakeNode
from crossfade.processors.node_switch import NodeSwitch
from crossfade.processors.speech_node import Wanted
from crossfade.processors.tools import Tool
from crossfade.providers.continuity.serving import Serving

from .assembly import Call, new_conversation
from .call_folder import make_call_folder, remove_empty_call_folder
from .call_journal import CallJournal
from .call_nodes import cascade_node, native_node
from .cascade_services import EMBEDDED
from .cascaded_settings import CascadedSettings
from .native_call import native_call
from .route_native import budgets_of
from .routing import note_choice
from .serve_begin import Beginning, new_call
from .serve_call import Ending, ServedCall
from .serve_choice import CallerChoice
from .serve_details import CallDetails
from .serve_nodes import ServedNode
from .serve_settings import ServeSettings
from .serve_store import CallKeeping
from .switched_call import switched_call
from .takeover import Owed
from .takeover_prompt import TakeoverPrompt
from .telemetry_calls import Watch

_WANTED = {
    Owed.NOTHING: Wanted.NOTHING,
    Owed.REQUEST: Wanted.ANSWER,
    Owed.REST: Wanted.REST,
}


class Chains:
    """Makes the chains of a server's calls.

    Args:
        settings: The server's.
        tools: What the models may call in every call.
        keeping: The store; None keeps nothing.
        watch: Told of each call's record when it begins.
    """

    def __init__(
        self,
        settings: ServeSettings,
        *,
        tools: Sequence[Tool],
        keeping: CallKeeping | None,
        watch: Watch,
    ) -> None:
        self._settings = settings
        self._tools = tools
        self._keeping = keeping
        self._watch = watch
        self._records = True
        """Whether the last call's record could be begun."""

    @contextlib.asynccontextmanager
    async def chain(
        self, served: ServedCall, beginning: Beginning
    ) -> AsyncIterator[tuple[Call, CallJournal | None]]:
        """The chain of a call, and what writes it down; `ServedCall.run` runs it.

        Raises:
            CrossfadeError: It cannot be made.
        """
        record, folder = self._record(served, beginning)
        if beginning.nodes.choice is not None:
            note_choice(record, beginning.nodes.choice)
        self._watch(record, served.call_id)
        made = False
        try:
            make = self._that_changes if beginning.nodes.change else self._that_stays
            async with make(served, beginning, record) as call:
                for observer in served.transport.observers:
                    call.worker.add_observer(observer)
                made = True
                yield call, self._journal(served, beginning, call, folder)
        finally:
            await record.aclose({})
            if not made and folder is not None:
                await asyncio.to_thread(remove_empty_call_folder, folder)

    def _record(self, served: ServedCall, beginning: Beginning) -> tuple[CallRecord, Path | None]:
        """The record of a call, and its folder. Where a disk takes none, the call goes on without:
        its caller has no part in that."""
        first = beginning.nodes.first.name
        details = {"model": first.partition(":")[2] or first, "call": served.call_id}
        budgets = _budgets(self._settings)
        folder: Path | None = None
        try:
            folder = make_call_folder(self._settings.runs, datetime.now())
            record = CallRecord.open(
                folder,
                content=self._settings.content,
                capture=self._settings.capture,
                flac=self._settings.flac,
                details=details,
                budgets=budgets,
            )
        except (SettingsError, OSError) as error:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            self._cannot_record(error)
            return unwritten_record(details=details, budgets=budgets), None
        self._records = True
        return record, folder

    def _cannot_record(self, error: Exception) -> None:
        """Log it once, until a record could be begun again."""
        if self._records:
            logger.warning("calls go on, but no record is kept of those that begin: {}", error)
        self._records = False

    @contextlib.asynccontextmanager
    async def _that_stays(
        self, served: ServedCall, beginning: Beginning, record: CallRecord
    ) -> AsyncIterator[Call]:
        """A call that keeps its speech-to-speech model."""
        node = beginning.nodes.first
        assert node.endpoint is not None
        async with native_call(
            node.name,
            transport=_ends(served),
            record=record,
            config=beginning.config,
            tools=self._tools_of(beginning),
            base_url=node.endpoint.base_url,
            api_key=node.endpoint.api_key,
            route=node.route,
            conversation=beginning.conversation,
            unfinished=beginning.unfinished,
            in_rate_hz=served.transport.in_rate_hz,
            out_rate_hz=served.transport.out_rate_hz,
            uplink_ms=self._settings.uplink_ms,
            entry=[*served.transport.entry, Keypad()],
            custom=[TakeoverPrompt(beginning.owed)],
        ) as call:
            self._tell_details(served, beginning, record, call)
            yield call

    @contextlib.asynccontextmanager
    async def _that_changes(
        self, served: ServedCall, beginning: Beginning, record: CallRecord
    ) -> AsyncIterator[Call]:
        """A call that can change its node."""
        conversation = beginning.conversation or new_conversation()
        switch = self._switch(served, beginning, record, conversation)
        served.node = lambda: switch.serving
        async with switched_call(
            switch,
            transport=_ends(served),
            record=record,
            conversation=conversation,
            tools=self._tools_of(beginning),
            in_rate_hz=served.transport.in_rate_hz,
            out_rate_hz=served.transport.out_rate_hz,
            entry=[*served.transport.entry, Keypad()],
        ) as call:
            self._tell_details(served, beginning, record, call)
            yield call

    def _switch(
        self,
        served: ServedCall,
        beginning: Beginning,
        record: CallRecord,
        conversation: Conversation,
    ) -> NodeSwitch:
        tools, rate_hz = self._tools_of(beginning), served.transport.in_rate_hz

        def made(node: ServedNode) -> MakeNode:
            if node.endpoint is None:
                settings = CascadedSettings(
                    llm=EMBEDDED, instructions=beginning.config.instructions
                )
                declared = [tool.declaration for tool in tools]
                spares = node.spares
                return cascade_node(
                    settings,
                    conversation=conversation,
                    tools=tools,
                    rate_hz=rate_hz,
                    services=None if spares is None else spares.expect(settings, declared),
                )
            return native_node(
                node.name,
                conversation=conversation,
                config=beginning.config,
                tools=tools,
                base_url=node.endpoint.base_url,
                api_key=node.endpoint.api_key,
                route=node.route,
                tap=record.tap,
                rate_hz=rate_hz,
                uplink_ms=self._settings.uplink_ms,
            )

        names = beginning.nodes.names
        return NodeSwitch(
            {node.name: made(node) for node in beginning.nodes.nodes},
            first=beginning.nodes.first.name,
            route=names if len(names) > 1 else (),
            rate_hz=rate_hz,
            owed=_WANTED[beginning.owed],
        )

    def _tools_of(self, beginning: Beginning) -> Sequence[Tool]:
        return [*self._tools, *beginning.tools]

    def _tell_details(
        self, served: ServedCall, beginning: Beginning, record: CallRecord, call: Call
    ) -> None:
        """Have a client told of the call, and change its node, if clients may be told."""
        if not self._settings.details:
            return
        serving = call.serving()
        blind = {node.name for node in beginning.nodes.nodes if not node.sees}
        details = CallDetails(
            served.transport.tell_detail,
            record,
            call.conversation,
            provider=served.node() if serving is None else serving.provider,
            secrets=frozenset().union(*(tool.declaration.secrets for tool in self._tools)),
            choices=beginning.nodes.names if beginning.nodes.change else (),
            node=served.node if beginning.nodes.change else None,
            sees=lambda: served.node() not in blind,
        )
        served.greet = details.greet
        served.transport.on_played(details.played)
        choice = CallerChoice(call, served.node, details)
        details.coming = lambda: choice.coming
        served.transport.on_node = choice.choose

    def _journal(
        self, served: ServedCall, beginning: Beginning, call: Call, folder: Path | None
    ) -> CallJournal | None:
        if self._keeping is None:
            return None
        rate_hz = call.unfinished_rate_hz
        return self._keeping.open(
            beginning.begun or new_call(beginning, rate_hz),
            call.conversation,
            unfinished=served.unfinished if self._settings.unfinished_audio else None,
            state=served.stored_state(rate_hz),
            handle=lambda: _stored_handle(call.serving()),
            begun=beginning.begun is not None,
            stored=beginning.stored,
            folder=folder,
            taken=lambda: served.finish(Ending.TAKEN),
        )


def _ends(served: ServedCall) -> BaseTransport:
    """The two ends of its chain."""
    transport = served.transport
    assert isinstance(transport, BaseTransport)
    return transport


def _budgets(settings: ServeSettings) -> tuple[Budget, ...]:
    if settings.budget_usd is None or settings.over_budget is None:
        return budgets_of(settings)
    node = settings.over_budget
    return (Budget(usd=settings.budget_usd, then=OnBudget.DOWNGRADE, node=node),)


def _stored_handle(serving: Serving | None) -> StoredHandle | None:
    if serving is None or not serving.handle:
        return None
    return StoredHandle(spec=serving.provider, value=serving.handle)


__all__ = ["Chains"]
