"""Calls whose tools take their time: what the caller hears meanwhile, and what is kept of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from crossfade.emulators.backends import Call, Prompt, Reply, Say, ScriptedBackend, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.backends.scripted import ScriptedDialogue
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.received import Received
from crossfade.observability.call import CallRecord
from crossfade.observability.turns import from_recording
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.own_voice import CACHE_VARIABLE, cache_folder
from crossfade.processors.acknowledgement import WORTH_S
from crossfade.processors.phrases import PhraseStore
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.transports.script import AfterSilence, IntoAnswer, Line, Script
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.pipelines.calls import MODEL, Made

GEMINI = "gemini:gemini-3.1-flash-live-preview"
PHRASES = ("Let me see.", "I am still looking.")
SCENARIO = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear="look", call=(Call(name="look_up", arguments="{}"),)),
        Turn(on=Trigger.TOOL_RESULTS, say=("I have found it.",)),
    ),
    otherwise="Well then.",
)


def looking(seconds: float) -> Tool:
    @tool(acknowledge=PHRASES, timeout_ms=20_000)
    async def look_up() -> str:
        """Look something up."""
        await asyncio.sleep(seconds)
        return "found"

    return look_up


async def call(
    folder: Path,
    *,
    tool_s: float = 4.0,
    spec: str = MODEL,
    backend: ScriptedBackend | None = None,
    store: PhraseStore | None = None,
    more: Sequence[Line] = (),
) -> tuple[Made, Sequence[Any]]:
    """One question to a tool that takes its time; the call, and all sessions of the server."""
    lines = [demo_line("weather_tokyo", AfterSilence(after_s=2.0)), *more]
    caller = ScriptedCaller(Script(lines))
    backend = backend or ScriptedBackend(SCENARIO)
    emulator = GeminiEmulator(backend) if spec == GEMINI else OpenAIEmulator(backend)
    async with emulator as server:
        record = CallRecord.open(folder)
        async with native_call(
            spec,
            transport=caller,
            record=record,
            config=SessionConfig(),
            tools=[looking(tool_s)],
            phrases=store,
            base_url=server.url,
            api_key="emulated",
        ) as made:
            summary = await asyncio.wait_for(made.run(until=caller.hung_up()), 120)
        received = server.sessions[0].received if isinstance(server, OpenAIEmulator) else Received()
        sessions = list(server.sessions)
    return Made(folder, summary, received), sessions


def agent_turns(made: Made) -> list[dict[str, Any]]:
    return [turn for turn in made.transcript["turns"] if turn["role"] == "agent"]


def out_of_band(received: Received) -> list[dict[str, Any]]:
    asked = [message.get("response", {}) for message in received.of("response.create")]
    return [response for response in asked if response.get("conversation") == "none"]


def asides(made: Made) -> list[str]:
    return [response["instructions"] for response in out_of_band(made.received)]


def called_at_s(made: Made) -> float:
    return float(next(line["t"] for line in made.log if line["type"] == "ToolCallsFrame"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One call for all the tests that only look at it."""
    return run(call(tmp_path_factory.mktemp("call")))[0]


def test_the_caller_hears_the_agent_within_20_ms_of_its_being_due(made: Made) -> None:
    turns = from_recording(made.recording)
    due_s = called_at_s(made) + WORTH_S
    assert 0 <= round(turns.agent[0].start_s - due_s, 3) <= 0.020


def test_no_silence_is_longer_than_a_second_while_the_tool_runs(made: Made) -> None:
    turns = from_recording(made.recording)
    assert len(turns.agent) == 3
    until_s = called_at_s(made) + 4.0
    gaps = [b.start_s - a.end_s for a, b in zip(turns.agent, turns.agent[1:], strict=False)]
    assert gaps[0] == pytest.approx(1.0, abs=0.030)
    assert turns.agent[1].start_s < until_s < turns.agent[2].start_s


def test_the_ledger_tells_what_the_agent_said_from_what_the_model_said(made: Made) -> None:
    said = [(turn["injected"], turn["text"], turn["heard"]) for turn in agent_turns(made)]
    assert said == [
        (True, "Let me see.", "Let me see."),
        (True, "I am still looking.", "I am still looking."),
        (False, "I have found it.", "I have found it."),
    ]


