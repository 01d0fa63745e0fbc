"""The emulators from the command line."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.offline import OfflineBackend
from crossfade.emulators.command import Options, main, make_emulator
from crossfade.emulators.faults import Reset
from crossfade.emulators.replay import ReplayEmulator
from crossfade.emulators.wires import EMULATORS, emulator_class, own_faults, timing_class
from crossfade.errors import SettingsError
from tests.project import ROOT

RECORDING = ROOT / "tests" / "providers" / "sessions" / "openai" / "opening.yaml"
every_wire = pytest.mark.parametrize("wire", EMULATORS)


@every_wire
def test_each_wire_has_an_emulator_a_timing_and_faults(wire: str) -> None:
    assert callable(emulator_class(wire))
    assert timing_class(wire)(think_ms=5).think_ms == 5
    assert own_faults(wire)


@every_wire
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scenario", "none.yaml"], "cannot read the scenario none.yaml: No such file"),
        (["--faults", "none.yaml"], "cannot read the faults none.yaml: No such file"),
        (["--backend", "offline", "--scenario", "x"], "the offline backend follows no scenario"),
        (["--backend", "replay"], "name its file with --scenario"),
        (["--log", "/dev/null"], "cannot write logs to /dev/null"),
        (["--tls", "--certificate", "/dev/null/a"], "cannot write the certificate /dev/null/a"),
        (["--session-seconds", "-1"], "durations"),
        (["--session-seconds", "nan"], "durations"),
        (["--timing", "none=1"], "--timing: no 'none'; there are think_ms"),
        (["--timing", "think_ms"], "--timing think_ms: give name=value"),
        (["--timing", "think_ms=soon"], "--timing think_ms: Input should be a valid number"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line_with_code_2(
    wire: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([wire, *arguments]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert told in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["azure"],
        ["openai", "--port", "99999"],
        ["openai", "--port", "x"],
        ["moshi", "--dialect", "beta"],
        [],
    ],
)
def test_so_is_what_is_no_option(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("wire", ["openai", "gemini"])
def test_no_number_is_no_speed(wire: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([wire, "--speed", "nan"]) == 2
    assert "speeds and durations are positive" in capsys.readouterr().err


def test_a_behaviour_that_there_is_not_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openai", "--behaviour", "rate_limits=now"]) == 2
    assert "--behaviour rate_limits: Input should be 'after_done'" in capsys.readouterr().err


def test_a_port_in_use_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["openai", "--port", str(taken.getsockname()[1])]) == 2
    assert capsys.readouterr().err.startswith("error: cannot listen on 127.0.0.1 port ")


def test_it_ends_quietly_where_nobody_reads_the_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    unread, written = os.pipe()
    os.close(unread)
    with monkeypatch.context() as patch, os.fdopen(written, "w") as output:
        patch.setattr(sys, "stdout", output)
        assert main(["openai", "--port", "0", "--vad", "energy"]) == 1
    assert capfd.readouterr().err == ""


def test_backends_are_chosen_by_name() -> None:
    def backend(name: str) -> Any:
        return make_emulator(Options(wire="openai", backend=name)).backend

    assert isinstance(backend("scripted"), ScriptedBackend)
    assert isinstance(backend("offline"), OfflineBackend)
    replay = Options(wire="openai", backend="replay", scenario=RECORDING, timing={"speed": 2.0})
    assert isinstance(make_emulator(replay), ReplayEmulator)


def test_a_replay_goes_by_its_recording() -> None:
    timing = {"think_ms": 1.0}
    options = Options(wire="openai", backend="replay", scenario=RECORDING, timing=timing)
    with pytest.raises(SettingsError, match="leave --think-ms out"):
        make_emulator(options)


@every_wire
def test_faults_of_the_wire_are_read_from_the_file(wire: str, tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text("faults: [{fault: reset}]")
    emulator = make_emulator(Options(wire=wire, faults=tmp_path / "faults.yaml"))
    assert emulator._faults == [Reset()]
