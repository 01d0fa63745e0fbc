"""A conversation as transcript.json holds it."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from crossfade.conversation.turns import AgentTurn, Entry, ToolRound, UserImage, UserTurn
from crossfade.conversation.usage import Usage

VERSION = 1


def describe(entries: Iterable[Entry], usage: Usage, started_at_s: float) -> dict[str, Any]:
    """Describe a conversation.

    Left out are the user's turns that came to nothing, such as a noise, and responses that said
    nothing, such as those that only call tools; calls are entries of their own. Of an image its
    kind, size and digest are told; a summary is for the model and left out.

    Args:
        entries: Turns and tool rounds in order.
        usage: What all responses cost together.
        started_at_s: When the call began; times are told in seconds from there.
    """
    begun = describe_later(entries, usage, started_at_s)
    return {**begun, "turns": list(begun["turns"])}


def describe_later(entries: Iterable[Entry], usage: Usage, started_at_s: float) -> dict[str, Any]:
    """The same, but for the turns: an iterator describes them one by one, when it is asked."""
    return {
        "version": VERSION,
        "turns": _turns(entries, started_at_s),
        "usage": asdict(usage),
    }


def _turns(entries: Iterable[Entry], started_at_s: float) -> Iterator[dict[str, Any]]:
    for entry in entries:
        match entry:
            case UserTurn() if entry.text or entry.committed:
                yield _user(entry, started_at_s)
            case UserImage():
                yield _image(entry, started_at_s)
            case AgentTurn() if _said(entry) or entry.status == "failed":
                yield _agent(entry, started_at_s)
            case ToolRound():
                yield _tool(entry, started_at_s)


def _said(turn: AgentTurn) -> bool:
    return bool(turn.text) if turn.status == "cut" else bool(turn.items)


def _user(turn: UserTurn, start_s: float) -> dict[str, Any]:
    return {
        "role": "user",
        "text": turn.text,
        "final": turn.final,
        "typed": turn.typed,
        "started_at_s": _since(start_s, turn.started_at_s),
        "stopped_at_s": _since(start_s, turn.stopped_at_s),
    }


def _image(image: UserImage, start_s: float) -> dict[str, Any]:
    return {
        "role": "image",
        "id": image.image_id,
        "media_type": image.media_type,
        "sha256": image.sha256,
        "size_bytes": image.size_bytes,
        "started_at_s": _since(start_s, image.shown_at_s),
    }


def _agent(turn: AgentTurn, start_s: float) -> dict[str, Any]:
    # The rest of the agent's turn before, which was cut.
    continues = {} if turn.continues is None else {"continues": True}
    return {
        "role": "agent",
        **continues,
        "text": turn.text,
        "heard": turn.heard,
        "interrupted": turn.interrupted,
        "injected": turn.injected,
        "status": turn.status,
        "started_at_s": _since(start_s, turn.started_at_s),
        "items": [
            {
                "id": item.item_id,
                "text": item.text,
                "heard": heard,
                "played_ms": item.played_ms,
                "received_ms": item.received_ms,
            }
            for item, heard in zip(turn.items, turn.heard_by_item(), strict=True)
        ],
    }


def _tool(round_: ToolRound, start_s: float) -> dict[str, Any]:
    result, answered_at_s = round_.result, round_.answered_at_s
    duration_s = None if answered_at_s is None else _since(round_.called_at_s, answered_at_s)
    return {
        "role": "tool",
        "name": round_.call.name,
        "call_id": round_.call.id,
        "arguments": dict(round_.call.arguments),
        "result": None if result is None else result.output,
        "is_error": result is not None and result.is_error,
        "started_at_s": _since(start_s, round_.called_at_s),
        "duration_s": duration_s,
    }


def _since(start_s: float, at_s: float | None) -> float | None:
    return None if at_s is None else round(at_s - start_s, 3)


__all__ = ["VERSION", "describe", "describe_later"]
