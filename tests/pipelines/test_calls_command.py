"""`crossfade calls`: what is kept is listed, shown, exported and deleted."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store import CallStore
from crossfade.conversation.store_entries import entry_row
from crossfade.conversation.store_records import CallChanges, CallFolder, CallStatus
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.usage import Usage
from crossfade.pipelines.calls_place import data_folder, store_url
from crossfade.pipelines.stored_config import config_of, stored_config
from crossfade.providers import SessionConfig, TurnDetection
from tests.conversation.stores import STARTED_AT, call, in_store


def weather() -> Conversation:
    ledger = Conversation()
    ledger.user_started("u", 1.0)
    ledger.user_stopped(2.5)
    ledger.user_committed("u")
    ledger.user_transcript("u", "Is it <b>warm</b> --> there?", True)
    ledger.tool_called(ToolCall(id="t", name="weather", arguments={"city": "Rome"}), 3.0)
    ledger.tool_answered(ToolResult(call_id="t", output={"celsius": 21}), 3.5)
    ledger.response_started("r", False, 4.0)
    ledger.agent_text("r", "i", "It is 21 degrees in Rome and it will stay so all day.")
    ledger.response_ended("r", "completed", Usage(output_audio_tokens=9))
    ledger.agent_played("i", 2000, 4000, interrupted=True)
    return ledger


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a call that has ended and one that runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CROSSFADE_STORE", str(tmp_path / "calls.db"))
    monkeypatch.setenv("COLUMNS", "200")
    rows = tuple(entry_row(p, entry, 0.0) for p, entry in enumerate(weather().entries))
    old = CallChanges(
        call_id="call-1",
        began=call("call-1", config={"instructions": "Be kind."}),
        entries=rows,
        ended=CallStatus.ENDED,
        ended_at=STARTED_AT + 65,
    )

    async def fill(opened: CallStore) -> None:
        await opened.write([old])
        new = CallChanges(call_id="call-2", began=call("call-2", started_at=time.time()))
        await opened.write([new], owner="me", lease_s=600)

    in_store(str(tmp_path / "calls.db"), fill)
    return tmp_path / "calls.db"


def calls(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["calls", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["calls", *arguments])
    assert result.exit_code == 2, result.output
    return result.output


@pytest.mark.usefixtures("store")
def test_calls_are_listed_the_newest_first() -> None:
    told = calls("list")
    assert told.index("call-2") < told.index("call-1")
    assert "1:05" in told
    assert "openai:m" in told
    assert "running" in told
    assert "call-1" not in calls("list", "--limit", "1")


@pytest.mark.usefixtures("store")
def test_a_call_is_shown_with_what_was_heard_and_what_not() -> None:
    told = calls("show", "call-1")
    assert "Is it <b>warm</b> --> there?" in told
    assert "weather(city='Rome') → {'celsius': 21}" in told
    assert "It is 21" in told
    assert "[unheard: " in told
    assert "1.00 s" in told


def test_what_is_shown_cannot_command_the_terminal(store: Path) -> None:
    ledger = Conversation()
    ledger.user_text("\x1b]0;title\x07 half \ud800 \x1b[2J", 0.0)
    rows = (entry_row(0, ledger.entries[0], 0.0),)
    said = CallChanges(call_id="odd", began=call("odd"), entries=rows)
    in_store(str(store), lambda opened: opened.write([said]))
    told = calls("show", "odd")
    assert "title" in told
    assert not set(told) & set("\x1b\x07\ud800")


@pytest.mark.usefixtures("store")
def test_a_call_is_exported_as_json() -> None:
    told = json.loads(calls("export", "call-1"))
    assert [turn["role"] for turn in told["turns"]] == ["user", "tool", "agent"]
    assert told["usage"]["output_audio_tokens"] == 9
    assert (told["id"], told["status"]) == ("call-1", "ended")
    assert told["started_at"] == "2023-11-14T22:13:20.000+00:00"
    assert told["config"] == {"instructions": "Be kind."}


def test_a_call_is_exported_as_subtitles(store: Path) -> None:
    assert "written" in calls("export", "call-1", "--format", "webvtt", "-o", "call.vtt")
    head, first, second = (store.parent / "call.vtt").read_text().split("\n\n")
    assert head == "WEBVTT"
    number, times, text = first.splitlines()
    assert (number, times) == ("1", "00:00:01.000 --> 00:00:02.500")
    assert text == "<v caller>Is it &lt;b&gt;warm&lt;/b&gt; --&gt; there?"
    assert second.splitlines()[1] == "00:00:04.000 --> 00:00:06.000"
    heard = second.splitlines()[2].removeprefix("<v agent>")
    assert "It is 21 degrees in Rome and it will stay so all day.".startswith(heard)


@pytest.mark.usefixtures("store")
def test_the_beginning_of_a_name_is_enough_where_it_is_one_calls() -> None:
    assert "2 calls begin with call" in refused("show", "call")
    assert "no call nothing" in refused("show", "nothing")
    assert "Rome" in calls("show", "call-1"[:6])


@pytest.mark.usefixtures("store")
def test_old_calls_are_deleted_and_served_ones_are_not() -> None:
    assert "deleted 0 calls" in calls("delete", "--older-than", "9999w")
    assert "deleted 1 call" in calls("delete", "--older-than", "1d")
    assert "deleted 0 calls" in calls("delete", "--older-than", "0s")
    assert "call-1" not in calls("list")
    assert "deleted 1 call" in calls("delete", "call-2")
    assert "no calls are kept" in calls("list")


@pytest.mark.usefixtures("store")
def test_deletions_that_cannot_be_meant_are_refused() -> None:
    assert "--older-than" in refused("delete")
    assert "--older-than" in refused("delete", "call-1", "--older-than", "1d")
    assert "soon" in refused("delete", "--older-than", "soon")
    assert "deleted 1 of 2" in refused("delete", "call-1", "call-9")


def test_the_store_is_named_by_option_variable_or_the_users_folder(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "no calls" in calls("list", "--store", f"sqlite:///{tmp_path / 'other.db'}")
    assert store_url() == str(store)
    monkeypatch.delenv("CROSSFADE_STORE")
    assert store_url() == str(data_folder() / "calls.db")
    assert "mysql" in refused("list", "--store", "mysql://u@127.0.0.1/x")


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from crossfade.cli import main; sys.argv = ['crossfade', 'calls', 'list']; main()"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert told.returncode == 2
    assert "crossfade[store]" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_configuration_comes_back_without_its_secrets() -> None:
    config = SessionConfig(
        instructions="Be kind.", turn_detection=TurnDetection.CALLER, languages=["de"], tools=[]
    )
    assert config_of(stored_config(config)) == config
    leaky = SessionConfig(instructions="Use sk-abcdefghijklmnop for it.")
    assert "abcdefgh" not in json.dumps(stored_config(leaky))


def test_where_a_call_was_recorded_is_told_also_when_it_is_deleted(store: Path) -> None:
    folders = [CallFolder(since=float(n), host=f"host-{n}", path=f"/runs/{n}") for n in (2, 1)]
    begun = CallChanges(call_id="moved", began=call("moved"), folder=folders[0])
    late = CallChanges(
        call_id="moved", folder=folders[1], ended=CallStatus.ENDED, ended_at=STARTED_AT
    )

    async def write(opened: CallStore) -> None:
        for changes in (begun, late, late):
            await opened.write([changes])

    in_store(str(store), write)
    told = calls("show", "moved")
    assert told.index("host-1:/runs/1") < told.index("host-2:/runs/2")
    exported = json.loads(calls("export", "moved"))["folders"]
    assert [folder["path"] for folder in exported] == ["/runs/1", "/runs/2"]
    assert "host-2:/runs/2" in calls("delete", "moved")
    in_store(str(store), write)
    half = refused("delete", "moved", "no-such-call")
    assert "host-2:/runs/2" in half
    assert "deleted 1 of 2" in half
    in_store(str(store), write)
    assert "host-1:/runs/1" in calls("delete", "--older-than", "1d")
    assert "recordings" not in calls("delete", "--older-than", "1d")
