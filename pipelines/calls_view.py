"""Stored calls on the terminal."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from crossfade.conversation.store_records import CallFolder, CallListing, CallStatus, StoredCall
from crossfade.conversation.turns import AgentTurn, Entry, Summary, ToolRound, UserImage, UserTurn

_LONGEST = 400


def calls_table(calls: Sequence[CallListing]) -> Table:
    """One line for each call; there must be one."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    # In a narrow window the last ones are shortened.
    shown.add_column("call", no_wrap=True, min_width=max(len(call.id) for call in calls))
    for heading, width in (("began", 16), ("status", 10)):
        shown.add_column(heading, no_wrap=True, min_width=width)
    shown.add_column("length", justify="right", no_wrap=True, min_width=6)
    for heading in ("entries", "tools"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("model", no_wrap=True)
    for call in calls:
        last_at = call.seen_at if call.ended_at is None else call.ended_at
        shown.add_row(
            Text(_plain(call.id)),
            _local(call.started_at)[: -len(":00")],
            _status(call),
            _length(last_at - call.started_at),
            str(call.entries),
            str(call.tool_calls),
            Text(_plain(call.spec)),
        )
    return shown


def call_lines(call: StoredCall) -> Iterator[Text]:
    """A call in full: what it was, and then what was said.

    Args:
        call: Loaded with `started_at_s` 0.
    """
    yield Text(f"call    {_plain(call.id)}", "bold")
    yield Text(f"began   {_local(call.started_at)}")
    if call.ended_at is not None:
        yield Text(f"length  {_length(call.ended_at - call.started_at)}")
    yield Text(f"model   {_plain(call.spec)}")
    yield Text(f"status  {call.status.value}")
    for folder in call.folders:
        yield Text(f"folder  {place(folder)}, from {_local(folder.since)}")
    if call.unfinished:
        seconds = len(call.unfinished) / 2 / call.audio_rate_hz
        yield Text(f"audio   {seconds:.1f} s of an unfinished utterance")
    yield Text("")
    for entry in call.entries:
        if told := _told(entry):
            at_s, who, style, words = told
            yield Text(f"{at_s:8.2f} s  ", "dim") + Text(f"{who:<7}", style) + Text(_short(words))


def place(folder: CallFolder) -> str:
    """Where a folder is: on which machine, and where there."""
    return _plain(f"{folder.host}:{folder.path}")


def _told(entry: Entry) -> tuple[float, str, str, str] | None:
    match entry:
        case UserTurn():
            words = entry.text or ("(no words)" if entry.committed else "")
            return (entry.started_at_s, "caller", "cyan", words) if words else None
        case UserImage():
            shown = f"(showed {entry.media_type}, {entry.size_bytes} bytes)"
            return entry.shown_at_s, "caller", "cyan", shown
        case AgentTurn():
            unheard = entry.text[len(entry.heard) :].strip() if entry.interrupted else ""
            words = f"{entry.heard} [unheard: {unheard}]" if unheard else entry.text
            return (entry.started_at_s, "agent", "green", words) if words else None
        case ToolRound():
            result = entry.result
            answer = "no answer" if result is None else f"{result.output}"
            failed = "failed: " if result is not None and result.is_error else ""
            words = f"{entry.call.name}({_arguments(entry)}) → {failed}{answer}"
            return entry.called_at_s, "tool", "yellow", words
        case Summary():
            return entry.made_at_s, "summary", "magenta", entry.text


def _arguments(entry: ToolRound) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in entry.call.arguments.items())


def _status(call: CallListing) -> Text:
    if call.status is CallStatus.RUNNING:
        served = call.owner is not None
        return Text("running", "green") if served else Text("not served", "yellow")
    return Text(call.status.value, "red" if call.status is CallStatus.FAILED else "")


def _local(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _short(words: str) -> str:
    line = _plain(" ".join(words.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _plain(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)


__all__ = ["call_lines", "calls_table", "place"]
