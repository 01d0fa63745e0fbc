"""The command `crossfade cost`: what calls cost, by the prices that are known now."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from crossfade.errors import SettingsError
from crossfade.pipelines.calls_place import STORE_VARIABLE, store_url
from crossfade.pipelines.command_line import errors_in_one_line, prepare

if TYPE_CHECKING:
    from crossfade.observability.cost import CallCost
    from crossfade.observability.prices import PriceBook


def cost(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of calls, or of many calls; without one, those of the store."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help=f"URL of the store or path of its file; else {STORE_VARIABLE}, else the "
            "user's own.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Of a store, so many, newest first.")] = 20,
    prices: Annotated[
        Path | None, typer.Option(help="YAML or JSON file of prices that go before the known.")
    ] = None,
) -> None:
    """What calls cost, priced anew from what they used."""
    with errors_in_one_line():
        if runs and store is not None:
            raise SettingsError("name folders of calls, or --store, not both")
        prepare()
        from crossfade.observability.cost_view import calls_table, cost_table
        from crossfade.observability.prices_file import prices_with

        book = prices_with(prices)
        found, cut = _of_runs(runs, book) if runs else (_stored(store, limit, book), set[str]())
        console = Console()
        if len(found) == 1:
            for name, of_call in found.items():
                console.print(cost_table(name, of_call, cut=name in cut))
        else:
            console.print(calls_table(found, cut) if found else "no calls are kept")


def _of_runs(runs: list[Path], book: "PriceBook") -> tuple[dict[str, "CallCost"], set[str]]:
    """What each costs, and of which of them the log has no end."""
    from crossfade.observability.cost_log import reprice
    from crossfade.observability.run_log import read_log
    from crossfade.pipelines.compare_runs import call_folders

    costs, cut = {}, set()
    for folder in call_folders(runs, holding="events.jsonl"):
        log = read_log(folder / "events.jsonl")
        try:
            costs[str(folder)] = reprice(log, book).cost
        except SettingsError as error:
            raise SettingsError(
                f"{folder / 'events.jsonl'}: {error}; leave the call out"
            ) from error
        if not log.ended:
            cut.add(str(folder))
    return costs, cut


def _stored(named: str | None, limit: int, book: "PriceBook") -> dict[str, "CallCost"]:
    from crossfade.conversation.store import open_store
    from crossfade.pipelines.cost_stored import stored_cost

    async def load() -> dict[str, "CallCost"]:
        async with await open_store(store_url(named)) as store:
            costs = {}
            for listing in await store.calls(limit=limit):
                call = await store.load_call(listing.id, started_at_s=0.0)
                if call is not None:
                    costs[call.id] = stored_cost(call, book)
            return costs

    return asyncio.run(load())


__all__ = ["cost"]
