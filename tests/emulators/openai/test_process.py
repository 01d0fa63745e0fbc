"""The emulator as a process."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from websockets.sync.client import connect

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.offline import OfflineBackend
from crossfade.emulators.openai.process import main, make_backend
from crossfade.errors import SettingsError

COMMAND = [sys.executable, "-m", "crossfade.emulators.openai"]


@pytest.mark.realtime
def test_it_tells_its_address_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    scenario = tmp_path / "call.yaml"
    scenario.write_text("turns: [{say: From the file.}]")
    command = [*COMMAND, "--port", "0", "--scenario", str(scenario)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on ws://127.0.0.1:")
        url = f"{line.split()[-1]}?model=gpt-realtime"
        with connect(url, additional_headers={"Authorization": "Bearer sk-test"}) as client:
            assert orjson.loads(client.recv())["type"] == "session.created"
            client.send('{"type": "response.create", "response": {"output_modalities": ["text"]}}')
            event = {"type": ""}
            while event["type"] != "response.output_text.done":
                event = orjson.loads(client.recv(timeout=10))
            assert event["text"] == "From the file."
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_a_port_in_use_ends_it_with_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: cannot listen on 127.0.0.1 port ")
    assert errors.count("\n") == 1


def test_backends_are_chosen_by_name(tmp_path: Path) -> None:
    assert isinstance(make_backend("scripted", None, "tone"), ScriptedBackend)
    assert isinstance(make_backend("offline", None, "tone"), OfflineBackend)
    with pytest.raises(SettingsError, match="follows no scenario"):
        make_backend("offline", tmp_path, "tone")
