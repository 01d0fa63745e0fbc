"""The demo's call from end to end, on the virtual clock."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from crossfade.observability.turns import from_recording
from crossfade.pipelines.demo import demo_script
from tests.clock import run
from tests.pipelines.calls import Made, make_call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One call for all the tests that only look at it."""
    script = demo_script()
    result = run(make_call(tmp_path_factory.mktemp("call"), script))
    assert script.missed == []
    return result


def entries(made: Made, role: str) -> list[dict[str, Any]]:
    return [turn for turn in made.transcript["turns"] if turn["role"] == role]


def test_the_transcript_has_what_the_caller_said_in_order(made: Made) -> None:
    assert [turn["text"] for turn in entries(made, "user")] == [
        "hello there",
        "what is the weather in Tokyo",
        "thank you, that is enough",
        "goodbye",
    ]


def test_the_transcript_has_the_tool_call_with_its_result(made: Made) -> None:
    (call,) = entries(made, "tool")
    assert call["name"] == "get_weather"
    assert call["arguments"] == {"city": "Tokyo"}
    assert call["result"]["city"] == "Tokyo"
    assert call["duration_s"] == pytest.approx(1.5, abs=0.05)


def test_the_slow_tool_was_acknowledged_outside_the_conversation(made: Made) -> None:
    injected = [turn for turn in entries(made, "agent") if turn["injected"]]
    assert [turn["text"] for turn in injected] == ["One moment, I will look that up."]


def test_the_interrupted_answer_is_marked_and_holds_only_the_words_that_were_heard(
    made: Made,
) -> None:
    (cut,) = [turn for turn in entries(made, "agent") if turn["interrupted"]]
    assert cut["text"].startswith(cut["heard"])
    assert 0 < len(cut["heard"]) < len(cut["text"]) / 2
    (item,) = cut["items"]
    assert 800 <= item["played_ms"] <= 1200
    # The emulator's voice takes 65 ms a character: whatever counts as heard was spoken by then.
    assert len(cut["heard"]) * 65 <= item["played_ms"]


def test_the_provider_was_told_what_was_heard(made: Made) -> None:
    (cut,) = [turn for turn in entries(made, "agent") if turn["interrupted"]]
    (truncate,) = made.received.of("conversation.item.truncate")
    assert truncate["item_id"] == cut["items"][0]["id"]
    assert truncate["audio_end_ms"] == pytest.approx(cut["items"][0]["played_ms"], abs=1)


def test_every_answer_is_heard_on_the_right_channel_and_the_caller_on_the_left(
    made: Made,
) -> None:
    turns = from_recording(made.recording)
    assert len(turns.caller) >= 4
    spoken = [t for t in entries(made, "agent") if any(i["played_ms"] for i in t["items"])]
    assert len(spoken) == 5
    samples, rate_hz = soundfile.read(made.recording)
    for turn in spoken:
        start_s = turn["started_at_s"]
        right = samples[int(start_s * rate_hz) : int((start_s + 2) * rate_hz), 1]
        assert np.abs(right).max() > 0.05, turn["text"]


def test_the_recording_keeps_time(made: Made) -> None:
    """The caller's first sound on the left lies where the log says that the turn began."""
    turns = from_recording(made.recording)
    started_s = next(
        line["t"] for line in made.log if line["type"] == "input_audio_buffer.speech_started"
    )
    assert 0 < started_s - turns.caller[0].start_s < 0.2
    assert soundfile.info(made.recording).subtype == "PCM_16"
    assert soundfile.info(made.recording).channels == 2


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
    # The acknowledgement is none of the provider's responses.
    assert len(summary.ttfb_ms) == 4


def test_the_log_has_every_audio_message_by_its_length_and_none_of_its_sound(made: Made) -> None:
    sent = [line for line in made.log if line["type"] == "input_audio_buffer.append"]
    heard = [line for line in made.log if line["type"] == "response.output_audio.delta"]
    assert sum(line["audio_bytes"] for line in sent) > 10 * 48000
    assert all(line["audio_bytes"] and line["response_id"] for line in heard)
    assert not [line for line in sent + heard if "body" in line]


def test_two_runs_of_one_call_say_and_do_the_same(tmp_path: Path) -> None:
    """The virtual clock makes a call repeat exactly."""

    def outline(made: Made) -> list[tuple[float, str]]:
        return [(line["t"], line["type"]) for line in made.log if line["dir"] != "call"]

    first = run(make_call(tmp_path / "first", demo_script()))
    second = run(make_call(tmp_path / "second", demo_script()))
    assert outline(first) == outline(second)


@pytest.mark.realtime
def test_the_same_call_in_real_and_in_virtual_time_gives_the_same_events(
    made: Made, tmp_path: Path
) -> None:
    """What happened, in which order, but for what depends on the pace of two tasks."""

    def outline(made: Made) -> list[str]:
        turns = [f"{t['role']}: {t.get('text', t.get('name'))}" for t in made.transcript["turns"]]
        frames = [
            line["type"]
            for line in made.log
            if line["dir"] == "frame"
            and line["type"]
            in {
                "InterruptionFrame",
                "UserStartedSpeakingFrame",
                "UserStoppedSpeakingFrame",
                "UserTranscriptFrame",
                "ResponseStartFrame",
                "ResponseEndFrame",
                "ToolCallsFrame",
                "FunctionCallResultFrame",
            }
        ]
        return [line.partition(" ✂")[0][:60] for line in turns] + frames

    real = asyncio.run(make_call(tmp_path, demo_script()))
    assert outline(real) == outline(made)
