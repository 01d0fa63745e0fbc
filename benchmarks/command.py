"""The command `crossfade bench`."""

import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from crossfade.pipelines.command_line import errors_in_one_line, prepare
from crossfade.pipelines.settings import NativeSettings

from .dated import write_dated, write_json

bench = typer.Typer(no_args_is_help=True, help="Measure what callers notice.")

_Results = Annotated[
    Path | None, typer.Option(help="Keep the result as dated JSON in this folder.")
]
_Json = Annotated[Path | None, typer.Option(help="Write the result to this file.")]


@bench.callback()
def measurements() -> None:
    """Measure what callers notice."""


@bench.command()
def hop(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """CPU of an audio frame's way from one processor to the next, beside stock pipecat's."""
    with errors_in_one_line():
        _begin()
        from .hop import content, measure, table

        result = measure(rounds)
        Console().print(table(result))
        _keep("hop", content(result), json, results)


@bench.command()
def resample(
    rounds: Annotated[int, typer.Option(min=1, help="How often calls are measured.")] = 3,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """Delay, cleanness and CPU of every pair of rates, beside soxr as pipecat uses it."""
    with errors_in_one_line():
        _begin()
        from .resample import content, measure, tables

        result = measure(rounds=rounds)
        for shown in tables(result):
            Console().print(shown)
        _keep("resample", content(result), json, results)


@bench.command()
def calls(
    at: Annotated[int, typer.Option(min=1, help="Calls at once for the CPU of one.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="How often that is measured.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each measurement.")] = 5,
    search: Annotated[bool, typer.Option(help="Look for the most calls of a core.")] = True,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """Many calls on one core, beside stock pipecat: CPU of each, and how many are too many."""
    with errors_in_one_line():
        _begin()
        from .calls import content, measure, tables

        console = Console()
        with console.status("calling") as status:
            result = measure(
                calls=at, rounds=rounds, seconds=seconds, search=search, tell=status.update
            )
        for shown in tables(result):
            console.print(shown)
        _tell_missing(console, result.missing)
        _keep("calls", content(result), json, results)


@bench.command()
def record(
    at: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="How often with, and how often without.")] = 10,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each.")] = 10,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """How much later frames leave because calls are recorded; ends with 1 if by over 1 ms."""
    with errors_in_one_line():
        _begin()
        from .record import content, held, measure, table

        console = Console()
        with console.status("calling") as status:
            result = measure(calls=at, rounds=rounds, seconds=seconds, tell=status.update)
        console.print(table(result))
        _keep("record", content(result), json, results)
        if not held(result):
            raise typer.Exit(1)


@bench.command()
def bargein(
    runs: Annotated[int, typer.Option(min=1, help="How many calls to make in real time.")] = 10,
    prompts: Annotated[
        int, typer.Option(min=0, help="How many human prompts to interrupt with.")
    ] = 24,
    seconds: Annotated[
        float, typer.Option(min=0, help="Length of the measurements beside pipecat; 0 for none.")
    ] = 10,
    results: _Results = None,
    json: _Json = None,
    provider: Annotated[str | None, typer.Option(help="openai or emulator.")] = None,
    base_url: Annotated[str | None, typer.Option(help="The whole endpoint.")] = None,
) -> None:
    """From the caller's first sound to the agent's silence, in the recordings of real calls."""
    with errors_in_one_line():
        settings = NativeSettings(provider=provider, base_url=base_url)
        _begin()
        from . import hold, interruption
        from .bargein import BargeInResult, content, tables
        from .bargein import runs as make_runs

        console = Console()
        measured = list(track(make_runs(settings, runs), "calling", total=runs, console=console))
        with console.status("interrupting"):
            result = BargeInResult(
                to_silence_ms=[ms for ms, _ in measured],
                endpoint=measured[0][1],
                local_ms=hold.measure(hold.spoken(prompts)) if prompts else [],
                silencing=interruption.silencing(seconds) if seconds else [],
                stale=interruption.stale(seconds) if seconds else [],
            )
        console.print(result.endpoint)
        for shown in tables(result):
            console.print(shown)
        _keep("bargein", content(result), json, results)


@bench.command()
def wire(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 15,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """CPU of a minute of audio each way, against the least it could cost and other clients."""
    with errors_in_one_line():
        _begin()
        from .wire import content, measure, table

        result = measure(rounds)
        console = Console()
        console.print(table(result))
        _tell_missing(console, result.missing)
        _keep("wire", content(result), json, results)


@bench.command()
def emulator(
    sessions: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 30,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """How evenly the OpenAI emulator paces many calls on one core."""
    with errors_in_one_line():
        from .emulator_load import content, measure, table

        result = measure(sessions, seconds)
        Console().print(table(result))
        _keep("emulator-load", content(result), json, results)


@bench.command()
def vad(
    prompts: Annotated[int, typer.Option(min=1, help="How many human prompts to try.")] = 48,
    rounds: Annotated[int, typer.Option(min=1, help="How often the CPU is measured.")] = 4,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """Voice activity on human prompts and noises: how soon, how rightly, at what cost."""
    with errors_in_one_line():
        _begin()
        from .vad import content, measure, tables

        result = measure(prompts, rounds)
        for shown in tables(result):
            Console().print(shown)
        _keep("vad", content(result), json, results)


@bench.command()
def tools(
    calls: Annotated[int, typer.Option(min=1, help="How many calls at once.")] = 20,
    turns: Annotated[int, typer.Option(min=1, help="Tool calls in each.")] = 10,
    provider: Annotated[
        list[str] | None, typer.Option(help="openai, gemini; by default openai alone.")
    ] = None,
    real: Annotated[
        bool, typer.Option("--real/--virtual", help="Whether the calls take their time.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of how long the tools take.")] = 20,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """The caller's silence while tools run, with acknowledgement and without, in recordings."""
    with errors_in_one_line():
        _begin()
        from .tools import content, measure, table

        console = Console()
        with console.status("calling"):
            result = measure(
                callers=calls,
                turns=turns,
                providers=provider or ["openai"],
                virtual=not real,
                seed=seed,
            )
        console.print(table(result))
        _keep("tools", content(result), json, results)


@bench.command()
def arms(
    calls: Annotated[int, typer.Option(min=4, help="Of both arms together, each time.")] = 200,
    seed: Annotated[int, typer.Option(help="Of all that is drawn by lot.")] = 8,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """Whether the comparison of two arms finds what was planted, and nothing else."""
    with errors_in_one_line():
        _begin()
        from .arms import content, measure, tables

        console = Console()
        with console.status("calling"):
            result = measure(calls, seed=seed)
        for shown in tables(result):
            console.print(shown, soft_wrap=True, markup=False, highlight=False)
        _keep("arms", content(result), json, results)
        if not result.held:
            raise typer.Exit(1)


@bench.command()
def store(
    calls: Annotated[int, typer.Option(min=1, help="How many calls at once.")] = 100,
    seconds: Annotated[float, typer.Option(min=1, help="For each store.")] = 20,
    postgres: Annotated[
        str | None, typer.Option(help="URL of a database, to measure it too.")
    ] = None,
    serve: Annotated[
        bool, typer.Option(help="Calls of clients over WebSockets, at a server of their own.")
    ] = False,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """How late audio is while a hundred calls are written to SQLite, and to PostgreSQL."""
    with errors_in_one_line():
        _begin()
        from . import store as alone
        from . import store_serve as served

        console = Console()
        with tempfile.TemporaryDirectory() as folder, console.status("talking"):
            urls = {"sqlite": f"sqlite:///{folder}/calls.db"}
            if postgres is not None:
                urls["postgresql"] = postgres
            if serve:
                loads = served.measure(urls, calls=calls, seconds=seconds)
                shown, found = served.table(loads), served.content(loads)
            else:
                result = alone.measure(urls, calls=calls, seconds=seconds)
                shown, found = alone.table(result), alone.content(result)
        console.print(shown)
        _keep("store-serve" if serve else "store", found, json, results)


@bench.command()
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
    results: _Results = None,
    json: _Json = None,
) -> None:
    """Calls whose connections die, in every state: what is lost, doubled or said again."""
    with errors_in_one_line():
        _begin()
        if beside:
            held = _beside(rounds, json, results)
        elif hours is not None:
            held = _long_call(hours, wire, json, results)
        else:
            held = _matrix(cells, wire, late, json, results)
        if not held:
            raise typer.Exit(1)


@bench.command()
def cascade(
    rounds: Annotated[int, typer.Option(min=1, help="How often each side is measured.")] = 5,
    turns: Annotated[int, typer.Option(min=1, help="Of the user in each.")] = 10,
    calls: Annotated[
        int, typer.Option(min=0, help="Calls of the embedded cascade in real time; 0 for none.")
    ] = 3,
    requests: Annotated[
        bool, typer.Option("--requests", help="Instead, spoken requests: which are understood.")
    ] = False,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """A cascade beside a stock pipeline of the same services, and its voice-to-voice time."""
    with errors_in_one_line():
        _begin()
        console = Console()
        if requests:
            held = _requests(console, json, results)
        else:
            from .cascade import content, measure, tables

            with console.status("talking") as status:
                result = measure(rounds, turns, calls, tell=status.update)
            for shown in tables(result):
                console.print(shown)
            _keep("cascade", content(result), json, results)
            held = result.held
        if not held:
            raise typer.Exit(1)


def _requests(console: Console, json: Path | None, results: Path | None) -> bool:
    import asyncio

    from .cascade_requests import content, measure, problems, table

    with console.status("speaking"):
        found = asyncio.run(measure())
    console.print(table(found))
    for line in problems(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    _keep("cascade-requests", content(found), json, results)
    return found.held


@bench.command()
def swaps(results: _Results = None, json: _Json = None) -> None:
    """Calls whose speech node is swapped, in every state: what is lost, doubled, or silent."""
    with errors_in_one_line():
        _begin()
        from .swaps import content, measure, problems, table

        console = Console()
        with console.status("calling") as status:
            found = measure(
                tell=lambda cell: status.update(f"{cell.wire}, {cell.state}, {cell.why_changed}")
            )
        console.print(table(found))
        for line in problems(found):
            console.print(line)
        _keep("swaps", content(found), json, results)
        if found.held < len(found.cells):
            raise typer.Exit(1)


def _matrix(
    cells: int | None, wires: list[str] | None, late: bool, json: Path | None, results: Path | None
) -> bool:
    from .continuity import ALL_WIRES, content, measure, problems, table

    console = Console()
    with console.status("calling") as status:
        found = measure(
            count=cells,
            wires=wires or ALL_WIRES,
            late=late,
            tell=lambda cell: status.update(f"{cell.wire}, {cell.fault}, {cell.state}"),
        )
    console.print(table(found))
    for line in problems(found):
        console.print(line, style="red", markup=False, highlight=False)
    _keep("continuity", content(found), json, results)
    return found.held == len(found.cells)


def _long_call(
    hours: float, wires: list[str] | None, json: Path | None, results: Path | None
) -> bool:
    from .continuity import WIRES
    from .continuity_long import measure_long

    found = measure_long(hours, wires=wires or WIRES)
    Console().print(found.table())
    for call in found.calls:
        if call.why:
            Console().print(f"{call.wire}: {call.why}", style="red", markup=False, highlight=False)
    _keep("continuity-long", found.content(), json, results)
    return found.held


def _beside(rounds: int, json: Path | None, results: Path | None) -> bool:
    from .continuity_beside import content, holds, measure, missing, table

    found = measure(rounds)
    Console().print(table(found))
    if absent := missing():
        Console().print(f"not installed: {', '.join(absent)}")
    _keep("continuity-beside", content(found), json, results)
    return holds(found)


@bench.command()
def takeover(
    rounds: Annotated[int, typer.Option(min=1, help="Servers killed, at each store.")] = 10,
    calls: Annotated[int, typer.Option(min=1, help="Calls of each kind that it has then.")] = 4,
    postgres: Annotated[
        str | None, typer.Option(help="URL of a database, to measure it too.")
    ] = None,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """Silence, and what is lost, when the process that serves calls is killed (SIGKILL)."""
    with errors_in_one_line():
        _begin()
        from .takeover import content, measure, table

        console = Console()
        with tempfile.TemporaryDirectory() as folder, console.status("calling") as status:
            urls = {"sqlite": f"sqlite:///{folder}/calls.db"}
            if postgres is not None:
                urls["postgresql"] = postgres
            result = measure(urls, rounds=rounds, calls=calls, tell=status.update)
        console.print(table(result))
        _keep("takeover", content(result), json, results)


@bench.command()
def drain(
    calls: Annotated[int, typer.Option(min=1, help="At once.")] = 20,
    workers: Annotated[int, typer.Option(min=2, help="Processes of the server.")] = 2,
    how: Annotated[
        list[str] | None, typer.Option(help="ended, killed or replaced; by default all.")
    ] = None,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """Calls of a server of several workers when one is ended or killed; 1 if one does not go on."""
    with errors_in_one_line():
        _begin()
        from .drain import HOW, content, held, measure, table

        console = Console()
        with console.status("calling") as status:
            found = measure(how or tuple(HOW), calls=calls, workers=workers, tell=status.update)
        console.print(table(found))
        _keep("drain", content(found), json, results)
        if not held(found):
            raise typer.Exit(1)


@bench.command()
def serve(
    calls: Annotated[int, typer.Option(min=1, help="Callers, one more each 0.1 s.")] = 100,
    minutes: Annotated[float, typer.Option(min=0.1, help="Measured, when all are there.")] = 10,
    busy_at: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the core that is busy, as of crossfade serve."),
    ] = 0.0,
    profile: Annotated[Path | None, typer.Option(help="Where cProfile's statistics go.")] = None,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """Callers over WebSockets at one process of crossfade serve; ends with 1 if a goal is missed.

    With --busy-at and more callers than a core carries, those who are let in must not suffer.
    """
    with errors_in_one_line():
        from .serve import content, measure, table

        console = Console()
        with console.status("calling") as status:
            load = measure(
                calls=calls,
                seconds=60 * minutes,
                busy_at=busy_at,
                profile="" if profile is None else str(profile.resolve()),
                tell=status.update,
            )
        console.print(table(load))
        _keep("serve", content(load), json, results)
        if not load.held:
            raise typer.Exit(1)


@bench.command()
def imports(
    runs: Annotated[int, typer.Option(min=1, help="How many processes import each.")] = 15,
    results: _Results = None,
    json: _Json = None,
) -> None:
    """CPU of importing the providers, against that of what they cannot do without."""
    with errors_in_one_line():
        from .imports import content, measure

        result = measure(runs)
        Console().print(
            f"import crossfade.providers: {result.providers_ms} ms, "
            f"{result.ratio} × websockets, orjson and pydantic"
        )
        _keep("imports", content(result), json, results)


def _begin() -> None:
    """Set up as the pipelines do, without what pipecat tells of each call."""
    prepare()
    from loguru import logger

    logger.disable("pipecat")


def _tell_missing(console: Console, peers: Iterable[str]) -> None:
    for peer in dict.fromkeys(peers):
        console.print(f"{peer} is not installed: left out")


def _keep(name: str, content: Mapping[str, Any], json: Path | None, results: Path | None) -> None:
    if json is not None:
        write_json(content, json)
        _say_written(json)
    if results is not None:
        _say_written(write_dated(name, content, results, _now()))


def _now() -> datetime:
    return datetime.now().astimezone()


def _say_written(path: Path) -> None:
    Console().print(f"written to {path}")
