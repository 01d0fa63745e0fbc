"""What the emulator's own log tells of a call: whether the client did all that it should."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

Event = dict[str, Any]

_GREETING = "Hello! What can I do for you?"
_RESULT = "It has 18 degrees in Tokyo."


def events(folder: Path) -> list[Event]:
    """All lines of the sessions in a folder of logs, in order."""
    paths = sorted(folder.glob("*.jsonl"))
    return [orjson.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def missing(wire: str, log: Sequence[Event], session_s: float) -> str | None:
    """The first thing that a whole call has and this one has not.

    Args:
        wire: Of the emulator.
        log: What it has logged.
        session_s: After which its sessions end.
    """
    steps = _openai(log) if wire == "openai" else _gemini(log)
    lasted_s = [event["duration_s"] for event in log if event["type"] == "call.ended"]
    steps["session until its end"] = max(lasted_s, default=0.0) >= session_s
    return next((f"the log tells of no {step}" for step, done in steps.items() if not done), None)


def _of(log: Sequence[Event], direction: str, type: str) -> list[Event]:
    found = [event for event in log if (event["dir"], event["type"]) == (direction, type)]
    return [event.get("body", {}) for event in found]


def _openai(log: Sequence[Event]) -> dict[str, bool]:
    items = [event["item"] for event in _of(log, "in", "conversation.item.create")]
    parts = [part for item in items for part in item.get("content", [])]
    words = _of(log, "out", "response.output_audio_transcript.delta")
    spoken = "".join(event["delta"] for event in words)
    cuts = [event["response"] for event in _of(log, "out", "response.done")]
    errors = [event["error"]["code"] for event in _of(log, "out", "error")]
    return {
        "greeting": _GREETING in spoken,
        "tool result": any("18" in item.get("output", "") for item in items),
        "answer to the tool result": _RESULT in spoken,
        "interruption": any(cut["status"] == "cancelled" for cut in cuts),
        "truncation": bool(_of(log, "out", "conversation.item.truncated")),
        "image": any(part["type"] == "input_image" for part in parts),
        "expiry": errors[-1:] == ["session_expired"],
        "call without another error": len(errors) == 1,
    }


def _gemini(log: Sequence[Event]) -> dict[str, bool]:
    results = [str(event) for event in _of(log, "in", "toolResponse")]
    return {
        "tool result": any("18" in result for result in results),
        "interruption": bool(_of(log, "out", "serverContent.interrupted")),
        "image": bool(_of(log, "in", "realtimeInput.video")),
    }
