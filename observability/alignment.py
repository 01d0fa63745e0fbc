"""Lays a transcript on the recording: when each turn sounded. Pure."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade.conversation.webvtt import Cue

from .sound_spans import Span

# The caller's sound comes before anybody can be sure of it, the agent's after it was handed on.
_BEFORE_S = 0.6
_AFTER_S = 0.1
# That speech was played is told late, where much is to be done.
_TOLD_LATE_S = 0.2
_LEAST_S = 0.5
_CHARACTERS_PER_S = 15.0

Turn = dict[str, Any]


class PlayedItems:
    """When each item of the agent's speech was played, from the frames that tell that it was."""

    def __init__(self) -> None:
        self.spans: dict[str, Span] = {}

    def frame(self, kind: str, fields: Mapping[str, Any], at_s: float) -> None:
        """Note a frame of note: its class, and what the log says of it."""
        if kind != "SpeechPlayedFrame":
            return
        end_s = at_s
        # A log that is read back may hold anything.
        with contextlib.suppress(KeyError, TypeError, ValueError):
            for item in reversed(fields["items"]):
                start_s = max(0.0, end_s - float(item["played_ms"]) / 1000)
                if end_s > start_s:
                    self.spans[str(item["item_id"])] = Span(start_s=start_s, end_s=end_s)
                end_s = start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a recording and its frames tell of when somebody was heard."""

    caller: Sequence[Span]
    agent: Sequence[Span]
    played: Mapping[str, Span]
    """By the item's id."""


def aligned(transcript: Mapping[str, Any], heard: Heard) -> dict[str, Any]:
    """The transcript with `sound_start_s` and `sound_end_s` in each turn that sounded."""
    turns = transcript.get("turns")
    if not isinstance(turns, list):
        return dict(transcript)
    return {**transcript, "turns": [_aligned(turn, heard) for turn in turns]}


def cues(transcript: Mapping[str, Any]) -> list[Cue]:
    """What was said, as heard, of an aligned transcript; what did not sound is left out."""
    found = []
    for turn in transcript.get("turns") or ():
        speaker = {"user": "caller", "agent": "agent"}.get(turn.get("role"))
        text = turn.get("heard" if speaker == "agent" else "text") or ""
        start_s, end_s = turn.get("sound_start_s"), turn.get("sound_end_s")
        if speaker and text.strip() and start_s is not None and end_s is not None:
            found.append(Cue(start_s=start_s, end_s=end_s, speaker=speaker, text=text))
    return found


def _aligned(turn: Turn, heard: Heard) -> Turn:
    span = None
    if turn.get("role") == "user" and not turn.get("typed"):
        span = _of_caller(turn, heard.caller)
    elif turn.get("role") == "agent":
        span = _of_agent(turn, heard)
    if span is None:
        return turn
    return {**turn, "sound_start_s": round(span.start_s, 3), "sound_end_s": round(span.end_s, 3)}


def _of_caller(turn: Turn, spans: Sequence[Span]) -> Span | None:
    start_s, end_s = turn.get("started_at_s"), turn.get("stopped_at_s")
    if start_s is None:
        return None
    if end_s is None:
        end_s = start_s + max(_LEAST_S, len(turn.get("text") or "") / _CHARACTERS_PER_S)
    found = [span for span in spans if span.end_s > start_s - _BEFORE_S and span.start_s < end_s]
    # A sound that was over before the turn could be heard to begin belongs to the one before.
    found = [span for span in found if span.end_s > start_s] or found[-1:]
    if not found:
        return None
    return Span(start_s=found[0].start_s, end_s=min(found[-1].end_s, max(end_s, start_s)))


def _of_agent(turn: Turn, heard: Heard) -> Span | None:
    items = [heard.played[i["id"]] for i in turn.get("items") or () if i["id"] in heard.played]
    if not items:
        return None
    start_s, end_s = min(i.start_s for i in items), max(i.end_s for i in items)
    return _within(heard.agent, start_s, end_s)


def _within(spans: Iterable[Span], start_s: float, end_s: float) -> Span | None:
    """From the first to the last sound of a stretch. Where sound begins or ends close to its ends,
    these are meant; else it belongs to what was said right before or after, too."""
    until_s = end_s + _AFTER_S
    inside = [span for span in spans if span.end_s > start_s and span.start_s < until_s]
    if not inside:
        return None
    first_s, last_s = inside[0].start_s, inside[-1].end_s
    start_s = first_s if first_s >= start_s - _TOLD_LATE_S else start_s
    if last_s > until_s:
        last_s = end_s if start_s < end_s else until_s
    return Span(start_s=start_s, end_s=last_s)


__all__ = ["Heard", "PlayedItems", "aligned", "cues"]
