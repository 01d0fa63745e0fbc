"""Captured calls of cascades, and of calls that change their node, run again in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import RefuseHandshake, Reset
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import CrossfadeError, SettingsError
from crossfade.observability.call import CallRecord
from crossfade.observability.capture_file import CapturedCall, read_capture
from crossfade.observability.divergence import Divergence, compare
from crossfade.offline.responder import Responder
from crossfade.pipelines.assembly import Call, new_conversation
from crossfade.pipelines.call_nodes import cascade_node, native_node
from crossfade.pipelines.cascaded_call import Services, cascaded_call
from crossfade.pipelines.cascaded_settings import CascadedSettings
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.replay_call import replay_call
from crossfade.pipelines.replay_chain import Changes
from crossfade.pipelines.sample_tools import get_weather
from crossfade.pipelines.switched_call import switched_call
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.processors.node_slot import MakeNode
from crossfade.processors.node_switch import NodeSwitch, When
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.pipelines.calls import MODEL
from tests.processors.speech_node.fakes import PacedVoice, Recogniser

SAID = ("hello there", "what is the weather in tokyo", "thank you that is enough", "goodbye")
PROMPT = "You tell the weather."
CASCADE = "cascade"


def services(
    tts: EmbeddedTTS | None = None, *, said: Sequence[str] = SAID, eager: bool = False
) -> Services:
    return Services(
        stt=EmbeddedSTT(Recogniser(*said), eager=eager),
        llm=EmbeddedLLM(Responder),
        tts=tts or EmbeddedTTS(PacedVoice(speed=20)),
    )


async def cascade(
    folder: Path, found: Services | None = None, tools: Sequence[Tool] = (get_weather,)
) -> CapturedCall:
    """The demo's call through a cascade."""
    caller = ScriptedCaller(demo_script())
    record = CallRecord.open(folder, capture=True)
    call = cascaded_call(
        found or services(), transport=caller, record=record, instructions=PROMPT, tools=tools
    )
    await ran(call, caller)
    return read_capture(folder)


async def ran(call: Call, caller: ScriptedCaller) -> None:
    with contextlib.suppress(CrossfadeError):
        await asyncio.wait_for(call.run(until=caller.hung_up()), 120)


@pytest.fixture(scope="module")
def cascaded(tmp_path_factory: pytest.TempPathFactory) -> CapturedCall:
    """One call for the tests that only run it again."""
    return run(cascade(tmp_path_factory.mktemp("cascaded")))


def again(call: CapturedCall, folder: Path, **options: Any) -> list[Divergence]:
    return compare(call, run(replay_call(call, folder, **options)))


def happened(call: CapturedCall) -> list[tuple[float, str, str]]:
    """Frames and the sound at the playout queue, in order, with their times."""
    return [
        (
            record.t,
            record.fields.get("type", "speech"),
            record.fields.get("hash") or record.fields["fields"].get("text", ""),
        )
        for record in call.of("frame", "speech")
    ]


def test_a_cascade_gives_the_same_frames_texts_and_sound_at_the_same_times(
    cascaded: CapturedCall, tmp_path: Path
) -> None:
    replayed = run(replay_call(cascaded, tmp_path))
    assert compare(cascaded, replayed) == []
    assert happened(replayed) == happened(cascaded)
    assert len(list(replayed.of("speech"))) > 50
    assert [one.fields["service"] for one in cascaded.of("dialled")] == ["stt", "llm", "tts"]


def test_a_changed_prompt_is_named_as_the_text_model_is_given_it(
    cascaded: CapturedCall, tmp_path: Path
) -> None:
    found = again(cascaded, tmp_path, changes=Changes(instructions="You sing."))
    assert [one.what for one in found] == [
        "setting call.instructions",
        "llm is given LLMUpdateSettingsFrame settings.system_instruction",
    ]


def test_a_changed_tool_is_named(cascaded: CapturedCall, tmp_path: Path) -> None:
    @tool(name="get_weather")
    async def forecast(city: str, days: int = 1) -> str:
        """Tell the weather of the next days."""
        raise AssertionError("results come from the capture")

    named = {one.what for one in again(cascaded, tmp_path, tools=[forecast])}
    assert "llm is given LLMContextFrame tools[1].description" in named


def test_an_answer_that_is_begun_ahead_is_so_again(tmp_path: Path) -> None:
    call = run(cascade(tmp_path / "first", services(eager=True)))
    replayed = run(replay_call(call, tmp_path / "second"))
    assert compare(call, replayed) == []
    assert happened(replayed) == happened(call)


def test_the_turns_of_a_cascade_have_no_threshold_of_a_provider(
    cascaded: CapturedCall, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="turns of this call are our own"):
        again(cascaded, tmp_path, changes=Changes(threshold=0.7))


