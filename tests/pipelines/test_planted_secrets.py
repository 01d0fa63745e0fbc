"""Nothing that a call leaves behind holds a key or token; nor, with content off, a spoken word."""

import asyncio
import contextlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from crossfade.emulators.backends.backend import Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.faults.script import Reset
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.observability.capture import CAPTURE
from crossfade.observability.capture_file import read_capture
from crossfade.observability.report import write_report
from crossfade.observability.run import read_run
from crossfade.observability.summary import render_summary
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.replay_call import replay_call
from crossfade.processors.tools import tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.pipelines.calls import GEMINI, MODEL
from tests.pipelines.captures import question

KEY = "sk-proj-planted0123456789abcdef"
IN_RESULT = "a key in a tool's result"
SECRETS = {
    "the session's key": KEY,
    "a key in the prompt": "AIzaSyPlanted0123456789abcdefghi",
    IN_RESULT: "ek_planted0123456789abcdef",
    "a token in a tool's result": "planted-token-of-no-form",
    "a secret argument": "planted-pin-4711",
    "a key in an error": "xai-planted0123456789abcdef",
}
WORDS = ("marzipan", "nougat", "praline", "xanadu", "hazelnut")
SCENARIO = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear="marzipan please", say=("Gladly, nougat.",)),
        Turn(
            on=Trigger.SPEECH,
            hear="and more marzipan",
            call=(
                Call(
                    name="order",
                    arguments=json.dumps({"city": "Xanadu", "pin": SECRETS["a secret argument"]}),
                ),
                Call(name="fails", arguments='{"city": "Xanadu"}'),
            ),
        ),
        Turn(on=Trigger.TOOL_RESULTS, say=("It comes from {city}, nougat and all.",)),
    )
)


@tool(secrets=frozenset({"pin"}), timeout_ms=5000)
async def order(city: str, pin: str) -> dict[str, Any]:
    """Order sweets."""
    return {
        "city": city,
        "sweet": "praline",
        "paid": f"with {SECRETS[IN_RESULT]}",
        "token": SECRETS["a token in a tool's result"],
    }


@tool(timeout_ms=5000)
async def fails(city: str) -> str:
    """Always fails."""
    raise ValueError(f"refused {SECRETS['a key in an error']} from {city}")


async def make(folder: Path, *, wire: str, content: bool) -> None:
    """Make the call, whose line dies once, with all the outputs that it can have."""
    backend = ScriptedBackend(SCENARIO)
    emulator = (
        GeminiEmulator(backend, faults=[Reset(turn=2)])
        if wire == GEMINI
        else OpenAIEmulator(backend, faults=[Reset(turn=2)])
    )
    caller = ScriptedCaller(question())
    prompt = f"Sell hazelnut. Never say {SECRETS['a key in the prompt']}."
    async with emulator:
        record = CallRecord.open(folder, content=content, capture=content)
        with contextlib.suppress(CrossfadeError):
            async with native_call(
                wire,
                transport=caller,
                record=record,
                config=SessionConfig(instructions=prompt),
                tools=[order, fails],
                base_url=f"{emulator.url}?key={KEY}",
                api_key=KEY,
            ) as call:
                await asyncio.wait_for(call.run(until=caller.hung_up()), 120)
        record.error(f"the end came with Bearer {KEY}")
        record.close({})
    write_report(read_run(folder))
    shown = Console(file=io.StringIO(), width=200)
    shown.print(render_summary(record.summary()))
    assert isinstance(shown.file, io.StringIO)
    (folder / "summary.txt").write_text(shown.file.getvalue())


def found(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Which files hold which of these."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [
        f"{path.relative_to(folder)}: {what}"
        for path in files
        for what, text in wanted.items()
        if text.lower().encode() in path.read_bytes().lower()
    ]


@pytest.mark.parametrize("wire", [MODEL, GEMINI])
def test_no_file_of_a_call_holds_a_key_or_a_token(wire: str, tmp_path: Path) -> None:
    run(make(tmp_path, wire=wire, content=True))
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {
        CAPTURE,
        "events.jsonl",
        "transcript.json",
        "summary.json",
        "summary.txt",
        "report.html",
    }
    assert found(tmp_path, SECRETS) == []
    # They are there to be found: the words around them are.
    assert found(tmp_path, {"word": "praline"})
    run(replay_call(read_capture(tmp_path), tmp_path / "again"))
    assert found(tmp_path, SECRETS) == []


@pytest.mark.parametrize("wire", [MODEL, GEMINI])
def test_with_content_off_no_file_of_a_call_holds_a_word(wire: str, tmp_path: Path) -> None:
    run(make(tmp_path, wire=wire, content=False))
    assert found(tmp_path, {**SECRETS, **{word: word for word in WORDS}}) == []
