"""Calls whose turns end when the caller has finished, not when silence has lasted."""

from pathlib import Path

import pytest

from crossfade.errors import SettingsError
from crossfade.pipelines.assembly import EndOfTurnRule, prepare
from crossfade.pipelines.demo import demo_line
from crossfade.providers import SessionConfig, TurnDetection
from crossfade.transports.script import AfterSilence, Script
from tests.clock import run
from tests.pipelines.calls import Made, make_call

CALLER = SessionConfig(turn_detection=TurnDetection.CALLER)


def ask(folder: Path, rule: EndOfTurnRule) -> Made:
    script = Script([demo_line("weather_tokyo", AfterSilence(after_s=0.5))])
    return run(make_call(folder, script, config=CALLER, end_of_turn=rule))


def test_a_whole_question_is_answered_sooner_by_the_model_than_by_silence(tmp_path: Path) -> None:
    prepare("smart")
    ends = []
    for rule in ("silence", "smart"):
        made = ask(tmp_path / rule, rule)
        assert len(made.received.of("input_audio_buffer.commit")) == 1
        ends.append(
            next(line["t"] for line in made.log if line["type"] == "UserStoppedSpeakingFrame")
        )
    assert 0.2 <= ends[0] - ends[1] <= 0.35


def test_the_end_of_turns_that_the_provider_owns_is_not_ours(tmp_path: Path) -> None:
    script = Script([demo_line("weather_tokyo", AfterSilence(after_s=0.5))])
    with pytest.raises(SettingsError, match="turn_owner"):
        run(make_call(tmp_path, script, end_of_turn="smart"))
