"""The comparison of two providers, each emulated."""

from pathlib import Path

import pytest
from rich.console import Console

from crossfade.examples.two_providers import ARMS, CALLERS, KEYS, compare
from crossfade.observability.arms_view import arms_table, findings
from crossfade.pipelines.routing import CallRequest, choose
from tests.clock import run


def test_four_calls_are_dealt_to_two_arms_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    told_of = list[str]()
    report = run(compare(tmp_path, announce=told_of.append, voice="tone"))
    assert len(told_of) == 4
    assert "gemini-3.8-live, emulated" in " ".join(told_of)
    assert report.calls == {"one": 2, "other": 2}
    console = Console(width=120)
    with console.capture() as printed:
        console.print(arms_table(report))
    told = printed.get()
    assert "voice to voice" in told
    assert "100" in next(line for line in told.splitlines() if "tool success" in line)
    assert list(findings(report))


def test_who_calls_again_has_the_same_arm() -> None:
    given = [choose(ARMS, CallRequest(key=number)).arm.name for number in CALLERS]
    again = [choose(ARMS[::-1], CallRequest(key=number)).arm.name for number in CALLERS]
    assert given == again
