"""The command: what users see when something is wrong, and when they press Ctrl-C."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.realtime


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder without a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def refused(*arguments: str) -> str:
    """Run a command that must end with one line and exit code 2; returns the line."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def write(path: Path, samples: np.ndarray) -> str:
    soundfile.write(path, samples, 16000, subtype="PCM_16")
    return str(path)


def test_exactly_one_of_demo_and_input_is_asked_for() -> None:
    assert "say who talks, once: --demo, --input FILE" in refused("native")
    assert "say who talks, once: --demo, --input FILE" in refused(
        "native", "--demo", "--input", "x.wav"
    )


def test_a_missing_file_is_named() -> None:
    assert "nowhere.wav" in refused("native", "--input", "nowhere.wav")


def test_a_file_that_is_no_sound_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("no sound")
    assert "notes.wav" in refused("native", "--input", str(path))


def test_empty_and_silent_sound_are_told_apart(tmp_path: Path) -> None:
    empty = refused("native", "--input", write(tmp_path / "empty.wav", np.zeros(0)))
    silent = refused("native", "--input", write(tmp_path / "silent.wav", np.zeros(16000)))
    assert "empty.wav" in empty
    assert "silent" in silent.replace("silent.wav", "")
    assert empty.replace("empty.wav", "") != silent.replace("silent.wav", "")


def test_an_unknown_provider_is_told_with_those_that_exist() -> None:
    line = refused("native", "--demo", "--provider", "acme")
    assert "acme" in line
    assert "openai" in line


@pytest.mark.parametrize("spec", ["nobody:model", "moshi", "gemini:"])
def test_a_fallback_that_cannot_be_is_named(spec: str) -> None:
    line = refused("native", "--demo", "--fallback", "openai:gpt-realtime", "--fallback", spec)
    assert spec in line
    assert "PROVIDER:MODEL" in line


def test_openai_without_a_key_names_the_variable() -> None:
    assert "OPENAI_API_KEY" in refused("native", "--demo", "--provider", "openai")


def test_an_unknown_model_is_named() -> None:
    assert "gpt-none" in refused(
        "native", "--demo", "--provider", "emulator", "--model", "gpt-none"
    )


def test_an_unreachable_address_is_named() -> None:
    line = refused("native", "--demo", "--base-url", "ws://127.0.0.1:9/v1/realtime?token=hidden")
    assert "127.0.0.1:9" in line
    assert "hidden" not in line


def test_an_address_that_is_none_is_refused() -> None:
    assert "ws://" in refused("native", "--demo", "--base-url", "not an address")
    assert "ws://" in refused("native", "--demo", "--base-url", "ws://[::1/")


@pytest.fixture
def emulator_url() -> Iterator[str]:
    """An emulator in a thread of its own, that takes one key only."""
    ready = threading.Event()
    found: list[str] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        async with OpenAIEmulator(api_keys=["right"]) as emulator:
            found.append(emulator.url)
            stop.append((asyncio.get_running_loop(), asyncio.Event()))
            ready.set()
            await stop[0][1].wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    yield found[0]
    loop, event = stop[0]
    loop.call_soon_threadsafe(event.set)
    thread.join()


