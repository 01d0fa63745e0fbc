"""Commands of `crossfade bench` that hold calls: their cost, and how long callers wait."""

from typing import Annotated

import typer

from crossfade.pipelines.settings import NativeSettings

from .finding import Finding, JsonOption, ResultsOption, Tell, present


def calls(
    at: Annotated[int, typer.Option(min=1, help="Calls at once for the CPU of one.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="How often that is measured.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each measurement.")] = 5,
    search: Annotated[bool, typer.Option(help="Look for the most calls of a core.")] = True,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """Many calls on one core, beside stock pipecat: CPU of each, and how many are too many."""

    def measured(tell: Tell) -> Finding:
        from .calls import content, measure, tables

        result = measure(calls=at, rounds=rounds, seconds=seconds, search=search, tell=tell)
        return Finding(
            name="calls", tables=tables(result), content=content(result), missing=result.missing
        )

    present(measured, json=json, results=results, doing="calling")


def record(
    at: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="How often with, without, and watched.")] = 10,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each.")] = 5,
    capture: Annotated[bool, typer.Option("--capture", help="Keep captures, too.")] = False,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """What calls cost more and how much later frames go on because they are recorded; ends with 1
    if by over 10 %, or 1 ms."""

    def measured(tell: Tell) -> Finding:
        from .record import measure
        from .record_result import content, held, tables

        result = measure(calls=at, rounds=rounds, seconds=seconds, captured=capture, tell=tell)
        return Finding(
            name="record", tables=tables(result), content=content(result), held=held(result)
        )

    # In this process: a terminal that tells how far it is would take CPU from it.
    present(measured, json=json, results=results)


def bargein(
    runs: Annotated[int, typer.Option(min=1, help="How many calls to make in real time.")] = 10,
    prompts: Annotated[
        int, typer.Option(min=0, help="How many human prompts to interrupt with.")
    ] = 24,
    seconds: Annotated[
        float, typer.Option(min=0, help="Length of the measurements beside pipecat; 0 for none.")
    ] = 10,
    results: ResultsOption = None,
    json: JsonOption = None,
    provider: Annotated[str | None, typer.Option(help="openai or emulator.")] = None,
    base_url: Annotated[str | None, typer.Option(help="The whole endpoint.")] = None,
) -> None:
    """From the caller's first sound to the agent's silence, in the recordings of real calls."""

    def measured(tell: Tell) -> Finding:
        settings = NativeSettings(provider=provider, base_url=base_url)
        from . import hold, interruption
        from .bargein import BargeInResult, content, tables
        from .bargein import runs as make_runs

        called = []
        for number, call in enumerate(make_runs(settings, runs), 1):
            called.append(call)
            tell(f"calling, {number} of {runs} done")
        tell("interrupting")
        result = BargeInResult(
            to_silence_ms=[ms for ms, _ in called],
            endpoint=called[0][1],
            local_ms=hold.measure(hold.spoken(prompts)) if prompts else [],
            silencing=interruption.silencing(seconds) if seconds else [],
            stale=interruption.stale(seconds) if seconds else [],
        )
        return Finding(
            name="bargein", tables=[result.endpoint, *tables(result)], content=content(result)
        )

    present(measured, json=json, results=results, doing="calling")


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
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """The caller's silence while tools run, with acknowledgement and without, in recordings."""

    def measured(_: Tell) -> Finding:
        from .tools import content, measure, table

        result = measure(
            callers=calls,
            turns=turns,
            providers=provider or ["openai"],
            virtual=not real,
            seed=seed,
        )
        return Finding(name="tools", tables=[table(result)], content=content(result))

    present(measured, json=json, results=results, doing="calling")


def arms(
    calls: Annotated[int, typer.Option(min=4, help="Of both arms together, each time.")] = 200,
    seed: Annotated[int, typer.Option(help="Of all that is drawn by lot.")] = 8,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """Whether the comparison of two arms finds what was planted, and nothing else."""

    def measured(_: Tell) -> Finding:
        from .arms import content, measure, tables

        result = measure(calls, seed=seed)
        return Finding(
            name="arms", tables=tables(result), content=content(result), held=result.held
        )

    present(measured, json=json, results=results, doing="calling")


def cascade(
    rounds: Annotated[int, typer.Option(min=1, help="How often each side is measured.")] = 5,
    turns: Annotated[int, typer.Option(min=1, help="Of the user in each.")] = 10,
    calls: Annotated[
        int, typer.Option(min=0, help="Calls of the embedded cascade in real time; 0 for none.")
    ] = 3,
    requests: Annotated[
        bool, typer.Option("--requests", help="Instead, spoken requests: which are understood.")
    ] = False,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """A cascade beside a stock pipeline of the same services, and its voice-to-voice time."""

    def measured(tell: Tell) -> Finding:
        from .cascade import content, measure, tables

        result = measure(rounds, turns, calls, tell=tell)
        return Finding(
            name="cascade", tables=tables(result), content=content(result), held=result.held
        )

    if requests:
        present(_requests, json=json, results=results, doing="speaking")
    else:
        present(measured, json=json, results=results, doing="talking")


def _requests(_: Tell) -> Finding:
    import asyncio

    from .cascade_requests import content, measure, problems, table

    found = asyncio.run(measure())
    return Finding(
        name="cascade-requests",
        tables=[table(found)],
        problems=problems(found),
        content=content(found),
        held=found.held,
    )
