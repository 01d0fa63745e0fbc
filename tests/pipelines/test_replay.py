"""Captured calls, run again in virtual time."""

import json
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossfade.audio.vad import VoiceDetector
from crossfade.emulators.faults.script import RefuseHandshake, Reset
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.errors import SettingsError
from crossfade.observability.capture import CAPTURE
from crossfade.observability.capture_file import CapturedCall
from crossfade.observability.divergence import Divergence, compare
from crossfade.pipelines import replay_run
from crossfade.pipelines.replay_call import replay_call
from crossfade.pipelines.replay_run import Changes, line_of, replay
from crossfade.pipelines.sample_tools import get_weather
from crossfade.processors import voice_activity
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig, TurnDetection
from tests.clock import run
from tests.pipelines.captures import captured_call, question


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> CapturedCall:
    """The demo's call, for all the tests that only run it again."""
    return run(captured_call(tmp_path_factory.mktemp("captured")))


def again(call: CapturedCall, folder: Path, **options: Any) -> list[Divergence]:
    return compare(call, run(replay_call(call, folder, **options)))


def frames(call: CapturedCall) -> list[tuple[float, str, str]]:
    """Frame types in order, with their times and texts."""
    return [
        (record.t, record.fields["type"], record.fields["fields"].get("text", ""))
        for record in call.of("frame")
    ]


def speech(call: CapturedCall) -> list[str]:
    return [record.fields["hash"] for record in call.of("speech")]


def test_a_captured_call_gives_the_same_frames_texts_and_sound_at_the_same_times(
    captured: CapturedCall, tmp_path: Path
) -> None:
    replayed = run(replay_call(captured, tmp_path))
    assert compare(captured, replayed) == []
    assert len(speech(captured)) > 50
    assert speech(replayed) == speech(captured)
    assert frames(replayed) == frames(captured)


def test_a_changed_prompt_is_named(captured: CapturedCall, tmp_path: Path) -> None:
    found = again(captured, tmp_path, changes=Changes(instructions="You sing."))
    assert [one.what for one in found] == [
        "setting config.instructions",
        "message session.update session.instructions",
    ]
    assert found[0].expected == "You tell the weather."
    assert found[0].got == "You sing."


def test_a_changed_threshold_of_the_provider_is_named(
    captured: CapturedCall, tmp_path: Path
) -> None:
    found = again(captured, tmp_path, changes=Changes(threshold=0.9))
    assert "setting config.threshold" in [one.what for one in found]


