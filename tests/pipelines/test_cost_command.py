"""`crossfade cost` over folders of calls and over a store."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store import CallStore
from crossfade.conversation.store_entries import entry_row
from crossfade.conversation.store_records import CallChanges, CallStatus
from crossfade.conversation.usage import Usage
from tests.conversation.stores import STARTED_AT, call, in_store


def cost(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["cost", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def folder(path: Path, *uses: Mapping[str, Any], ended: bool = True) -> str:
    path.mkdir(parents=True)
    started = {"type": "call.started", "started_at": "2026-11-21T10:00:00+00:00", "details": {}}
    lines: list[Mapping[str, Any]] = [started]
    lines += [{"type": "call.usage", **use} for use in uses]
    lines += [{"type": "call.ended", "duration_s": 9.0, "dropped": {}}] * ended
    text = "\n".join(json.dumps({"t": 0, "dir": "call", **line}) for line in lines)
    (path / "events.jsonl").write_text(text)
    return str(path)


SPOKEN = {
    "service": "speech",
    "provider": "openai",
    "model": "gpt-realtime-2.1",
    "usage": {"output_audio_tokens": 1000},
}
HOUR = {"service": "session", "provider": "moshi", "seconds": 3600}


def test_a_call_is_told_line_by_line(tmp_path: Path) -> None:
    told = cost(folder(tmp_path / "one", SPOKEN))
    assert "speech openai:gpt-realtime-2.1 output audio 1000 $0.0640" in told
    assert "in all $0.0640" in told


def test_what_has_no_price_is_unpriced_until_a_file_gives_one(tmp_path: Path) -> None:
    path = folder(tmp_path / "one", HOUR, SPOKEN)
    told = cost(path)
    assert "session moshi session seconds 3600.0 unpriced" in told
    assert "in all at least $0.0640" in told
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: {moshi: {audio_hour: 0.6}}")
    assert "in all $0.6640" in cost(path, "--prices", str(prices))


def test_many_calls_are_told_and_added_up(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder(tmp_path / "runs" / name, SPOKEN)
    assert "2 calls $0.1280" in cost(str(tmp_path / "runs"))


def test_a_call_that_was_killed_costs_at_least_so_much(tmp_path: Path) -> None:
    path = folder(tmp_path / "runs" / "a", SPOKEN, ended=False)
    assert "in all at least $0.0640" in cost(path)
    folder(tmp_path / "runs" / "b", SPOKEN)
    told = cost(str(tmp_path / "runs"))
    assert "2 calls at least $0.1280" in told
    assert told.count("at least") == 2


def test_what_cannot_be_priced_is_one_line(tmp_path: Path) -> None:
    assert "no events.jsonl in it" in cost(str(tmp_path), code=2)
    (tmp_path / "events.jsonl").write_text("")
    told = cost(str(tmp_path), code=2)
    assert "events.jsonl: the log does not say when the call began; leave" in told
    broken = folder(tmp_path / "broken", {"service": "dreams"})
    assert "call.usage" in cost(broken, code=2)
    assert "not both" in cost(broken, "--store", "calls.db", code=2)


def test_stored_calls_are_priced_from_their_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = Conversation()
    for number in range(2):
        ledger.response_started(f"r{number}", False, 1.0)
        ledger.agent_text(f"r{number}", f"i{number}", "Hello.")
        ledger.response_ended(f"r{number}", "completed", Usage(output_audio_tokens=1000))
    rows = tuple(entry_row(p, entry, 0.0) for p, entry in enumerate(ledger.entries))

    async def fill(store: CallStore) -> None:
        for name, spec in (("known", "openai:gpt-realtime-2.1"), ("unknown", "moshi:")):
            began = call(name, spec=spec)
            await store.write(
                [
                    CallChanges(
                        call_id=name,
                        began=began,
                        entries=rows,
                        ended=CallStatus.ENDED,
                        ended_at=STARTED_AT + 9,
                    )
                ]
            )

    in_store(str(tmp_path / "calls.db"), fill)
    told = cost("--store", str(tmp_path / "calls.db"))
    assert "known openai:gpt-realtime-2.1 $0.1280" in told
    assert "unknown moshi unpriced" in told
    assert "2 calls $0.1280, 1 not wholly priced" in told
