"""Whole calls whose speech node is swapped, and a call that outlives all its providers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crossfade.benchmarks.swaps import Cell, run_cell
from crossfade.benchmarks.swaps_call import CASCADE, SwapState
from crossfade.conversation.ledger import Conversation
from crossfade.emulators.backends.backend import Prompt, Reply, Say, Told
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.backends.scripted import ScriptedBackend, ScriptedDialogue
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import RefuseHandshake, Reset
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError
from crossfade.frames.continuity import NodeFailedFrame, NodeSwitchedFrame, SessionContinuedFrame
from crossfade.observability.call import CallRecord
from crossfade.pipelines.assembly import new_conversation
from crossfade.pipelines.call_nodes import native_node, voice_of
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.settings import NativeSettings
from crossfade.pipelines.switched_call import switched_call
from crossfade.processors.node_slot import MakeNode
from crossfade.processors.node_switch import NodeSwitch, When
from crossfade.processors.switch_policy import CostRule, SwitchPolicy
from crossfade.providers import SessionConfig
from crossfade.providers.continuity.route import Endpoint
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.processors.speech_node.nodes import Kind, in_chain, maker

OPENAI, GEMINI = "openai:gpt-realtime-2.1", "gemini:gemini-3.8-live"
SAMPLE = [
    Cell(first=CASCADE, second="openai", state=state, when=When.NOW)
    for state in (SwapState.USER_SPEAKING, SwapState.AGENT_SPEAKING, SwapState.TOOL_PENDING)
]


@pytest.mark.parametrize("cell", SAMPLE, ids=lambda cell: str(cell.state.value))
def test_nobody_notices_a_swap_at_once_and_back(cell: Cell) -> None:
    result = run_cell(cell)
    assert not result.why
    assert result.held
    assert result.gap_ms <= 100
    assert (result.replayed_ms > 0) is (cell.state in (SwapState.USER_SPEAKING, SwapState.THINKING))


class Remembering(ScriptedBackend):
    """Tells what the user said first, if that was in another session."""

    def dialogue(self) -> ScriptedDialogue:
        return _RememberingDialogue(super().dialogue())


class _RememberingDialogue(ScriptedDialogue):
    def __init__(self, usual: ScriptedDialogue) -> None:
        self.__dict__.update(usual.__dict__)
        self._said: list[str] = []

    def told(self, who: Told, text: str) -> None:
        if who is Told.USER:
            self._said.append(text)
        super().told(who, text)

    async def reply(self, prompt: Prompt) -> Reply:
        if self._said:
            return Reply(parts=[Say(f"First you said {self._said[0]}.")])
        return await super().reply(prompt)


def test_a_call_outlives_both_providers_and_the_first_one_knows_the_whole_of_it_again() -> None:
    hears = "my name is ada"
    backend = Remembering(Scenario(turns=(Turn(on=None, hear=hears, say=("Hello.",)),)))
    dies = Reset(turn=1, at=State.IDLE, after_ms=500)
    openai = OpenAIEmulator(
        backend, faults=[dies, *(RefuseHandshake(session=n) for n in range(2, 6))]
    )
    gemini = GeminiEmulator(
        backend, faults=[dies, *(RefuseHandshake(session=n) for n in range(2, 9))]
    )

    async def scenario() -> None:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        async with openai, gemini:
            native = native_node(
                OPENAI,
                conversation=ledger,
                config=SessionConfig(),
                base_url=openai.url,
                api_key="emulated",
                route=[Endpoint(spec=GEMINI, base_url=gemini.url, api_key="emulated")],
            )
            embedded = maker(Kind.EMBEDDED, ["I am here."], (), ledger)
            nodes: dict[str, MakeNode] = {"native": native, CASCADE: embedded}
            switch = NodeSwitch(nodes, route=("native", CASCADE), spare=CASCADE)
            async with in_chain(switch, Kind.EMBEDDED, ledger) as talking:
                for _ in range(3):
                    await talking.speak()
                    await asyncio.sleep(5)
                continued = talking.below.down(SessionContinuedFrame)
                assert [frame.provider for frame in continued] == [GEMINI]
                assert [frame.node for frame in talking.below.down(NodeSwitchedFrame)] == [CASCADE]
                await asyncio.sleep(60)
                assert switch.serving == "native"
                await talking.speak()
                await asyncio.sleep(5)
                assert talking.texts("agent") == [
                    "Hello.",
                    f"First you said {hears}.",
                    "I am here.",
                    f"First you said {hears}.",
                ]
                assert switch.node is not None
                assert switch.node.serving is not None
                assert switch.node.serving.provider == OPENAI
                assert all(not f.served for f in talking.below.down(NodeFailedFrame)[1:])
                assert not talking.chain.errors

    run(scenario())


@contextlib.asynccontextmanager
async def record_in(folder: Path) -> AsyncIterator[CallRecord]:
    record = CallRecord.open(folder)
    try:
        yield record
    finally:
        record.close({})


def test_the_application_asks_for_another_node_by_its_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with OpenAIEmulator() as emulator, record_in(tmp_path) as record:
            conversation = new_conversation()
            native = native_node(
                OPENAI,
                conversation=conversation,
                config=SessionConfig(),
                base_url=emulator.url,
                api_key="emulated",
            )
            caller = ScriptedCaller(demo_script())
            switch = NodeSwitch({"one": native, "other": native})
            async with switched_call(
                switch, transport=caller, record=record, conversation=conversation
            ) as call:
                running = asyncio.create_task(call.run(until=caller.hung_up()))
                await asyncio.sleep(4.5)
                await call.switch_to("other", why="the application wants it")
                with pytest.raises(SettingsError, match="no node 'third'"):
                    await call.switch_to("third")
                summary = await running
            assert len(emulator.sessions) == 2
            assert [change.provider for change in summary.session_changes] == ["other"]
            assert not summary.errors

    run(scenario())


def test_what_a_call_costs_has_a_cheaper_node_take_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with OpenAIEmulator() as emulator, record_in(tmp_path) as record:
            conversation = new_conversation()
            native = native_node(
                OPENAI,
                conversation=conversation,
                config=SessionConfig(),
                base_url=emulator.url,
                api_key="emulated",
            )
            caller = ScriptedCaller(demo_script())
            rule = CostRule(over_usd=0.000_001, to="cheap")
            switch = NodeSwitch({"dear": native, "cheap": native}, policy=SwitchPolicy([rule]))
            async with switched_call(
                switch, transport=caller, record=record, conversation=conversation
            ) as call:
                summary = await call.run(until=caller.hung_up())
            (change,) = summary.session_changes
            assert change.provider == "cheap"
            assert not summary.errors

    run(scenario())


def test_a_call_with_one_node_says_that_it_cannot_switch(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator() as emulator,
            record_in(tmp_path) as record,
            native_call(
                OPENAI,
                transport=ScriptedCaller(demo_script()),
                record=record,
                config=SessionConfig(),
                base_url=emulator.url,
                api_key="emulated",
            ) as call,
        ):
            with pytest.raises(SettingsError, match="one speech node"):
                await call.switch_to(CASCADE)

    run(scenario())


def test_the_cascade_is_the_last_fallback() -> None:
    assert NativeSettings(fallbacks=(GEMINI, CASCADE)).fallbacks == (GEMINI, CASCADE)
    with pytest.raises(SettingsError, match="put it last"):
        NativeSettings(fallbacks=(CASCADE, GEMINI))


def test_a_voice_is_matched_by_the_map() -> None:
    voices = {"warm": {CASCADE: "slt"}}
    assert voice_of(voices, "warm", CASCADE) == "slt"
    assert voice_of(voices, "warm", "native") == "warm"
    assert voice_of(voices, None, CASCADE) is None
