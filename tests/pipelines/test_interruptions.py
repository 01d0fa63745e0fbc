"""What the caller hears, and what the provider is told, when somebody makes a sound."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from crossfade.audio.pcm import bytes_for
from crossfade.audio.sound_file import Sound
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.openai.timing import Timing
from crossfade.pipelines.demo import demo_line
from crossfade.providers import SessionConfig, TurnDetection
from crossfade.transports.script import AfterSilence, IntoAnswer, Line, Script, WhenAnswered
from tests.clock import run
from tests.pipelines.calls import Made, make_call

ENOUGH = demo_line("enough", IntoAnswer(after_s=1.0))
COUGH_MS = 260
"""So short a piece of speech that nobody can be sure of it."""
COUGH = replace(
    ENOUGH,
    name="cough",
    sound=Sound(
        pcm=ENOUGH.sound.pcm[: bytes_for(COUGH_MS, ENOUGH.sound.rate_hz)],
        rate_hz=ENOUGH.sound.rate_hz,
    ),
)
CALLER = SessionConfig(turn_detection=TurnDetection.CALLER)
GOES_ON = SessionConfig(interruptible=False)


def script(into_the_long_answer: Line) -> Script:
    """A question whose answer takes ten seconds, and what the caller lets be heard during it."""
    greeting = demo_line("greeting", AfterSilence(after_s=0.5))
    question = demo_line("weather_tokyo", WhenAnswered())
    return Script([greeting, question, into_the_long_answer], patience_s=6)


def times(made: Made, *kinds: str) -> list[tuple[str, float]]:
    return [(line["type"], line["t"]) for line in made.log if line["type"] in kinds]


def first(made: Made, kind: str) -> float:
    return times(made, kind)[0][1]


def agent_turns(made: Made) -> list[dict[str, Any]]:
    return [t for t in made.transcript["turns"] if t["role"] == "agent" and not t["injected"]]


def test_a_cough_holds_the_answer_and_the_provider_never_hears_of_it(tmp_path: Path) -> None:
    made = run(make_call(tmp_path, script(COUGH), config=CALLER))
    held, resumed = times(made, "PlayoutHoldFrame", "PlayoutResumeFrame")[-2:]
    assert (held[0], resumed[0]) == ("PlayoutHoldFrame", "PlayoutResumeFrame")
    assert 0.1 < resumed[1] - held[1] < 0.5
    assert not made.received.of("response.cancel")
    assert not made.received.of("conversation.item.truncate")
    assert len(made.received.of("input_audio_buffer.commit")) == 2
    _, answer = agent_turns(made)
    assert answer["heard"] == answer["text"]
    assert not answer["interrupted"]
    (item,) = answer["items"]
    assert item["played_ms"] == item["received_ms"]
    samples, rate_hz = soundfile.read(made.recording)
    sounding = np.flatnonzero(samples[:, 1]) / rate_hz
    before, after = sounding[sounding < held[1] + 0.1], sounding[sounding > held[1] + 0.1]
    assert before[-1] - held[1] < 0.04
    # The emulator's words stand 66 ms apart, and the hold may fall between two of them.
    held_s = resumed[1] - held[1]
    assert 0 < after[0] - resumed[1] < 0.09
    # What had been handed on when the hold came still sounded.
    assert -0.045 < after[0] - before[-1] - held_s < 0.09


def test_a_cough_in_silence_is_not_answered(tmp_path: Path) -> None:
    cough = replace(COUGH, cue=AfterSilence(after_s=0.5))
    greeting = demo_line("greeting", AfterSilence(after_s=2))
    made = run(make_call(tmp_path, Script([cough, greeting], patience_s=6), config=CALLER))
    assert len(times(made, "PlayoutResumeFrame")) == 1
    assert len(made.received.of("input_audio_buffer.commit")) == 1
    assert len(times(made, "UserStartedSpeakingFrame")) == 1
    assert [turn["role"] for turn in made.transcript["turns"]] == ["user", "agent"]


@pytest.mark.parametrize("config", [CALLER, GOES_ON], ids=["local", "provider goes on"])
def test_speech_is_confirmed_and_the_answer_cut_where_it_was_held(
    tmp_path: Path, config: SessionConfig
) -> None:
    made = run(make_call(tmp_path, script(ENOUGH), config=config))
    held_s = times(made, "PlayoutHoldFrame")[-1][1]
    confirmed_s = next(t for _, t in times(made, "UserStartedSpeakingFrame") if t >= held_s)
    assert 0.1 < confirmed_s - held_s < 0.45
    assert not times(made, "PlayoutResumeFrame")
    assert made.received.of("response.cancel")
    (truncate,) = made.received.of("conversation.item.truncate")
    (cut,) = [turn for turn in agent_turns(made) if turn["interrupted"]]
    (item,) = cut["items"]
    assert truncate["audio_end_ms"] == pytest.approx(item["played_ms"], abs=1)
    began_s = max(t for _, t in times(made, "BotStartedSpeakingFrame") if t < held_s)
    assert item["played_ms"] / 1000 == pytest.approx(held_s - began_s, abs=0.03)
    assert [t["text"] for t in made.transcript["turns"] if t["role"] == "user"][2:] == [
        "thank you, that is enough"
    ]


@pytest.mark.parametrize("config", [CALLER, GOES_ON, SessionConfig()])
def test_nothing_of_a_cut_answer_is_heard_though_it_still_comes_in(
    tmp_path: Path, config: SessionConfig
) -> None:
    """80 ms of round trip, and speech that is generated four times as fast as it sounds."""
    made = run(
        make_call(
            tmp_path,
            script(ENOUGH),
            emulator=OpenAIEmulator(timing=Timing(speed=4, think_ms=20)),
            config=config,
            one_way_s=0.04,
        )
    )
    (cut,) = [turn for turn in agent_turns(made) if turn["interrupted"]]
    silent_from_s = times(made, "PlayoutHoldFrame", "InterruptionFrame")
    silent_s = next(t for _, t in silent_from_s if t > cut["started_at_s"] + 0.5) + 0.06
    next_s = min(t for _, t in times(made, "BotStartedSpeakingFrame") if t > silent_s)
    came_late = [
        line
        for line in made.log
        if line["type"] == "response.output_audio.delta"
        and line["t"] > first(made, "conversation.item.truncate")
        and line["item_id"] == cut["items"][0]["id"]
    ]
    assert came_late or config == SessionConfig()
    samples, rate_hz = soundfile.read(made.recording)
    assert not samples[int(silent_s * rate_hz) : int((next_s - 0.001) * rate_hz), 1].any()
    (answer,) = [turn for turn in agent_turns(made) if turn["started_at_s"] > silent_s]
    assert answer["heard"] == answer["text"]
