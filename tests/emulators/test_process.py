"""Emulators as processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from websockets.sync.client import connect

from crossfade.emulators.certificate import client_context
from crossfade.emulators.process import EmulatorProcess, Settings
from crossfade.errors import SettingsError

pytestmark = pytest.mark.realtime
KEY = {"Authorization": "Bearer sk-test"}


def test_the_command_tells_its_address_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    scenario = tmp_path / "call.yaml"
    scenario.write_text("turns: [{say: From the file.}]")
    command = [sys.executable, "-m", "crossfade.emulators.openai", "--port", "0"]
    command += ["--scenario", str(scenario), "--log", str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on ws://127.0.0.1:")
        url = f"{line.split()[-1]}?model=gpt-realtime"
        with connect(url, additional_headers=KEY) as client:
            assert orjson.loads(client.recv())["type"] == "session.created"
            client.send('{"type": "response.create", "response": {"output_modalities": ["text"]}}')
            event = {"type": ""}
            while event["type"] != "response.output_text.done":
                event = orjson.loads(client.recv(timeout=10))
            assert event["text"] == "From the file."
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["session-0001.jsonl"]


def test_a_child_process_serves_tls_and_ends_with_its_with() -> None:
    with EmulatorProcess("moshi", tls=True, think_ms=10, server="rust") as emulator:
        assert emulator.certificate is not None
        with connect(emulator.url, ssl=client_context(emulator.certificate)) as client:
            assert client.recv()[:1] == b"\x04"
            assert client.recv() == bytes(9)
        certificate, pid = emulator.certificate, emulator.pid
    assert not certificate.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_every_setting_of_a_wire_reaches_it() -> None:
    settings: Settings = {
        "timing": {"think_ms": 1, "chunk_ms": 40, "session_seconds": 60, "speed": "inf"},
        "behaviour": {"rate_limits": "after_created"},
        "api_key": ["sk-one", "sk-two"],
        "model": ["mine"],
        "vad": "energy",
        "seed": 7,
        "epoch_s": 1_700_000_000,
    }
    seen = []
    for _ in range(2):
        with EmulatorProcess("openai", **settings) as emulator:
            url, key = f"{emulator.url}?model=mine", {"Authorization": "Bearer sk-two"}
            with connect(url, additional_headers=key) as client:
                created = client.recv(timeout=10)
                client.send('{"type": "response.create"}')
                types = [orjson.loads(client.recv(timeout=10))["type"] for _ in range(2)]
            with connect(url, additional_headers=KEY) as client:
                assert orjson.loads(client.recv(timeout=10))["error"]["code"] == "invalid_api_key"
        assert types == ["response.created", "rate_limits.updated"]
        seen.append(created)
    assert orjson.loads(seen[0])["session"]["expires_at"] == 1_700_000_060
    assert seen[0] == seen[1]


def test_it_can_be_waited_for_in_a_loop_and_tells_why_it_does_not_start() -> None:
    async def main() -> None:
        with pytest.raises(SettingsError, match=r"^cannot read the scenario none\.yaml"):
            async with EmulatorProcess("openai", scenario="none.yaml"):
                pass

    asyncio.run(main())


def test_it_ends_with_its_parent() -> None:
    program = (
        "import os, sys\n"
        "from crossfade.emulators.process import EmulatorProcess\n"
        "emulator = EmulatorProcess('openai').__enter__()\n"
        "print(emulator.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.returncode == -signal.SIGKILL
    child = Path(f"/proc/{int(parent.stdout)}/stat")
    end_s = time.monotonic() + 10
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end_s, "the child lives on"
        time.sleep(0.01)
