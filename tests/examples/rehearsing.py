"""Examples' calls for tests: on the virtual clock, with the voices that need nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crossfade.examples.rehearsal import MakeCall, rehearse
from tests.clock import run


def rehearsed(
    make: MakeCall, folder: Path, *, lines: Sequence[str], scenario: str
) -> list[dict[str, Any]]:
    """Make an example's call; gives the turns of its transcript."""
    outcome = run(
        rehearse(
            make,
            lines=lines,
            scenario=scenario,
            announce=lambda _: None,
            listener=lambda _: None,
            runs=folder,
            voice="tone",
        )
    )
    assert not outcome.missed
    turns: list[dict[str, Any]] = json.loads((outcome.folder / "transcript.json").read_text())[
        "turns"
    ]
    return turns


def said(turns: Sequence[dict[str, Any]], role: str = "agent") -> list[str]:
    """What one side said, but for what is said while tools run."""
    return [turn["text"] for turn in turns if turn["role"] == role and not turn.get("injected")]


def called(turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of tools."""
    return [turn for turn in turns if turn["role"] == "tool"]
