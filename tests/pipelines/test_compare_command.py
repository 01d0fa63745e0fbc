"""`crossfade compare` over folders of calls."""

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.conversation.usage import Usage
from crossfade.observability import arm_statistics
from crossfade.observability.call_summary import CallSummary, ToolSummary
from crossfade.observability.cost import NO_COST
from crossfade.observability.summary_file import SUMMARY, read_summary, summary_json


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_statistics, "DRAWS", 500)


def compare(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["compare", *arguments], env={"COLUMNS": "160"})
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


SPOKEN = CallSummary(
    duration_s=30.0,
    user_turns=2,
    responses=2,
    interruptions=1,
    tools=(
        ToolSummary(name="weather", duration_ms=1500.0, acknowledged_ms=None, is_error=False),
        ToolSummary(name="book", duration_ms=None, acknowledged_ms=None, is_error=False),
    ),
    voice_to_voice_ms=(700.0, 900.0),
    barge_in_ms=(240.0,),
    ttfb_ms=(300.0,),
    ttlb_ms=(),
    usage=Usage(input_audio_tokens=100, input_text_tokens=20, output_audio_tokens=7),
    errors=("a refusal",),
    dropped={},
    cost=NO_COST,
)


def written(path: Path, *, usd: float | None = None, arm: str = "", **changes: Any) -> Path:
    path.mkdir(parents=True)
    details = {"model": "gpt-realtime-2.1"} | ({"arm": arm} if arm else {})
    content = summary_json(
        dataclasses.replace(SPOKEN, **changes),
        started_at="2026-11-21T10:00:00+00:00",
        details=details,
    )
    if usd is not None:
        content["cost"] = {"usd": usd, "complete": True, "unpriced": []}
    (path / SUMMARY).write_text(json.dumps(content))
    return path


def test_a_summary_comes_back_from_its_file(tmp_path: Path) -> None:
    found = read_summary(written(tmp_path / "a", usd=0.02))
    assert found.voice_to_voice_ms == SPOKEN.voice_to_voice_ms
    assert [tool.answered for tool in found.tools] == [True, False]
    assert found.usage["input_audio_tokens"] == 100
    assert found.cost.usd == 0.02
    assert found.details == {"model": "gpt-realtime-2.1"}


def test_two_calls_are_shown_side_by_side(tmp_path: Path) -> None:
    one = written(tmp_path / "one", usd=0.02)
    other = written(tmp_path / "other", voice_to_voice_ms=(650.0,), interruptions=0, errors=())
    told = compare(str(one), str(other))
    for words in (
        "one other",
        "Interruptions 1 0",
        "Voice to voice 800 ms 650 ms",
        "Each turn 700, 900 ms",
        "weather 1500 ms, book not answered",
        "Tokens in 120 120",
        "Cost $0.0200",
        "Errors a refusal",
    ):
        assert words in told


def killed(path: Path) -> Path:
    path.mkdir()
    started = {"started_at": "2026-11-21T10:00:00+00:00", "details": {"model": "m"}}
    usage = {"output_audio_tokens": 1000}
    lines: list[dict[str, Any]] = [
        {"t": 0.0, "dir": "call", "type": "call.started", **started},
        {"t": 1.0, "dir": "frame", "type": "UserStoppedSpeakingFrame"},
        {
            "t": 4.0,
            "dir": "call",
            "type": "call.usage",
            "service": "speech",
            "provider": "openai",
            "model": "gpt-realtime-2.1",
            "usage": usage,
        },
    ]
    (path / "events.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return path


def test_a_call_that_was_killed_is_told_from_its_log(tmp_path: Path) -> None:
    told = compare(str(written(tmp_path / "one")), str(killed(tmp_path / "two")))
    assert "Began 2026-11-21T10:00:00 2026-11-21T10:00:00" in told
    assert "Turns of the caller 2 1" in told
    assert "at least $0.0640" in told
    written(tmp_path / "three")
    assert "2 calls" in compare(str(tmp_path), "--by", "model"), "of many, those that have ended"


def test_arms_are_compared_over_many_calls(tmp_path: Path) -> None:
    chance = random.Random(1)
    for number in range(60):
        arm = "ab"[number % 2]
        latency_ms = chance.gauss(700, 30) + 100 * (arm == "b")
        written(tmp_path / "runs" / str(number), usd=0.02, arm=arm, voice_to_voice_ms=(latency_ms,))
    told = compare(str(tmp_path / "runs"), "--by", "arm")
    assert "30 calls 30 calls" in told
    assert "voice to voice: b is 1" in told
    assert "cost: no difference found between b and a" in told
    assert "tool success, % 50.0" in told
    assert "between a and b" in compare(str(tmp_path / "runs"), "--base", "b")


def test_what_cannot_be_compared_is_one_line(tmp_path: Path) -> None:
    assert "no summary.json in it" in compare(str(tmp_path), code=2)
    runs = [str(written(tmp_path / name)) for name in ("one", "two", "three")]
    assert "3 of 3 calls do not say their arm" in compare(*runs, code=2)
    assert "no call is of the arm c" in compare(*runs, "--by", "model", "--base", "c", code=2)
    (tmp_path / "one" / SUMMARY).write_text("{}")
    assert "version" in compare(*runs, code=2)


def test_one_call_is_not_compared(tmp_path: Path) -> None:
    run = str(written(tmp_path / "one"))
    assert "nothing to be compared with" in compare(run, run, code=2)
    assert "nothing to be compared with" in compare(str(tmp_path), "--by", "model", code=2)


def test_calls_of_one_arm_are_told_without_a_comparison(tmp_path: Path) -> None:
    runs = [str(written(tmp_path / name)) for name in ("one", "two", "three")]
    told = compare(*runs, "--by", "model")
    assert "3 calls" in told
    assert "no difference" not in told
