"""A secret argument in a whole call: it reaches the tool and nothing that is kept."""

import json
from pathlib import Path

from pydantic import SecretStr

from crossfade.emulators.backends.backend import Trigger
from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.pipelines.demo import demo_line
from crossfade.processors.tools import tool
from crossfade.transports.script import AfterSilence, Script
from tests.clock import run
from tests.pipelines.calls import make_call
from tests.tools.wires import call, script


def test_no_file_of_a_call_holds_a_secret_argument(tmp_path: Path) -> None:
    got: list[str] = []

    @tool(acknowledge=None)
    async def unlock(pin: SecretStr, door: str) -> str:
        """Unlock a door."""
        got.append(pin.get_secret_value())
        raise ConnectionError("no door answers")

    scenario = script(
        [call("unlock", pin="4711-0815", door="front")], "Sorry.", calls_on=Trigger.SPEECH
    )
    lines = Script([demo_line("greeting", AfterSilence(after_s=0.2))])
    backend = ScriptedBackend(scenario)
    made = run(make_call(tmp_path, lines, emulator=OpenAIEmulator(backend), tools=[unlock]))
    assert got == ["4711-0815"]
    kept = [path for path in tmp_path.iterdir() if path.suffix in (".json", ".jsonl")]
    assert {path.name for path in kept} >= {"events.jsonl", "transcript.json"}
    for path in kept:
        assert "4711" not in path.read_text()
    assert all("front" in (tmp_path / n).read_text() for n in ("events.jsonl", "transcript.json"))
    (turn,) = [turn for turn in made.transcript["turns"] if turn["role"] == "tool"]
    assert turn["arguments"] == {"pin": "[secret]", "door": "front"}
    assert json.dumps(turn["result"]) == '{"error": "unlock failed (ConnectionError)."}'