def test_the_model_was_told_nothing_of_it_and_was_asked_for_each_phrase_once(made: Made) -> None:
    assert len(asides(made)) == len(PHRASES)
    assert all(text in order for text, order in zip(PHRASES, asides(made), strict=True))
    assert made.received.of("conversation.item.truncate") == []
    assert not made.summary.errors
    (asked,) = made.summary.tools
    assert asked.acknowledged_ms == pytest.approx(WORTH_S * 1000, abs=25)


def test_who_speaks_into_a_phrase_cuts_it_and_the_model_is_told_of_none_of_it(
    tmp_path: Path,
) -> None:
    # The script takes no phrase for an answer, so its line comes by the clock.
    enough = demo_line("enough", AfterSilence(after_s=1.1))
    made, _ = run(call(tmp_path, tool_s=5, more=[enough]))
    first = agent_turns(made)[0]
    assert (first["injected"], first["interrupted"]) == (True, True)
    assert first["items"][0]["played_ms"] < first["items"][0]["received_ms"]
    assert made.received.of("conversation.item.truncate") == []


def test_of_an_answer_behind_a_phrase_only_its_own_sound_counts(tmp_path: Path) -> None:
    enough = demo_line("enough", IntoAnswer(after_s=0.4))
    made, _ = run(call(tmp_path, tool_s=0.2, more=[enough]))
    phrase, answer, *_ = agent_turns(made)
    assert (phrase["injected"], phrase["interrupted"]) == (True, False)
    assert answer["interrupted"]
    (told,) = made.received.of("conversation.item.truncate")
    assert told["item_id"] == answer["items"][0]["id"]
    assert told["audio_end_ms"] == pytest.approx(answer["items"][0]["played_ms"], abs=1)
    assert 300 <= told["audio_end_ms"] <= 900


def test_the_next_call_with_the_same_voice_asks_for_no_phrase(tmp_path: Path) -> None:
    async def two() -> None:
        first = OpenAIEmulator(ScriptedBackend(SCENARIO))
        async with first as server:
            for name, wanted in (("a", len(PHRASES)), ("b", 0)):
                caller = ScriptedCaller(Script([demo_line("enough", AfterSilence(after_s=2))]))
                record = CallRecord.open(tmp_path / name)
                async with native_call(
                    MODEL,
                    transport=caller,
                    record=record,
                    config=SessionConfig(),
                    tools=[looking(1)],
                    phrases=PhraseStore(tmp_path / "kept"),
                    base_url=server.url,
                    api_key="emulated",
                ) as each:
                    await each.run(until=caller.hung_up())
                assert len(out_of_band(server.sessions[-1].received)) == wanted
                spoken = [
                    turn for turn in each.conversation.entries if getattr(turn, "injected", 0)
                ]
                assert len(spoken) == 1

    run(two())


def test_a_model_that_cannot_speak_aside_is_asked_in_sessions_of_their_own(
    tmp_path: Path,
) -> None:
    made, sessions = run(call(tmp_path, spec=GEMINI))
    assert len(sessions) == 1 + len(PHRASES)
    turns = agent_turns(made)
    assert [turn["text"] for turn in turns if turn["injected"]] == list(PHRASES)
    assert turns[-1]["text"] == "I have found it."
    assert not made.summary.errors


class Disobedient(ScriptedBackend):
    """Says something else than it is told to."""

    def dialogue(self) -> ScriptedDialogue:
        return _Disobedient(SCENARIO, self.render)


class _Disobedient(ScriptedDialogue):
    async def reply(self, prompt: Prompt) -> Reply:
        if prompt.out_of_band:
            return Reply(parts=[Say("I would rather not.")])
        return await super().reply(prompt)


def test_a_phrase_that_never_comes_out_right_is_not_said(tmp_path: Path) -> None:
    made, _ = run(call(tmp_path, backend=Disobedient(SCENARIO)))
    assert len(asides(made)) == 2 * len(PHRASES)
    assert [turn["text"] for turn in agent_turns(made)] == ["I have found it."]
    assert not made.summary.errors


def test_what_a_server_on_this_machine_speaks_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    monkeypatch.setenv(CACHE_VARIABLE, str(kept))
    assert cache_folder() == kept
    made, _ = run(call(tmp_path / "call", tool_s=1))
    assert agent_turns(made)[0]["injected"]
    assert not kept.exists()


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_phrases_are_kept_where_the_system_keeps_such(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setattr("sys.platform", platform)
    assert cache_folder().name == "crossfade"
    assert cache_folder().is_absolute()
