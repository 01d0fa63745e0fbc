"""The example runs as it stands, against the emulated service."""

from pathlib import Path

import pytest

from crossfade.audio.energy import rms_dbfs
from crossfade.audio.sound_file import read_sound
from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.examples.speak_to_a_file import talk
from tests.clock import run
from tests.project import ROOT

SCENARIO = """
otherwise: Goodbye.
turns:
  - on: any
    hear: what is the weather in Tokyo
    call:
      - name: get_weather
        arguments: {}
  - on: tool_results
    say: It is clear there. {results}
"""
QUESTION = ROOT / "examples" / "audio" / "weather_tokyo.wav"


def test_a_question_in_a_file_is_answered_into_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    answer = tmp_path / "answer.wav"

    async def main() -> None:
        backend = ScriptedBackend(parse_scenario(SCENARIO))
        async with OpenAIEmulator(backend) as emulator:
            await talk("openai:", str(QUESTION), str(answer), emulator.url)
            sent = emulator.sessions[0].received.types
            assert sent.count("conversation.item.create") == 1
            assert sent.count("response.create") == 1

    run(main())
    sound = read_sound(answer)
    assert sound.duration_ms > 500
    assert rms_dbfs(sound.pcm) > -40
