"""Commands of `crossfade bench` that load a server or a store with many calls."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from .finding import Finding, JsonOption, PostgresOption, ResultsOption, Tell, present


def store(
    calls: Annotated[int, typer.Option(min=1, help="How many calls at once.")] = 100,
    seconds: Annotated[float, typer.Option(min=1, help="For each store.")] = 20,
    postgres: PostgresOption = None,
    serve: Annotated[
        bool, typer.Option(help="Calls of clients over WebSockets, at a server of their own.")
    ] = False,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """How late audio is while a hundred calls are written to SQLite, and to PostgreSQL."""

    def measured(_: Tell) -> Finding:
        from . import store as alone
        from . import store_serve as served

        with tempfile.TemporaryDirectory() as folder:
            urls = {"sqlite": f"sqlite:///{folder}/calls.db"}
            if postgres is not None:
                urls["postgresql"] = postgres
            if serve:
                loads = served.measure(urls, calls=calls, seconds=seconds)
                table, content = served.table(loads), served.content(loads)
            else:
                result = alone.measure(urls, calls=calls, seconds=seconds)
                table, content = alone.table(result), alone.content(result)
        return Finding(name="store-serve" if serve else "store", tables=[table], content=content)

    present(measured, json=json, results=results, doing="talking")


def serve(
    calls: Annotated[int, typer.Option(min=1, help="Callers, one more each 0.1 s.")] = 100,
    minutes: Annotated[float, typer.Option(min=0.1, help="Measured, when all are there.")] = 10,
    cycle: Annotated[
        Literal["conversation", "talk"],
        typer.Option(help="Whether the agent speaks half of the time, or nearly always."),
    ] = "conversation",
    busy_at: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the core that is busy, as of crossfade serve."),
    ] = 0.0,
    one_core: Annotated[
        bool, typer.Option(help="Give the server one core, and not what callers leave of theirs.")
    ] = False,
    profile: Annotated[Path | None, typer.Option(help="Where cProfile's statistics go.")] = None,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """Callers over WebSockets at one process of crossfade serve; ends with 1 if a goal is missed.

    With --busy-at and more callers than a core carries, those who are let in must not suffer.
    """

    def measured(tell: Tell) -> Finding:
        from .serve import content, measure, table

        load = measure(
            calls=calls,
            cycle=cycle,
            seconds=60 * minutes,
            busy_at=busy_at,
            one_core=one_core,
            profile="" if profile is None else str(profile.resolve()),
            tell=tell,
        )
        return Finding(name="serve", tables=[table(load)], content=content(load), held=load.held)

    present(measured, json=json, results=results, doing="calling")
