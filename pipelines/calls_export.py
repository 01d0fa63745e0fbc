"""A stored call as JSON, and as subtitles in WebVTT."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from crossfade.conversation.store_records import StoredCall
from crossfade.conversation.transcript import describe
from crossfade.conversation.turns import AgentTurn, Entry, UserTurn
from crossfade.conversation.usage import Usage
from crossfade.conversation.webvtt import Cue, webvtt
from crossfade.observability.redaction import redact, without_secrets

_LEAST_S = 0.5
_CHARACTERS_PER_S = 15.0


def as_json(call: StoredCall) -> str:
    """All that was said and called, with times in seconds from the call's start, and without
    anything that looks like a credential.

    Args:
        call: Loaded with `started_at_s` 0.
    """
    told: dict[str, Any] = {
        "id": call.id,
        "model": call.spec,
        "status": call.status.value,
        "started_at": iso(call.started_at),
        "ended_at": None if call.ended_at is None else iso(call.ended_at),
        "config": call.config,
        "folders": [
            {"host": folder.host, "path": folder.path, "since": iso(folder.since)}
            for folder in call.folders
        ],
        **describe(call.entries, usage_of(call.entries), 0.0),
    }
    kept = redact(told, content=True)
    return json.dumps(kept, indent=2, ensure_ascii=False, default=str) + "\n"


def as_webvtt(call: StoredCall) -> str:
    """What was said, as heard, one cue for each turn.

    The caller's cues have the times of their speech. Those of the agent begin with the answer; how
    long it was played is known, and of what was not spoken it is reckoned.

    Args:
        call: Loaded with `started_at_s` 0.
    """
    return without_secrets(webvtt(_cues(call.entries)))


def usage_of(entries: Sequence[Entry]) -> Usage:
    """What all responses cost together."""
    used = Usage()
    for entry in entries:
        if isinstance(entry, AgentTurn) and entry.usage is not None:
            used += entry.usage
    return used


def iso(at: float) -> str:
    """Unix time as a date in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _cues(entries: Sequence[Entry]) -> Iterator[Cue]:
    for entry in entries:
        if isinstance(entry, UserTurn) and entry.text.strip():
            start_s = max(0.0, entry.started_at_s)
            end_s = max(entry.stopped_at_s or start_s + _reckoned_s(entry.text), start_s + _LEAST_S)
            yield Cue(start_s=start_s, end_s=end_s, speaker="caller", text=entry.text)
        elif isinstance(entry, AgentTurn) and entry.heard.strip():
            start_s = max(0.0, entry.started_at_s)
            played_s = sum(item.played_ms or 0.0 for item in entry.items) / 1000
            end_s = start_s + max(played_s or _reckoned_s(entry.heard), _LEAST_S)
            yield Cue(start_s=start_s, end_s=end_s, speaker="agent", text=entry.heard)


def _reckoned_s(text: str) -> float:
    return len(text) / _CHARACTERS_PER_S


__all__ = ["as_json", "as_webvtt", "iso", "usage_of"]
