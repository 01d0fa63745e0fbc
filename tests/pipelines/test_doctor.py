"""The doctor: what is found, in which words, and with which cure."""

import json
import socket
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.pipelines import doctor_machine, doctor_parts, doctor_services
from crossfade.pipelines.doctor_finding import (
    Check,
    Finding,
    State,
    as_json,
    as_lines,
    bad,
    examine,
    healthy,
    note,
    ok,
)
from crossfade.pipelines.doctor_parts import EXTRAS
from tests.project import ROOT

KEY = "sk-proj-" + "a1B2" * 10


def states(check: Iterator[Finding]) -> dict[str, State]:
    return {finding.what: finding.state for finding in check}


def test_keys_are_looked_at_and_never_shown() -> None:
    environment = {
        "OPENAI_API_KEY": KEY,
        "GEMINI_API_KEY": "half",
        "XAI_API_KEY": f" xai-{'b' * 30}",
        "CROSSFADE_SECRET": "short",
    }
    found = list(doctor_services.keys(environment))
    assert states(iter(found)) == {
        "OPENAI_API_KEY": State.OK,
        "GEMINI_API_KEY": State.NOTE,
        "AZURE_OPENAI_API_KEY or AZURE_VOICELIVE_API_KEY": State.NOTE,
        "XAI_API_KEY": State.BAD,
        "DASHSCOPE_API_KEY": State.NOTE,
        "CROSSFADE_SECRET": State.BAD,
    }
    told = json.dumps(as_json(found)) + "".join(line.plain for line in as_lines(found))
    for secret in environment.values():
        assert secret.strip() not in told.replace("is too short", "")
    assert all(finding.cure for finding in found if finding.state is not State.OK)


def test_a_port_that_is_taken_is_told_of() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        (found,) = doctor_machine.port(number)
    assert (found.state, "another program" in found.said) == (State.NOTE, True)
    assert states(doctor_machine.port(number)) == {f"port {number}": State.OK}


def test_a_clock_that_cannot_be_right_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert states(doctor_machine.clock()) == {"clock": State.OK}
    monkeypatch.setattr(time, "time", lambda: 0.0)
    (found,) = doctor_machine.clock()
    assert found.state is State.BAD
    assert "1970" in found.said


def test_a_clock_that_jumps_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.8e9, 1.8e9, 1.8e9 + 7])
    monkeypatch.setattr(time, "time", lambda: next(times))
    (found,) = doctor_machine.clock()
    assert found.state is State.NOTE


def test_folders_are_tried(tmp_path: Path) -> None:
    assert states(doctor_machine.folder(tmp_path / "a" / "runs")).popitem()[1] is not State.BAD
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    (found,) = doctor_machine.folder(tmp_path / "file")
    assert found.state is State.BAD


def test_what_is_installed_here_is_found() -> None:
    for check in (doctor_parts.python, doctor_parts.packages, doctor_parts.codecs):
        assert set(states(check()).values()) == {State.OK}
    assert states(doctor_parts.models()) == {"model Silero": State.OK}
    assert len(list(doctor_parts.offline_speech())) == 2


def test_every_extra_of_the_project_is_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = set(project["optional-dependencies"])
    assert declared - set(EXTRAS) <= {"all", "microphone", "report"}


def test_an_extra_that_is_missing_has_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_parts, "find_spec", lambda _: None)
    found = list(doctor_parts.extras())
    assert {finding.state for finding in found} == {State.NOTE}
    assert "pip install 'crossfade[store]'" in "".join(finding.cure for finding in found)


def test_the_store_is_opened_and_its_password_is_not_shown(tmp_path: Path) -> None:
    assert states(doctor_services.store(str(tmp_path / "new.db"))) == {"store": State.OK}
    (tmp_path / "broken.db").write_text("no database " * 100)
    (found,) = doctor_services.store(str(tmp_path / "broken.db"))
    assert found.state is State.BAD
    (found,) = doctor_services.store("postgresql+asyncpg://me:geheim@127.0.0.1:1/none")
    assert found.state is State.BAD
    assert "geheim" not in found.said


def test_a_store_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (found,) = doctor_services.store(str(tmp_path / "a" / "b" / "new.db"))
    assert found.state is State.OK
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "new.db", Path("/proc/x/new.db")):
        (found,) = doctor_services.store(str(place))
        assert (found.state, "cannot be made" in found.said) == (State.BAD, True)
        assert found.cure


def test_a_provider_that_cannot_be_reached_is_told_of_with_a_cure() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
        (found,) = doctor_services.providers({"Mine": place})
    assert (found.what, found.state) == ("provider Mine", State.BAD)
    assert found.cure


def test_the_provider_s_clock_is_compared() -> None:
    assert not list(doctor_services._compared(time.strftime(DATE, time.gmtime())))
    (found,) = doctor_services._compared(time.strftime(DATE, time.gmtime(time.time() - 600)))
    assert found.state is State.BAD
    assert "+60" in found.said


DATE = "%a, %d %b %Y %H:%M:%S GMT"


def test_a_check_that_breaks_is_a_finding() -> None:
    def broken() -> Iterator[Finding]:
        yield ok("a", "fine")
        raise ZeroDivisionError("oops")

    checks: list[tuple[str, Check]] = [("b", broken)]
    first, second = examine(checks)
    assert (first.state, second.state, second.what) == (State.OK, State.BAD, "b")
    assert "ZeroDivisionError" in second.said


def test_only_what_makes_calls_fail_is_unhealthy() -> None:
    assert healthy([ok("a", ""), note("b", "", "")])
    assert not healthy([bad("a", "", "")])


def test_the_command_tells_people_and_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    arguments = ["doctor", "--store", str(tmp_path / "calls.db")]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    told = json.loads(result.output)
    assert (result.exit_code, told["healthy"]) == (0, True)
    assert {each["what"] for each in told["findings"]} >= {"python", "clock", "codec Opus", "store"}
    monkeypatch.setenv("OPENAI_API_KEY", f"'{KEY}'")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "→ set it without them" in result.output
    assert KEY not in result.output
