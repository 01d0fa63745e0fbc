"""Nothing that a call leaves behind holds a key or token; nor, with content off, a spoken word."""

import asyncio
import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_records import CallStatus, StoredCall
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
from crossfade.observability.redaction import REMOVED
from crossfade.observability.report import write_report
from crossfade.observability.run import read_run
from crossfade.observability.summary import render_summary
from crossfade.observability.telemetry import Telemetry, identity_of
from crossfade.observability.telemetry_prometheus import prometheus_metrics
from crossfade.pipelines.calls_export import as_json, as_webvtt
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.stored_config import stored_config
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.pipelines.calls import GEMINI, MODEL
from tests.pipelines.captures import question
from tests.pipelines.serving import Caller, serving
from tests.pipelines.serving import question as spoken
from tests.pipelines.test_serve import client

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


UNDECLARED = {
    "a password": "planted-password",
    "a key": "planted-key-of-no-form",
    "a token within": "planted-token-within",
    "a token in the result": "planted-token-of-the-result",
    "a private key": "planted-private-key",
}
LOGIN = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear="marzipan please", say=("Gladly, nougat.",)),
        Turn(
            on=Trigger.SPEECH,
            hear="log me in",
            call=(
                Call(
                    name="log_in",
                    arguments=json.dumps(
                        {
                            "user": "Xanadu",
                            "password": UNDECLARED["a password"],
                            "api_key": UNDECLARED["a key"],
                            "auth": {"access_token": UNDECLARED["a token within"]},
                        }
                    ),
                ),
            ),
        ),
        Turn(on=Trigger.TOOL_RESULTS, say=("You are in, nougat.",)),
    )
)


@tool(timeout_ms=5000)
async def log_in(user: str, password: str, api_key: str, auth: dict[str, str]) -> dict[str, Any]:
    """Log in, by secrets that are not declared as such."""
    return {
        "user": user,
        "sweet": "praline",
        "accessToken": UNDECLARED["a token in the result"],
        "session": {"private_key": UNDECLARED["a private key"]},
    }


async def make(
    folder: Path,
    *,
    wire: str,
    content: bool,
    scenario: Scenario = SCENARIO,
    tools: Sequence[Tool] = (order, fails),
) -> None:
    """Make the call, whose line dies once, with all the outputs that it can have."""
    backend = ScriptedBackend(scenario)
    emulator = (
        GeminiEmulator(backend, faults=[Reset(turn=2)])
        if wire == GEMINI
        else OpenAIEmulator(backend, faults=[Reset(turn=2)])
    )
    caller = ScriptedCaller(question())
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    meters, registry = prometheus_metrics(CollectorRegistry())
    prompt = f"Sell hazelnut. Never say {SECRETS['a key in the prompt']}."
    async with emulator:
        record = CallRecord.open(folder, content=content, capture=content)
        told = Telemetry(tracer_provider=tracers, meter_provider=meters, content=content)
        told.watch(record, identity_of(wire, "call_1"))
        with contextlib.suppress(CrossfadeError):
            async with native_call(
                wire,
                transport=caller,
                record=record,
                config=SessionConfig(instructions=prompt),
                tools=tools,
                base_url=f"{emulator.url}?key={KEY}",
                api_key=KEY,
            ) as call:
                await asyncio.wait_for(call.run(until=caller.hung_up()), 120)
                if content:
                    (folder / "export.json").write_text(as_json(stored(call.conversation, prompt)))
                    (folder / "export.vtt").write_text(as_webvtt(stored(call.conversation, prompt)))
        record.error(f"the end came with Bearer {KEY}")
        record.close({})
    write_report(read_run(folder))
    (folder / "spans.json").write_text("".join(one.to_json() for one in spans.get_finished_spans()))
    (folder / "metrics.txt").write_bytes(generate_latest(registry))
    meters.shutdown()
    (folder / "tail.txt").write_text(commanded("tail", str(folder), "--full", "-n", "9999"))
    shown = Console(file=io.StringIO(), width=200)
    shown.print(render_summary(record.summary()))
    assert isinstance(shown.file, io.StringIO)
    (folder / "summary.txt").write_text(shown.file.getvalue())


def stored(conversation: Conversation, prompt: str) -> StoredCall:
    """As the store gives it back."""
    return StoredCall(
        id="call_1",
        spec=MODEL,
        config=stored_config(SessionConfig(instructions=prompt)),
        status=CallStatus.ENDED,
        started_at=0,
        started_at_s=0,
        ended_at=None,
        entries=conversation.entries,
    )


