"""What was said and what happened beside it, as the report shows it. Pure over a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One entry of the transcript."""

    role: str
    at_s: float
    until_s: float
    text: str
    """As heard; of a tool, its call."""
    unheard: str = ""
    """Generated, but not heard."""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened beside the talk, for the table and the lanes."""

    lane: str
    """tools, sessions or interruptions."""
    at_s: float
    until_s: float | None
    text: str


def transcript(run: Run) -> list[Said]:
    """What was said, generated against heard."""
    turns = (run.transcript or {}).get("turns")
    found = [_said(turn) for turn in turns or () if isinstance(turn, Mapping)]
    return [said for said in found if said is not None]


def _said(turn: Mapping[str, Any]) -> Said | None:
    at_s = turn.get("sound_start_s", turn.get("started_at_s")) or 0.0
    until_s = turn.get("sound_end_s") or at_s
    match turn.get("role"):
        case "user":
            text = turn.get("text") or ""
            remarks = [remark for remark, on in _USER if bool(turn.get(remark)) is on]
            told = tuple(_REMARKS[remark] for remark in remarks)
            return Said(role="caller", at_s=at_s, until_s=until_s, text=text, remarks=told)
        case "agent":
            return _agent(turn, at_s, until_s)
        case "tool":
            arguments = ", ".join(f"{k}={v!r}" for k, v in _mapping(turn.get("arguments")).items())
            took_s = turn.get("duration_s")
            took = "never answered" if took_s is None else f"{took_s:.1f} s"
            text = f"{turn.get('name')}({arguments}) → {_short(turn.get('result'))}"
            failed = ("failed",) if turn.get("is_error") else ()
            until_s = at_s + (took_s or 0.0)
            return Said(role="tool", at_s=at_s, until_s=until_s, text=text, remarks=(took, *failed))
        case "image":
            kind, size = turn.get("media_type"), turn.get("size_bytes")
            return Said(role="caller", at_s=at_s, until_s=at_s, text=f"[{kind}, {size} bytes]")
    return None


_USER = (("final", False), ("typed", True))
_REMARKS = {"final": "transcript not finished", "typed": "typed"}


def _agent(turn: Mapping[str, Any], at_s: float, until_s: float) -> Said:
    generated, heard = str(turn.get("text") or ""), str(turn.get("heard") or "")
    unheard = generated[len(heard) :] if generated.startswith(heard) else ""
    status = turn.get("status")
    remarks = [
        told
        for told, applies in (
            ("interrupted", turn.get("interrupted")),
            ("said by us", turn.get("injected")),
            ("goes on from a cut answer", turn.get("continues")),
            (str(status), status in ("cut", "failed", "incomplete")),
        )
        if applies
    ]
    return Said(
        role="agent",
        at_s=at_s,
        until_s=until_s,
        text=heard,
        unheard=unheard,
        remarks=tuple(remarks),
    )


def events(run: Run) -> list[Event]:
    """Tools, sessions and interruptions in order of time."""
    tally = run.tally
    found = [
        Event(
            lane="tools",
            at_s=tool.called_s,
            until_s=tool.answered_s,
            text=f"{tool.name}{' failed' if tool.is_error else ''}",
        )
        for tool in tally.tools.values()
    ]
    found += [
        Event(lane="interruptions", at_s=at_s, until_s=None, text="the caller interrupted")
        for at_s in tally.interruptions_s
    ]
    found += [
        Event(
            lane="sessions",
            at_s=change.at_s,
            until_s=None,
            text=f"{change.why} to {change.provider}, {change.gap_ms:.0f} ms without a session",
        )
        for change in tally.session_changes
    ]
    found += [
        Event(
            lane="sessions",
            at_s=line.at_s,
            until_s=None,
            text=f"line lost: {line.fields.get('reason')}",
        )
        for line in run.log.of("SessionLostFrame")
    ]
    found += [
        Event(
            lane="sessions",
            at_s=line.at_s,
            until_s=None,
            text=f"node {line.fields.get('node')} failed: {line.fields.get('reason')}",
        )
        for line in run.log.of("NodeFailedFrame")
    ]
    return sorted(found, key=lambda event: event.at_s)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _short(result: object, length: int = 300) -> str:
    text = str(result)
    return text if len(text) <= length else text[: length - 1] + "…"


__all__ = ["Event", "Said", "events", "transcript"]