def test_settings_and_answers_that_somebody_changed_are_told_of(
    cascaded: CapturedCall, tmp_path: Path
) -> None:
    settings = {**cascaded.settings, "call": {"node": CASCADE, "in_rate_hz": "much"}}
    with pytest.raises(SettingsError, match="cannot be read"):
        again(replace(cascaded, settings=settings), tmp_path)
    records = [
        replace(one, fields={**one.fields, "text": '{"type":"TTSAudioRawFrame"}'})
        if one.kind == "message" and "TTSAudioRawFrame" in one.fields["text"]
        else one
        for one in cascaded.records
    ]
    with pytest.raises(SettingsError, match="an answer of EmbeddedTTS that cannot be read"):
        again(replace(cascaded, records=records), tmp_path)


class Broken(EmbeddedTTS):
    """Fails for good when it is to speak for the second time."""

    times = 0

    async def run_tts(self, text: str, context_id: str) -> Any:
        self.times += 1
        if self.times > 1:
            await self.push_error("the voice is gone", force_treat_as_permanent=True)
            return
        async for frame in super().run_tts(text, context_id):
            yield frame


def test_a_service_that_fails_for_good_does_so_again(tmp_path: Path) -> None:
    call = run(cascade(tmp_path / "first", services(Broken(PacedVoice(speed=20)))))
    assert again(call, tmp_path / "second") == []
    assert any(one.fields["type"] == "ErrorFrame" for one in call.of("frame"))


# Calls that change their node


@contextlib.asynccontextmanager
async def switching(
    folder: Path, emulator: OpenAIEmulator, *, falls: bool, own: bool = False
) -> AsyncIterator[tuple[Call, ScriptedCaller]]:
    """The demo's call with a native node and a cascade."""
    caller = ScriptedCaller(demo_script())
    record = CallRecord.open(folder, capture=True)
    conversation = new_conversation()

    @contextlib.asynccontextmanager
    async def found() -> AsyncIterator[tuple[Services, str]]:
        yield services(said=SAID[2:]), "fakes"

    native = native_node(
        MODEL,
        conversation=conversation,
        config=SessionConfig(instructions=PROMPT),
        tools=[get_weather],
        base_url=emulator.url,
        api_key="emulated",
        tap=record.tap,
    )
    other = cascade_node(
        CascadedSettings(instructions=PROMPT),
        conversation=conversation,
        tools=[get_weather],
        services=found,
    )
    nodes: dict[str, MakeNode] = {"native": native, CASCADE: (lambda: other()) if own else other}
    route = ("native", CASCADE) if falls else ()
    switch = NodeSwitch(nodes, route=route, spare=CASCADE if falls else None)
    async with switched_call(
        switch, transport=caller, record=record, conversation=conversation, tools=[get_weather]
    ) as call:
        yield call, caller


@pytest.mark.parametrize("when", list(When))
def test_a_call_that_was_asked_to_change_its_node_does_so_again(when: When, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator() as emulator,
            switching(tmp_path / "first", emulator, falls=False) as (call, caller),
        ):
            running = asyncio.create_task(ran(call, caller))
            await asyncio.sleep(9.5)
            await call.switch_to(CASCADE, when=when, why="the application wants it")
            await running

    run(scenario())
    captured = read_capture(tmp_path / "first")
    (order,) = captured.of("order")
    assert order.fields["node"] == CASCADE
    replayed = run(replay_call(captured, tmp_path / "second"))
    assert compare(captured, replayed) == []
    assert any(one.fields["type"] == "NodeSwitchedFrame" for one in replayed.of("frame"))
    assert happened(replayed) == happened(captured)


def test_a_call_whose_provider_dies_goes_to_the_cascade_again_and_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = [Reset(turn=1, at=State.IDLE, after_ms=500)]
        refusals = [RefuseHandshake(session=number, status=503) for number in (2, 3)]
        async with (
            OpenAIEmulator(faults=[*faults, *refusals]) as emulator,
            switching(tmp_path / "first", emulator, falls=True) as (call, caller),
        ):
            await ran(call, caller)

    run(scenario())
    captured = read_capture(tmp_path / "first")
    told = [one.fields["fields"] for one in captured.of("frame") if "node" in one.fields["fields"]]
    assert CASCADE in [fields["node"] for fields in told]
    assert again(captured, tmp_path / "second") == []


def test_a_node_of_the_application_s_own_cannot_be_run_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            OpenAIEmulator() as emulator,
            switching(tmp_path / "first", emulator, falls=False, own=True) as (call, caller),
        ):
            await ran(call, caller)

    run(scenario())
    with pytest.raises(SettingsError, match="the node cascade is the application's own"):
        again(read_capture(tmp_path / "first"), tmp_path / "second")