def commanded(*arguments: str) -> str:
    """What a command says."""
    return CliRunner().invoke(app, arguments).output


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
        "export.json",
        "spans.json",
        "metrics.txt",
        "tail.txt",
    }
    assert found(tmp_path, SECRETS) == []
    # They are there to be found: the words around them are.
    assert len(found(tmp_path, {"word": "praline"})) >= 6
    said = commanded(
        *("replay", str(tmp_path), "--keep", str(tmp_path / "again"), "--instructions", "Sing."),
        *("--write-test", str(tmp_path / "test_again.py")),
    )
    assert "divergences" in said
    (tmp_path / "replay.txt").write_text(said)
    assert found(tmp_path, SECRETS) == []


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("wire", [MODEL, GEMINI])
def test_no_file_holds_a_secret_that_only_its_name_tells(
    wire: str, content: bool, tmp_path: Path
) -> None:
    """Whole, or in the pieces in which it came."""
    run(make(tmp_path, wire=wire, content=content, scenario=LOGIN, tools=[log_in]))
    assert found(tmp_path, UNDECLARED) == []
    pieces = [piece for line in logged(tmp_path) if (piece := line["body"].get("delta"))]
    left = REMOVED if content else f"[{len(REMOVED)} characters]"
    assert all(piece == left for piece in pieces)
    assert bool(pieces) == (wire == MODEL)
    if content:
        assert found(tmp_path, {"user": "Xanadu"})
        said = commanded("replay", str(tmp_path), "--keep", str(tmp_path / "again"))
        assert "The call went as it was captured." in said
        assert found(tmp_path, UNDECLARED) == []
        told = [str(one.data) for one in read_capture(tmp_path).of("message")]
        captured = [json.loads(text) for text in told if "call_arguments.delta" in text]
        assert all(one["delta"] == REMOVED for one in captured)
        assert bool(captured) == (wire == MODEL)


def logged(folder: Path) -> list[dict[str, Any]]:
    """The lines of the log about pieces of what a tool is asked."""
    lines = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [line for line in lines if line["type"].endswith("call_arguments.delta")]


@pytest.mark.parametrize("wire", [MODEL, GEMINI])
def test_with_content_off_no_file_of_a_call_holds_a_word(wire: str, tmp_path: Path) -> None:
    run(make(tmp_path, wire=wire, content=False))
    assert found(tmp_path, {**SECRETS, **{word: word for word in WORDS}}) == []
    # Nor as sound.
    assert not list(tmp_path.glob("recording.*"))
    assert b"data:audio" not in (tmp_path / "report.html").read_bytes()
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["voice_to_voice_ms"]
    assert read_run(tmp_path).measured.voice_to_voice_ms == tuple(told["voice_to_voice_ms"])


def test_a_call_without_content_is_reported_and_compared_and_cannot_be_replayed(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        run(make(folder, wire=MODEL, content=False))
        for options in ([], ["--no-audio"]):
            told = CliRunner().invoke(app, ["report", str(folder), *options])
            assert told.exit_code == 0, told.output
    cut = CliRunner().invoke(app, ["report", str(folders[0]), "--cuts"])
    assert cut.exit_code == 2
    assert "--no-content" in cut.output
    assert not (folders[0] / "turns").exists()
    compared = CliRunner().invoke(app, ["compare", *map(str, folders)])
    assert compared.exit_code == 0, compared.output
    replayed = CliRunner().invoke(app, ["replay", str(folders[0])])
    assert replayed.exit_code == 2
    for name in ("tail", "cost"):
        assert CliRunner().invoke(app, [name, str(folders[0])]).exit_code == 0


def test_calls_that_are_served_without_content_leave_no_word_in_their_folders(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        caller = Caller()
        async with (
            OpenAIEmulator(ScriptedBackend(SCENARIO)) as emulator,
            serving(tmp_path, emulator, content=False) as server,
            client(caller, server.url) as one,
        ):
            await one.attached()
            one.speak(spoken())
            await caller.hears_sound()
            await one.hang_up()

    run(scenario())
    (folder,) = (tmp_path / "runs").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        *("events.jsonl", "summary.json", "transcript.json", "transcript.vtt")
    }
    write_report(read_run(folder))
    assert found(folder, {word: word for word in WORDS}) == []


def test_a_recording_can_be_asked_for_without_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        record = CallRecord.open(tmp_path, content=False, recording=True)
        assert record.recording is not None
        record.close({})

    run(scenario())
    assert (tmp_path / "recording.wav").is_file()
