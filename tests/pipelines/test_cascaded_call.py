"""The demo's call through a cascade from end to end, on the virtual clock."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pipecat.processors.frame_processor import FrameProcessorSetup

from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.observability.turns import from_recording
from crossfade.offline.responder import Responder
from crossfade.pipelines.cascaded_call import Services, cascaded_call
from crossfade.pipelines.demo import demo_script
from crossfade.pipelines.sample_tools import get_weather
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.pipelines.calls import Made
from tests.processors.speech_node.fakes import PacedVoice, Recogniser

SAID = ("hello there", "what is the weather in tokyo", "thank you that is enough", "goodbye")
FINISH_S = 0.05


async def make_call(folder: Path) -> Made:
    """The demo's caller, a recogniser that knows the script, the rules and a humming voice."""
    events: list[Any] = []
    script = demo_script()
    caller = ScriptedCaller(script)
    record = CallRecord.open(folder)
    record.subscribe(events.append)
    services = Services(
        stt=EmbeddedSTT(Recogniser(*SAID, finish_s=FINISH_S)),
        llm=EmbeddedLLM(Responder),
        tts=EmbeddedTTS(PacedVoice(speed=20)),
    )
    call = cascaded_call(services, transport=caller, record=record, tools=[get_weather])
    summary = await asyncio.wait_for(call.run(until=caller.hung_up()), 120)
    assert script.missed == []
    return Made(folder, summary, None, events)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One call for all the tests that only look at it."""
    return run(make_call(tmp_path_factory.mktemp("call")))


def entries(made: Made, role: str) -> list[dict[str, Any]]:
    return [turn for turn in made.transcript["turns"] if turn["role"] == role]


def test_the_transcript_has_what_the_caller_said_in_order(made: Made) -> None:
    assert tuple(turn["text"] for turn in entries(made, "user")) == SAID


def test_the_transcript_has_the_tool_call_with_its_result(made: Made) -> None:
    (call,) = entries(made, "tool")
    assert call["name"] == "get_weather"
    assert call["arguments"] == {"city": "Tokyo"}
    assert call["result"]["city"] == "Tokyo"
    assert call["duration_s"] == pytest.approx(1.5, abs=0.05)


def test_the_slow_tool_was_acknowledged_outside_the_conversation(made: Made) -> None:
    injected = [turn for turn in entries(made, "agent") if turn["injected"]]
    assert [turn["text"] for turn in injected] == ["One moment, I will look that up."]


def test_the_interrupted_answer_holds_only_the_words_that_were_heard(made: Made) -> None:
    (cut,) = [turn for turn in entries(made, "agent") if turn["interrupted"]]
    assert cut["text"].startswith(cut["heard"])
    assert 0 < len(cut["heard"]) < len(cut["text"]) / 2
    (item,) = cut["items"]
    assert len(cut["heard"]) * 65 <= item["played_ms"]


def test_the_agent_is_silent_soon_after_the_caller_speaks(made: Made) -> None:
    (barge_in,) = from_recording(made.recording).barge_ins
    assert barge_in.to_silence_ms < 300


def test_nothing_went_wrong_and_the_summary_says_what_happened(made: Made) -> None:
    summary = made.summary
    assert not summary.errors
    assert not [line for line in made.log if line["type"] == "ErrorFrame"]
    assert summary.user_turns == 4
    assert summary.interruptions == len(summary.barge_in_ms) == 1
    assert len(summary.voice_to_voice_ms) == 4
    # A phrase is no response, and one of the four answers is a tool's call before it is one.
    assert len(summary.ttfb_ms) == 4
    assert len(summary.ttlb_ms) == 5


def test_the_embedded_services_cost_nothing(made: Made) -> None:
    cost = made.summary.cost
    assert cost.usd == 0
    assert cost.complete
    assert {line.service.value for line in cost.lines} == {"stt", "llm", "tts"}
    assert {line.model for line in cost.lines} == {"embedded:embedded"}
    assert 1 in cost.by_turn


def test_each_word_that_is_spoken_is_charged_once(made: Made) -> None:
    """A line for each clause that the synthesiser was given, with the space behind it."""
    spoken = [turn["text"] for turn in entries(made, "agent")]
    used = [line for line in made.log if line["type"] == "call.usage" and line["service"] == "tts"]
    charged = sum(line["characters"] for line in used)
    assert charged == sum(len(text.strip()) + 1 for text in spoken)


def test_each_answer_is_made_within_the_frameworks_own_15_ms(made: Made) -> None:
    """On the virtual clock only the services take time, and what is scheduled by the chain."""
    at: dict[str, list[float]] = {}
    for line in made.log:
        at.setdefault(line["type"], []).append(line["t"])
    silent_s = at["UserStoppedSpeakingFrame"]
    said_s = at["UserTranscriptFrame"]
    for stopped, told in zip(silent_s, said_s, strict=True):
        assert told - stopped == pytest.approx(FINISH_S, abs=0.002)
    for told in said_s:
        begun = min(t for t in at["ResponseStartFrame"] if t >= told)
        assert begun - told < 0.002


def test_a_second_call_of_the_same_kind_says_and_does_the_same(made: Made, tmp_path: Path) -> None:
    again = run(make_call(tmp_path))
    told = [(t["role"], t.get("text")) for t in again.transcript["turns"]]
    assert told == [(t["role"], t.get("text")) for t in made.transcript["turns"]]
    assert json.dumps(again.transcript["usage"]) == json.dumps(made.transcript["usage"])


def test_a_service_that_cannot_be_set_up_ends_the_call_with_its_error(tmp_path: Path) -> None:
    class Broken(EmbeddedTTS):
        async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
            await super().setup(setup)
            raise RuntimeError("no such voice")

    async def scenario() -> None:
        caller = ScriptedCaller(demo_script())
        record = CallRecord.open(tmp_path)
        services = Services(
            stt=EmbeddedSTT(Recogniser()), llm=EmbeddedLLM(Responder), tts=Broken(PacedVoice())
        )
        call = cascaded_call(services, transport=caller, record=record)
        with pytest.raises(CrossfadeError, match="no such voice"):
            await call.run(until=caller.hung_up())

    run(scenario())
