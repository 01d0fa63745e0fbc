"""The command `crossfade calls`: what is kept of calls, shown, exported and deleted."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from crossfade.errors import SettingsError
from crossfade.pipelines.calls_place import STORE_VARIABLE, store_url
from crossfade.pipelines.command_line import errors_in_one_line, prepare

if TYPE_CHECKING:
    from crossfade.conversation.store import CallStore
    from crossfade.conversation.store_records import CallFolder, StoredCall

T = TypeVar("T")

calls = typer.Typer(no_args_is_help=True, help="What is kept of calls: see it, export it, delete.")

_Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        help=f"URL of the store or path of its file; else {STORE_VARIABLE}, else the user's own.",
        show_default=False,
    ),
]
_Call = Annotated[str, typer.Argument(help="The call, or the beginning of its name.")]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Format(StrEnum):
    """What a call is exported to."""

    JSON = "json"
    WEBVTT = "webvtt"


@calls.callback()
def kept() -> None:
    """What is kept of calls: see it, export it, delete it."""


@calls.command("list")
def list_calls(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    store: _Store = None,
) -> None:
    """The latest calls."""
    with errors_in_one_line():
        found = _in_store(store, lambda opened: opened.calls(limit=limit))
        from crossfade.pipelines.calls_view import calls_table

        Console().print(calls_table(found) if found else "no calls are kept")


@calls.command()
def show(call: _Call, store: _Store = None) -> None:
    """What was said in a call."""
    with errors_in_one_line():
        found = _in_store(store, lambda opened: _loaded(opened, call))
        from crossfade.pipelines.calls_view import call_lines

        console = Console()
        for line in call_lines(found):
            console.print(line, soft_wrap=True)


@calls.command()
def export(
    call: _Call,
    form: Annotated[
        Format, typer.Option("--format", help="JSON, or subtitles as heard.")
    ] = Format.JSON,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; else it is printed.")
    ] = None,
    store: _Store = None,
) -> None:
    """A call as JSON or WebVTT."""
    with errors_in_one_line():
        found = _in_store(store, lambda opened: _loaded(opened, call))
        from crossfade.pipelines.calls_export import as_json, as_webvtt

        text = as_json(found) if form is Format.JSON else as_webvtt(found)
        # Half a surrogate pair, which a model may write, has no UTF-8.
        content = text.encode("utf-8", errors="replace")
        if output is None:
            typer.echo(content, nl=False)
            return
        try:
            output.write_bytes(content)
        except OSError as error:
            raise SettingsError(f"cannot write {output}: {error.strerror}") from error
        Console().print(f"written to {output}")


@calls.command()
def delete(
    call: Annotated[
        list[str] | None, typer.Argument(help="The calls, by their full names.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="All that ended so long ago, such as 30d, 12h or 2w.")
    ] = None,
    store: _Store = None,
) -> None:
    """Delete calls for good, with words, tool calls and audio."""
    with errors_in_one_line():
        if (not call) == (older_than is None):
            raise SettingsError("say which calls to delete, or --older-than")
        than_s = None if older_than is None else _seconds(older_than)
        folders: list[CallFolder] = []
        try:
            count = _in_store(store, lambda opened: _deleted(opened, call or [], than_s, folders))
        finally:
            _show_folders(folders)
        if call and count < len(set(call)):
            raise SettingsError(
                f"deleted {count} of {len(set(call))}: there is no call of the other names; "
                "see crossfade calls list"
            )
        Console().print(f"deleted {count} call{'' if count == 1 else 's'}")


async def _deleted(
    store: "CallStore", call_ids: list[str], than_s: float | None, folders: "list[CallFolder]"
) -> int:
    """Delete calls by name or by age; gives how many there were, and adds where they were
    recorded, which nobody could tell afterwards."""
    if than_s is None:
        folders += await store.folders(call_ids)
        return await store.delete(call_ids)
    folders += await store.folders_older(than_s)
    return await store.delete_older(than_s)


def _show_folders(folders: "Sequence[CallFolder]") -> None:
    if not folders:
        return
    from crossfade.pipelines.calls_view import place

    console = Console()
    console.print("the recordings of these calls are not the store's; delete them where they lie:")
    for folder in folders:
        console.print(Text(f"  {place(folder)}"), soft_wrap=True)


async def _loaded(store: "CallStore", name: str) -> "StoredCall":
    if found := await store.load_call(name, started_at_s=0.0):
        return found
    matching = await store.named(name)
    if len(matching) > 1:
        raise SettingsError(f"{len(matching)} calls begin with {name}; say more of the name")
    found = await store.load_call(matching[0], started_at_s=0.0) if matching else None
    if found is None:
        raise SettingsError(f"there is no call {name}; see crossfade calls list")
    return found


def _in_store(named: str | None, work: Callable[["CallStore"], Coroutine[Any, Any, T]]) -> T:
    prepare()
    from crossfade.conversation.store import open_store

    async def opened() -> T:
        async with await open_store(store_url(named)) as store:
            return await work(store)

    return asyncio.run(opened())


def _seconds(length: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", length.strip())
    if found is None:
        raise SettingsError(
            f"--older-than {length} is no length of time; say a number and s, m, h, d or w"
        )
    return float(found[1]) * _SECONDS[found[2]]
