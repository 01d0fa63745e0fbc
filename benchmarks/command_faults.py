"""Commands of `crossfade bench` in which something dies or changes in the middle of calls."""

import tempfile
from typing import Annotated

import typer

from .finding import Finding, JsonOption, PostgresOption, ResultsOption, Tell, present


def continuity(
    cells: Annotated[
        int | None, typer.Option(min=1, help="Run so many, spread evenly over all.")
    ] = None,
    wire: Annotated[list[str] | None, typer.Option(help="Of this wire alone.")] = None,
    late: Annotated[
        bool, typer.Option(help="Instead, cells in which the caller's words come late.")
    ] = False,
    hours: Annotated[
        float | None, typer.Option(min=0.05, help="One long call instead, a fault a minute.")
    ] = None,
    beside: Annotated[
        bool, typer.Option(help="Instead, in real time beside others' sessions, where installed.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="How often that is measured.")] = 3,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """Calls whose connections die, in every state: what is lost, doubled or said again."""

    def measured(tell: Tell) -> Finding:
        if beside:
            return _beside(rounds)
        if hours is not None:
            return _long_call(hours, wire)
        return _matrix(cells, wire, late, tell)

    doing = "calling" if hours is None and not beside else None
    present(measured, json=json, results=results, doing=doing)


def _matrix(cells: int | None, wires: list[str] | None, late: bool, tell: Tell) -> Finding:
    from .continuity import ALL_WIRES, content, measure, problems, table

    found = measure(
        count=cells,
        wires=wires or ALL_WIRES,
        late=late,
        tell=lambda cell: tell(f"{cell.wire}, {cell.fault}, {cell.state}"),
    )
    return Finding(
        name="continuity",
        tables=[table(found)],
        problems=problems(found),
        content=content(found),
        held=found.held == len(found.cells),
    )


def _long_call(hours: float, wires: list[str] | None) -> Finding:
    from .continuity import WIRES
    from .continuity_long import measure_long

    found = measure_long(hours, wires=wires or WIRES)
    return Finding(
        name="continuity-long",
        tables=[found.table()],
        problems=[f"{call.wire}: {call.why}" for call in found.calls if call.why],
        content=found.content(),
        held=found.held,
    )


def _beside(rounds: int) -> Finding:
    from .continuity_beside import content, holds, measure, missing, table

    found = measure(rounds)
    return Finding(
        name="continuity-beside",
        tables=[table(found)],
        missing=missing(),
        content=content(found),
        held=holds(found),
    )


def swaps(results: ResultsOption = None, json: JsonOption = None) -> None:
    """Calls whose speech node is swapped, in every state: what is lost, doubled, or silent."""

    def measured(tell: Tell) -> Finding:
        from .swaps import content, measure, problems, table

        found = measure(tell=lambda cell: tell(f"{cell.wire}, {cell.state}, {cell.why_changed}"))
        return Finding(
            name="swaps",
            tables=[table(found)],
            problems=problems(found),
            content=content(found),
            held=found.held == len(found.cells),
        )

    present(measured, json=json, results=results, doing="calling")


def takeover(
    rounds: Annotated[int, typer.Option(min=1, help="Servers killed, at each store.")] = 10,
    calls: Annotated[int, typer.Option(min=1, help="Calls of each kind that it has then.")] = 4,
    postgres: PostgresOption = None,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """Silence, and what is lost, when the process that serves calls is killed (SIGKILL)."""

    def measured(tell: Tell) -> Finding:
        from .takeover import content, measure, table

        with tempfile.TemporaryDirectory() as folder:
            urls = {"sqlite": f"sqlite:///{folder}/calls.db"}
            if postgres is not None:
                urls["postgresql"] = postgres
            result = measure(urls, rounds=rounds, calls=calls, tell=tell)
        return Finding(name="takeover", tables=[table(result)], content=content(result))

    present(measured, json=json, results=results, doing="calling")


def drain(
    calls: Annotated[int, typer.Option(min=1, help="At once.")] = 20,
    workers: Annotated[int, typer.Option(min=2, help="Processes of the server.")] = 2,
    how: Annotated[
        list[str] | None, typer.Option(help="ended, killed or replaced; by default all.")
    ] = None,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """Calls of a server of several workers when one is ended or killed; 1 if one does not go on."""

    def measured(tell: Tell) -> Finding:
        from .drain import HOW, content, held, measure, table

        found = measure(how or tuple(HOW), calls=calls, workers=workers, tell=tell)
        return Finding(
            name="drain", tables=[table(found)], content=content(found), held=held(found)
        )

    present(measured, json=json, results=results, doing="calling")