def test_a_changed_threshold_of_our_own_ear_is_named_and_what_follows_from_it(
    captured: CapturedCall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = VoiceDetector(start_threshold=0.9, start_ms=32, confirm_ms=250, stop_ms=480)
    monkeypatch.setattr(voice_activity, "two_stage_detector", lambda: deaf)
    named = {one.what for one in again(captured, tmp_path)}
    assert "setting voice_activity.start_threshold" in named
    assert [what for what in named if what.startswith("our ear SpeechBegan")]


def test_a_changed_tool_is_named(captured: CapturedCall, tmp_path: Path) -> None:
    @tool(name="get_weather")
    async def forecast(city: str, days: int = 1) -> str:
        """Tell the weather of the next days."""
        raise AssertionError("results come from the capture")

    named = {one.what for one in again(captured, tmp_path, tools=[forecast])}
    assert "setting tools.get_weather.description" in named
    assert "message session.update session.tools[1].description" in named


def test_a_tool_that_is_gone_is_named(captured: CapturedCall, tmp_path: Path) -> None:
    named = {one.what for one in again(captured, tmp_path, tools=[])}
    assert "setting tools.get_weather" in named
    assert "run of the tool get_weather" in named


def test_the_same_tool_of_today_s_code_gives_no_divergence(
    captured: CapturedCall, tmp_path: Path
) -> None:
    assert again(captured, tmp_path, tools=[get_weather]) == []


@pytest.mark.parametrize("owner", [TurnDetection.SERVER, TurnDetection.CALLER])
def test_a_call_with_gemini_goes_as_it_went(owner: TurnDetection, tmp_path: Path) -> None:
    async def scenario() -> CapturedCall:
        config = SessionConfig(turn_detection=owner)
        return await captured_call(
            tmp_path / "first", script=question(), emulator=GeminiEmulator(), config=config
        )

    assert again(run(scenario()), tmp_path / "second") == []


def test_a_call_with_moshi_goes_as_it_went(tmp_path: Path) -> None:
    async def scenario() -> CapturedCall:
        return await captured_call(
            tmp_path / "first",
            script=question(),
            emulator=MoshiEmulator(),
            config=SessionConfig(),
            tools=[],
        )

    call = run(scenario())
    replayed = run(replay_call(call, tmp_path / "second"))
    assert compare(call, replayed) == []
    assert speech(replayed) == speech(call) != []


def test_a_call_that_reconnects_does_so_again(tmp_path: Path) -> None:
    async def scenario() -> CapturedCall:
        emulator = OpenAIEmulator(faults=[Reset(turn=1)])
        return await captured_call(tmp_path / "first", script=question(), emulator=emulator)

    call = run(scenario())
    assert len(list(call.of("dialled"))) > 1
    assert again(call, tmp_path / "second") == []


def test_a_call_that_rotates_does_so_again(tmp_path: Path) -> None:
    async def scenario() -> CapturedCall:
        emulator = OpenAIEmulator(timing=Timing(session_seconds=5))
        return await captured_call(tmp_path / "first", script=question(), emulator=emulator)

    call = run(scenario())
    assert len(list(call.of("dialled"))) > 1
    assert again(call, tmp_path / "second") == []


def test_a_call_whose_provider_is_refused_goes_to_the_next_again(tmp_path: Path) -> None:
    async def scenario() -> CapturedCall:
        return await captured_call(
            tmp_path / "first",
            script=question(),
            emulator=OpenAIEmulator(faults=[RefuseHandshake(status=503)]),
            fallback=GeminiEmulator(),
        )

    call = run(scenario())
    assert next(record.fields["code"] for record in call.of("closed")) == 503
    assert again(call, tmp_path / "second") == []


def test_tools_that_fail_and_that_tell_parts_do_so_again(tmp_path: Path) -> None:
    @tool(name="get_weather", timeout_ms=5000)
    async def fails(city: str) -> str:
        """Tell the weather in a city."""
        raise ValueError("no such city")

    @tool(name="get_weather", timeout_ms=5000)
    async def parts(city: str) -> AsyncGenerator[str, None]:
        """Tell the weather in a city."""
        yield "looking"
        yield "rain"

    @tool(name="get_weather", timeout_ms=5000)
    def plain(city: str) -> str:
        """Tell the weather in a city."""
        return "rain"

    kinds: list[Tool] = [fails, parts, plain]
    for number, kind in enumerate(kinds):
        call = run(captured_call(tmp_path / f"{number}", script=question(), tools=[kind]))
        told = [record.fields["event"] for record in call.of("tool")]
        assert (
            told
            == [
                ["began", "failed"],
                ["began", "part", "part", "ended"],
                ["began", "ended"],
            ][number]
        )
        assert again(call, tmp_path / f"{number} again") == []


def test_a_capture_that_a_crash_cut_off_is_run_as_far_as_it_goes(
    captured: CapturedCall, tmp_path: Path
) -> None:
    half = CapturedCall(
        records=captured.records[: len(captured.records) // 2],
        complete=False,
        settings=captured.settings,
    )
    replayed = run(replay_call(half, tmp_path))
    expected = frames(half)
    assert frames(replayed)[: len(expected)] == expected
    assert compare(half, replayed) == []


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("call", {"in_rate_hz": 10**30}),
        ("call", {"route": [7]}),
        ("call", {"unfinished": "A"}),
        ("continuity", {"none": 1}),
        ("config", {"threshold": "high"}),
        ("tools", {"get_weather": {"description": ""}}),
    ],
)
def test_settings_that_somebody_changed_are_told_of(
    captured: CapturedCall, tmp_path: Path, name: str, changed: dict[str, Any]
) -> None:
    settings = {**captured.settings, name: {**captured.settings[name], **changed}}
    with pytest.raises(SettingsError, match="cannot be read"):
        again(replace(captured, settings=settings), tmp_path)


def test_a_change_that_cannot_be_used_is_told_of(captured: CapturedCall, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="threshold"):
        again(captured, tmp_path, changes=Changes(threshold=7))


def test_a_call_of_more_than_an_hour_can_be_run_again(
    captured: CapturedCall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits_s = []

    def run_nothing(main: Coroutine[Any, Any, CapturedCall], *, timeout_s: float) -> CapturedCall:
        limits_s.append(timeout_s)
        main.close()
        return captured

    lines = [{"t": one.t, "is": one.kind, **one.fields} for one in captured.records]
    lines[-1]["t"] = 7200
    kept = [line for line in lines if line.get("type") not in ("EndFrame", "CancelFrame")]
    (tmp_path / CAPTURE).write_text("".join(f"{json.dumps(line)}\n" for line in kept))
    monkeypatch.setattr(replay_run, "run_virtual", run_nothing)
    replay(tmp_path, tmp_path / "again")
    assert limits_s > [7200]


def test_a_divergence_is_told_without_what_a_terminal_obeys_and_without_keys() -> None:
    found = Divergence(what="a\x1b[2J", at_s=1.0, expected="sk-proj-0123456789", got="b")
    assert line_of(found) == "at 1.000 s: a [2J: expected [removed]; got b"


def test_a_call_without_a_capture_cannot_be_run_again(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no capture"):
        replay(tmp_path, tmp_path / "again")
