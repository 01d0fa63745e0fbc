"""The demo's call over a line that dies, as the example has it."""

import json
from pathlib import Path

import pytest

from crossfade.emulators.faults.script import load_faults
from crossfade.emulators.wires import own_faults
from crossfade.errors import SettingsError
from crossfade.pipelines.endpoint import endpoint
from crossfade.pipelines.native_call import run_native
from crossfade.pipelines.settings import NativeSettings
from tests.clock import run
from tests.project import ROOT
from tests.virtual_workers import jump_while_workers_rest

FAULTS = ROOT / "examples" / "dying_line.yaml"


def test_the_call_goes_on_and_loses_no_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump_while_workers_rest(monkeypatch)
    settings = NativeSettings(provider="emulator", faults=FAULTS, runs=tmp_path)
    outcome = run(run_native(settings, announce=print, listener=lambda _: None))
    turns = json.loads((outcome.folder / "transcript.json").read_text())["turns"]
    said = [turn["text"] for turn in turns if turn["role"] == "user"]
    assert said == [
        "hello there",
        "what is the weather in tokyo",
        "thank you that is enough",
        "goodbye",
    ]
    assert len([turn for turn in turns if turn["role"] == "tool"]) == 1
    assert not outcome.missed
    # Refused once, the fourth connection serves.
    assert len(load_faults(FAULTS, own_faults("openai"))) == 4


def test_only_the_emulator_has_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test")

    async def main() -> None:
        async with endpoint(NativeSettings(faults=FAULTS)):
            pass

    with pytest.raises(SettingsError, match="--provider emulator"):
        run(main())
