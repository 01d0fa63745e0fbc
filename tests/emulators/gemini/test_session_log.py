"""The event log of a session on this wire."""

import json
from pathlib import Path

import jsonschema

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario
from crossfade.emulators.gemini import GeminiEmulator
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    GREETING,
    UTTERANCE,
    client_of,
    loudness_scorer,
)
from tests.project import ROOT


def test_the_log_has_the_projects_format_and_no_handle(tmp_path: Path) -> None:
    async def main() -> str:
        backend = ScriptedBackend(Scenario(turns=(GREETING,)))
        async with (
            GeminiEmulator(backend, log=tmp_path, scorer=loudness_scorer) as emulator,
            client_of(emulator, key="my-secret") as client,
        ):
            await client.set_up(sessionResumption={})
            await client.stream(UTTERANCE)
            await client.until("turnComplete")
            await client.until("sessionResumptionUpdate")
            await client.rest(1)
            return str(client.of("sessionResumptionUpdate")[-1]["newHandle"])

    handle = run(main())
    text = (tmp_path / "session-0001.jsonl").read_text()
    assert handle
    assert handle not in text
    assert "my-secret" not in text
    schema = json.loads((ROOT / "docs/event-log.schema.json").read_text())
    lines = [json.loads(line) for line in text.splitlines()]
    validator = jsonschema.Draft202012Validator(schema)
    for line in lines:
        validator.validate(line)
    types = [line["type"] for line in lines]
    assert "serverContent.turnComplete" in types
    (sound, *_) = [line for line in lines if line["type"] == "realtimeInput.audio"]
    assert sound["audio_bytes"] == 640
