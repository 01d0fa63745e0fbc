"""What another process makes of a call that it goes on with. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from crossfade.conversation.heard import covered_length, spoken_length
from crossfade.conversation.ledger import CUT
from crossfade.conversation.pace import average_pace
from crossfade.conversation.tools import ToolResult
from crossfade.conversation.turns import AgentItem, AgentTurn, Entry, ToolRound, UserTurn
from crossfade.transports.websocket_messages import HeardSpeech

from .takeover_state import CallState, SpeechPosition

HEARD_WHOLE_MS = 60.0
"""An answer that lacks no more than this was heard to its end: three chunks on their way."""
_LOST = "The call was lost before its result came. It may have been carried out, or not."
_LOST_FOR_GOOD = f"{_LOST} Do not call it again without asking the user."
_AGAIN = f"{_LOST} Calling it again does no harm: call it again if it is still needed."


class Owed(Enum):
    """What the agent owes the caller, beside the answer to an unfinished utterance."""

    NOTHING = "nothing"
    REQUEST = "request"
    """The answer to what was said or found out last."""
    REST = "rest"
    """The rest of an answer that was cut."""


PROMPTS = {
    Owed.REQUEST: (
        "[The line broke before you answered. Answer now what was said or found out last. "
        "Do not speak of the break.]"
    ),
    Owed.REST: (
        "[The line broke while you were speaking. The user has heard your last answer as far as "
        "it stands above, and nothing after it. Go on from exactly there, in the middle of the "
        "sentence if need be. Do not repeat any of it, do not greet, and do not speak of the "
        "break.]"
    ),
}
"""How the model is asked for it: a text in the user's name, in brackets as what nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """A conversation as it goes on."""

    entries: tuple[Entry, ...]
    owed: Owed
    lost_tools: tuple[str, ...]
    """Names of the tools whose calls ran when the process died."""


def take_up(
    entries: Sequence[Entry],
    state: CallState,
    *,
    unfinished: bool,
    heard: HeardSpeech | None,
    idempotent: frozenset[str] = frozenset(),
    now_s: float,
) -> TakenUp:
    """Bring a stored conversation to where the caller is.

    An answer is kept as far as the caller heard it, and marked as cut: the rest comes in a new
    response. Calls of tools that ran are answered as failed. Turns of the user whose audio is kept
    are left out: they are heard again.

    Args:
        entries: As stored.
        state: As stored.
        unfinished: Whether audio is kept that nobody began to answer.
        heard: What the client says that it heard last; it knows better than the store.
        idempotent: Tools that may be called again.
        now_s: On the clock of the entries.
    """
    kept: list[Entry] = []
    owed, lost_tools, pace = Owed.NOTHING, [], average_pace(entries)
    for entry in entries:
        match entry:
            case ToolRound(result=None):
                lost_tools.append(entry.call.name)
                kept.append(_failed(entry, entry.call.name in idempotent, now_s))
                owed = Owed.REQUEST
            case ToolRound():
                kept.append(entry)
                owed = Owed.REQUEST
            case AgentTurn(injected=False):
                turn = _as_heard(entry, state, heard, pace) if _being_played(entry) else entry
                kept.append(turn)
                owed = _after_answer(turn, owed)
            case UserTurn():
                kept.append(entry)
                owed = Owed.REQUEST if _awaits_answer(entry) else owed
            case _:
                kept.append(entry)
    if unfinished:
        kept, owed = _without_unanswered(kept), Owed.NOTHING
    return TakenUp(entries=tuple(kept), owed=owed, lost_tools=tuple(lost_tools))


def _failed(entry: ToolRound, again: bool, now_s: float) -> ToolRound:
    words = _AGAIN if again else _LOST_FOR_GOOD
    result = ToolResult(call_id=entry.call.id, output=words, is_error=True)
    return replace(entry, result=result, answered_at_s=now_s)


def _after_answer(turn: AgentTurn, owed: Owed) -> Owed:
    if turn.status != CUT:
        return Owed.NOTHING
    begun = any(item.text.strip() for item in turn.items)
    return Owed.REST if begun or owed is Owed.REST else Owed.REQUEST


def _being_played(turn: AgentTurn) -> bool:
    if turn.status in (None, CUT):
        return turn.status is None
    spoken = [item for item in turn.items if item.spoken and item.text.strip()]
    return turn.status == "completed" and any(item.played_ms is None for item in spoken)


def _awaits_answer(turn: UserTurn) -> bool:
    return turn.committed or bool(turn.text.strip())


def _as_heard(
    turn: AgentTurn, state: CallState, heard: HeardSpeech | None, pace: float | None
) -> AgentTurn:
    """The turn as far as it was heard; whole, if that is all of it."""
    whole = turn.status == "completed"
    known = [item for item in turn.items if item.item_id in state.speech]
    if heard is not None and heard.response_id == turn.response_id:
        left_ms = heard.response_ms
    else:
        left_ms = sum(state.speech[item.item_id].played_ms for item in known)
    items: list[AgentItem] = []
    for item in turn.items:
        at = state.speech.get(item.item_id)
        if item.played_ms is not None or not item.spoken:
            items.append(item)
            continue
        if at is None and whole and not known:
            # Its playout was over, and only the word of it was lost.
            return replace(turn, items=tuple(_played_out(item) for item in turn.items))
        got = at or SpeechPosition(received_ms=left_ms, played_ms=0.0)
        played_ms = min(left_ms, got.received_ms)
        left_ms -= played_ms
        last = item is turn.items[-1]
        if (whole or not last) and at and played_ms >= got.received_ms - HEARD_WHOLE_MS:
            items.append(replace(item, played_ms=got.received_ms, received_ms=got.received_ms))
            continue
        if whole or not last:
            pace = spoken_length(item.text) * 1000 / max(1.0, got.received_ms)
        items.append(_up_to(item, played_ms, pace))
        return replace(turn, items=tuple(items), status=CUT)
    return replace(turn, items=tuple(items), status=turn.status or CUT)


def _played_out(item: AgentItem) -> AgentItem:
    return item if item.played_ms is not None else replace(item, played_ms=item.received_ms)


def _up_to(item: AgentItem, played_ms: float, pace: float | None) -> AgentItem:
    """The item to the word that is likeliest to have sounded last."""
    length = covered_length(
        item.text, received_ms=played_ms, timings=item.timings, characters_per_s=pace
    )
    return replace(item, text=item.text[:length], played_ms=played_ms, received_ms=played_ms)


def _without_unanswered(entries: Sequence[Entry]) -> list[Entry]:
    """Leave out the last turns of the user that nothing followed."""
    kept = list(entries)
    while kept and (_is_spoken(kept[-1]) or _is_empty_answer(kept[-1])):
        kept.pop()
    return kept


def _is_spoken(entry: Entry) -> bool:
    return isinstance(entry, UserTurn) and not entry.typed


def _is_empty_answer(entry: Entry) -> bool:
    return isinstance(entry, AgentTurn) and not entry.text


__all__ = ["HEARD_WHOLE_MS", "PROMPTS", "Owed", "TakenUp", "take_up"]