def test_a_refused_key_is_told_without_the_key(
    emulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key-4711")
    line = refused("native", "--demo", "--base-url", emulator_url)
    assert "key" in line
    assert "sk-wrong-key-4711" not in line
    assert not list(Path("runs").iterdir()), "a call that was never made left a folder"


def test_a_refused_call_leaves_the_output_file_as_it_was(
    emulator_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    (tmp_path / "kept.wav").write_bytes(b"mine")
    refused("native", "--demo", "--base-url", emulator_url, "--output", "kept.wav")
    assert (tmp_path / "kept.wav").read_bytes() == b"mine"


def test_a_file_is_spoken_to_the_agent_and_the_answer_is_written_and_the_key_nowhere(
    emulator_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    question = str(ROOT / "examples" / "audio" / "greeting.wav")
    arguments = ["--input", question, "--base-url", emulator_url, "--output", "answer.wav"]
    result = CliRunner().invoke(app, ["native", *arguments])
    assert result.exit_code == 0, result.output
    assert "hello there" in result.output
    samples, _ = soundfile.read(tmp_path / "answer.wav")
    assert samples.ndim == 1
    assert np.abs(samples).max() > 0.05
    written = [path for path in Path("runs").rglob("*") if path.is_file()]
    kept = {"events.jsonl", "recording.wav", "transcript.json", "summary.json"}
    assert kept <= {path.name for path in written}
    assert not [path for path in written if b"Bearer" in path.read_bytes()]


def test_a_recording_may_be_flac_and_the_answer_is_written_nevertheless(
    emulator_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    question = str(ROOT / "examples" / "audio" / "greeting.wav")
    arguments = ["--input", question, "--base-url", emulator_url, "--output", "answer.wav"]
    result = CliRunner().invoke(app, ["native", "--flac", *arguments])
    assert result.exit_code == 0, result.output
    (recording,) = Path("runs").rglob("recording.*")
    assert soundfile.info(recording).format == "FLAC"
    sides, _ = soundfile.read(recording)
    samples, _ = soundfile.read(tmp_path / "answer.wav")
    assert np.array_equal(samples, sides[:, 1])


def test_without_content_neither_words_nor_sound_are_kept(
    emulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    monkeypatch.setenv("CI", "1")
    question = str(ROOT / "examples" / "audio" / "greeting.wav")
    arguments = ["native", "--no-content", "--input", question, "--base-url", emulator_url]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "hello there" in result.output
    written = [path for path in Path("runs").rglob("*") if path.is_file()]
    kept = {"events.jsonl", "transcript.json", "transcript.vtt", "summary.json"}
    assert {path.name for path in written} == kept
    assert not [path for path in written if b"hello there" in path.read_bytes()]


def test_a_disk_that_takes_no_record_ends_the_command_and_leaves_no_folder(
    emulator_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SettingsError("no room for recording.wav")

    monkeypatch.setenv("OPENAI_API_KEY", "right")
    monkeypatch.setattr("crossfade.observability.call.Recorder", full)
    question = str(ROOT / "examples" / "audio" / "greeting.wav")
    result = CliRunner().invoke(app, ["native", "--input", question, "--base-url", emulator_url])
    assert result.exit_code == 2
    assert "no room" in result.output
    assert not list(Path("runs").iterdir())


@pytest.mark.parametrize("command", ["native", "cascaded"])
@pytest.mark.parametrize("option", ["--capture", "--output=answer.wav"])
def test_what_is_said_is_not_kept_without_content(command: str, option: str) -> None:
    told = refused(command, "--demo", "--no-content", option)
    assert option.partition("=")[0] in told
    assert "--no-content" in told


def test_an_output_that_cannot_be_written_is_told_before_the_call() -> None:
    assert "answer.mp3" in refused("native", "--demo", "--output", "answer.mp3")
    assert "none/answer.wav" in refused("native", "--demo", "--output", "none/answer.wav")


def test_a_runs_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    assert "runs" in refused("native", "--demo", "--provider", "emulator")


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in refused("emulate", "openai", "--port", port)


def test_an_unknown_emulator_is_told_with_those_that_exist() -> None:
    line = refused("emulate", "acme")
    assert line == "error: no emulator 'acme'; there are openai, gemini, moshi"


def test_ctrl_c_leaves_a_valid_recording_and_log(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "pipelines" / "native.py"), "--demo"]
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        # The answer to the greeting has been heard to its end.
        for line in process.stdout:
            if "s agent" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        code = process.wait(20)
    assert code == 130, rest
    (folder,) = (tmp_path / "runs").iterdir()
    log = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert "call.ended" in [line["type"] for line in log]
    samples, rate_hz = soundfile.read(folder / "recording.wav")
    assert samples.shape[1] == 2
    assert len(samples) / rate_hz > 2
    assert np.abs(samples).max(axis=0).min() > 0.05
    transcript = json.loads((folder / "transcript.json").read_text())
    assert transcript["turns"][0]["role"] == "user"
