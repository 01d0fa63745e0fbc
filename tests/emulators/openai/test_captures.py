"""The emulator's events against recordings of the service: the same fields, of the same kinds."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade.emulators.backends import Call, Trigger
from crossfade.emulators.backends.scenario import Turn
from tests.clock import run
from tests.emulators.openai.wire_client import GET_WEATHER, UTTERANCE, session

RECORDINGS = sorted(Path(os.environ.get("CROSSFADE_RECORDINGS", "/nowhere")).glob("openai/*.yaml"))
TURNS = (
    Turn(on=Trigger.SPEECH, hear="hello there", say=("Hi.",)),
    Turn(on=Trigger.TEXT, call=(Call(name="get_weather", arguments='{"city":"London"}'),)),
    Turn(on=Trigger.TOOL_RESULTS, say=("Foggy.",)),
)
# Is the client's own.
OWN = ".session.tools"


def shape(value: Any, path: str = "") -> set[str]:
    """Each field in a JSON value, with the kind of what is in it."""
    if isinstance(value, list):
        return {found for entry in value for found in shape(entry, f"{path}[]")}
    if not isinstance(value, dict):
        return set()
    fields = {f"{path}.{name}: {_kind(entry)}" for name, entry in value.items()}
    inner = [shape(entry, f"{path}.{name}") for name, entry in value.items()]
    return {field for field in fields.union(*inner) if not field.startswith(f"{OWN}[]")}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def shapes(events: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for event in events:
        found.setdefault(event["type"], set()).update(shape(event))
    return found


@pytest.mark.skipif(not RECORDINGS, reason="CROSSFADE_RECORDINGS names no recordings")
def test_events_have_the_fields_that_the_service_was_seen_to_send() -> None:
    captured = shapes(
        [
            entry["data"]
            for path in RECORDINGS
            for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]
            if entry["direction"] == "received"
        ]
    )

    async def main() -> dict[str, set[str]]:
        async with session(*TURNS) as client:
            transcription = {"model": "gpt-realtime-whisper"}
            await client.update(
                tools=[GET_WEATHER], audio={"input": {"transcription": transcription}}
            )
            await client.stream(UTTERANCE)
            await client.until("response.done")
            await client.update(output_modalities=["text"])
            await client.say("What is the weather in London?")
            await client.send("response.create")
            (call,) = (await client.until("response.done"))["response"]["output"]
            output = {"type": "function_call_output", "call_id": call["call_id"], "output": "1"}
            await client.send("conversation.item.create", item=output)
            await client.send("response.create")
            await client.until("response.done")
            return shapes(client.events)

    told = run(main())
    assert {type: told.get(type) for type in captured} == captured
