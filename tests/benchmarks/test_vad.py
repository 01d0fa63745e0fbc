"""The benchmark of voice activity hears what there is, counts it rightly and keeps it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from crossfade.audio.pcm import to_float
from crossfade.audio.sound_file import read_sound
from crossfade.benchmarks import vad, vad_accuracy, vad_cpu
from crossfade.benchmarks.vad_ends import Ends
from crossfade.benchmarks.vad_material import (
    PROMPTS,
    RATE_HZ,
    Prompt,
    not_speech,
    prompts,
    surroundings,
)
from crossfade.errors import SettingsError

SPEECH = to_float(
    read_sound(Path(__file__).parents[2] / "examples" / "audio" / "weather_tokyo.wav").pcm
)
SPOKEN = np.concatenate((np.zeros(RATE_HZ), SPEECH, np.zeros(RATE_HZ))).astype(np.float32)
PROMPT = Prompt(name="weather", sound=SPOKEN, start_ms=1000, end_ms=1000 + SPEECH.size / 16)
COST = vad_cpu.VadCost(crossfade_ms=1, pipecat_ms=7, ratio=7, calls=32, rounds=4)
ENDS = Ends(whole_taken_for_ends=0.93, cut_taken_for_pauses=0.56, judgement_ms=45)


def result() -> vad.VadResult:
    accuracy, falsehoods = vad_accuracy.measure_accuracy({"clean": [PROMPT]}, {"quiet": SPOKEN * 0})
    return vad.VadResult(accuracy=accuracy, not_speech=falsehoods, cost=COST, ends=ENDS)


@pytest.mark.realtime
def test_both_detectors_hear_a_sentence_begin_and_end() -> None:
    measured = result()
    for each in measured.accuracy:
        assert (each.missed_starts, each.missed_confirmations) == (0, 0)
        assert (each.false_starts, each.false_confirmations) == (0, 0)
        assert 0 < each.start_ms[0] <= each.confirm_ms[0] < 1000
        assert 0 < each.end_ms[0] < 1000
    assert {(each.starts, each.confirmations) for each in measured.not_speech} == {(0, 0)}
    assert [len(table.columns) for table in vad.tables(measured)] == [8, 2, 3, 3]


def test_what_comes_before_the_speech_or_long_after_it_is_false() -> None:
    told = vad_accuracy.Told(
        starts=[500, PROMPT.start_ms + 80, PROMPT.end_ms + 400],
        confirmations=[600],
        drops=[],
        stops=[700, PROMPT.start_ms + 500, PROMPT.end_ms + 250],
    )
    counted = vad_accuracy._accuracy("here", "one", [PROMPT], [told])
    assert (counted.start_ms, counted.false_starts, counted.missed_starts) == ((80, 80), 2, 0)
    assert (counted.false_confirmations, counted.missed_confirmations) == (1, 1)
    assert (counted.end_ms, counted.pauses) == ((250, 250), 2)


@pytest.mark.realtime
def test_the_cost_of_both_is_measured_on_the_same_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vad_cpu, "CALLS", 6)
    monkeypatch.setattr(vad_cpu, "_SECONDS", 1)
    cost = vad_cpu.measure_cost([PROMPT], rounds=1)
    assert 0 < cost.crossfade_ms < cost.pipecat_ms
    assert cost.ratio > 1


def test_the_frames_of_the_calls_are_whole_but_for_the_first() -> None:
    calls = vad_cpu._calls([PROMPT])
    assert len({b"".join(frames) for frames in calls}) == vad_cpu.CALLS
    assert len({len(frames[0]) for frames in calls}) == 8
    assert all({len(frame) for frame in frames[1:-1]} == {640} for frames in calls)


def test_sound_that_is_no_speech_is_as_long_and_as_loud_as_it_should_be() -> None:
    for name, sound in not_speech(3).items():
        assert sound.size == 3 * RATE_HZ, name
        loudest = np.abs(sound).max()
        assert loudest == 0 if name == "digital silence" else 0 < loudest < 1


@pytest.mark.skipif(not PROMPTS.is_dir(), reason="asterisk-core-sounds-en-wav not installed")
def test_noise_around_a_prompt_lies_ten_decibels_below_it() -> None:
    clean = prompts(4)
    for name in ("white, 10 dB", "babble, 10 dB"):
        for quiet, noisy in zip(clean, surroundings(clean)[name], strict=True):
            start, end = int(quiet.start_ms * 16), int(quiet.end_ms * 16)
            speech = np.square(quiet.sound[start:end]).mean()
            noise = np.square(noisy.sound - quiet.sound).mean()
            assert 10 * np.log10(speech / noise) == pytest.approx(10, abs=0.5), name


def test_without_the_prompts_the_error_names_their_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("crossfade.benchmarks.vad_material.PROMPTS", tmp_path)
    with pytest.raises(SettingsError, match="asterisk-core-sounds-en-wav"):
        prompts(3)


def test_the_result_is_kept(tmp_path: Path) -> None:
    kept = vad.VadResult(accuracy=[], not_speech=[], cost=COST, ends=ENDS)
    vad.write_json(kept, tmp_path / "vad.json")
    content = json.loads((tmp_path / "vad.json").read_text())
    assert content["ratios"] == {"cpu_per_call": 7}
    dated = vad.write_result(kept, tmp_path, datetime(2026, 1, 2, tzinfo=UTC))
    assert json.loads(dated.read_text())["cost"]["calls"] == 32
    with pytest.raises(SettingsError, match="cannot write"):
        vad.write_json(kept, tmp_path / "none" / "vad.json")
