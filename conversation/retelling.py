"""Tells a ledger's entries as a model shall know them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from crossfade.conversation.history import HistoryItem, Notice, Speaker, Utterance
from crossfade.conversation.pictures import Pictures
from crossfade.conversation.tools import ToolCall
from crossfade.conversation.turns import AgentTurn, Entry, Summary, ToolRound, UserImage, UserTurn


def retell(
    entries: Sequence[Entry],
    pictures: Pictures,
    *,
    open_calls: bool = False,
    without: Collection[str] = (),
    unheard: Mapping[str, HistoryItem] | None = None,
) -> tuple[HistoryItem, ...]:
    """Tell a conversation: what its latest summary covers by that, all the rest whole.

    What was injected is left out, as are pictures that are not kept any more; of an interrupted
    answer only what was heard is told, of a cut one what its sound covers.

    Args:
        entries: The entries, in order.
        pictures: Those that are kept.
        open_calls: Whether calls without an answer are told, behind all else.
        without: Item ids of user turns to leave out, because they are told in another way.
        unheard: What is told of user turns without words, by item id.
    """
    unheard = unheard or {}
    summary = latest_summary(entries)
    items: list[HistoryItem] = [] if summary is None else [Notice(text=summary.text)]
    for entry in entries[0 if summary is None else summary.upto :]:
        if isinstance(entry, UserTurn) and entry.item_id is not None:
            if entry.item_id in without:
                continue
            if not entry.text.strip() and entry.item_id in unheard:
                items.append(unheard[entry.item_id])
        items += retell_entry(entry, pictures)
    if open_calls:
        items += waiting_calls(entries)
    return tuple(items)


def retell_entry(entry: Entry, pictures: Pictures) -> list[HistoryItem]:
    """Tell one entry; nothing of it may be worth telling, and a summary tells of others."""
    match entry:
        case UserTurn():
            return _utterance(Speaker.USER, entry.text)
        case AgentTurn(injected=False):
            return _utterance(Speaker.AGENT, told_text(entry))
        case UserImage() if picture := pictures.get(entry.image_id):
            return [picture]
        case ToolRound(call=call, result=result) if result is not None:
            return [call, result]
    return []


def told_text(turn: AgentTurn) -> str:
    """What the model shall know to have said."""
    return turn.heard if turn.interrupted else turn.text


def waiting_calls(entries: Iterable[Entry]) -> list[ToolCall]:
    """The calls that have no answer yet."""
    rounds = (entry for entry in entries if isinstance(entry, ToolRound))
    return [round_.call for round_ in rounds if round_.result is None]


def latest_summary(entries: Sequence[Entry]) -> Summary | None:
    """The summary that counts."""
    return next((entry for entry in reversed(entries) if isinstance(entry, Summary)), None)


def _utterance(speaker: Speaker, text: str) -> list[HistoryItem]:
    text = text.strip()
    return [Utterance(speaker=speaker, text=text)] if text else []


__all__ = ["latest_summary", "retell", "retell_entry", "told_text", "waiting_calls"]
