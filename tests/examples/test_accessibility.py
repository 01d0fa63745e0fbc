"""The assistant for who cannot see the screen: what the model is shown, and when."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.examples.accessibility import LINES, PAGES, SCENARIO, Screen, make
from crossfade.examples.rehearsal import read_out
from crossfade.observability.call import CallRecord
from crossfade.pipelines.endpoint import KEY_VARIABLE, Endpoint
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.examples.rehearsing import called, said


def told(message: dict[str, Any]) -> str:
    """What one message to the model is, in a word or two."""
    item = message.get("item", {})
    for part in item.get("content", ()):
        return str(part["type"])
    return str(item.get("type", message["type"]))


def test_the_model_is_shown_each_page_when_its_turn_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)

    async def main() -> None:
        caller = ScriptedCaller(await read_out(LINES, voice="tone"))
        async with OpenAIEmulator(ScriptedBackend(parse_scenario(SCENARIO))) as emulator:
            provider = Endpoint(
                spec="openai:gpt-realtime-2.1",
                base_url=emulator.url,
                api_key="emulated",
                description="the emulator",
            )
            record = CallRecord.open(tmp_path)
            async with make(caller, record, provider, screen=Screen(PAGES)) as call:
                await call.run(until=caller.hung_up())
            received = emulator.sessions[-1].received
        asked = [
            told(entry.body)
            for entry in received
            if entry.type in ("conversation.item.create", "response.create")
        ]
        assert asked == [
            "input_image",
            # The second picture is there before the model is asked to speak of it.
            "input_image",
            "function_call_output",
            "response.create",
            "function_call_output",
            "response.create",
        ]

    run(main())
    turns = json.loads((tmp_path / "transcript.json").read_text())["turns"]
    assert len([turn for turn in turns if turn["role"] == "image"]) == len(PAGES)
    second, third = called(turns)
    assert second["result"].startswith("You are shown page 2 of 2.")
    assert third["result"] == "This was the last page."
    assert said(turns)[0].startswith("A chart of three blue columns")


def test_what_is_drawn_is_a_picture() -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.open(io.BytesIO(PAGES[1]))
    assert picture.size == (160, 100)
    assert picture.convert("RGB").getpixel((40, 50)) == (30, 60, 200)
    assert picture.convert("RGB").getpixel((120, 50)) == (255, 255, 255)
