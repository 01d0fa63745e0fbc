"""Commands of `crossfade bench` that measure a part: a hop, a wire, a resampler, an import."""

from typing import Annotated

import typer

from .finding import Finding, JsonOption, ResultsOption, Tell, present


def hop(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """CPU of an audio frame's way from one processor to the next, beside stock pipecat's."""

    def measured(_: Tell) -> Finding:
        from .hop import content, measure, table

        result = measure(rounds)
        return Finding(name="hop", tables=[table(result)], content=content(result))

    present(measured, json=json, results=results)


def resample(
    rounds: Annotated[int, typer.Option(min=1, help="How often calls are measured.")] = 3,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """Delay, cleanness and CPU of every pair of rates, beside soxr as pipecat uses it."""

    def measured(_: Tell) -> Finding:
        from .resample import content, measure, tables

        result = measure(rounds=rounds)
        return Finding(name="resample", tables=tables(result), content=content(result))

    present(measured, json=json, results=results)


def wire(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 15,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """CPU of a minute of audio each way, against the least it could cost and other clients."""

    def measured(_: Tell) -> Finding:
        from .wire import content, measure, table

        result = measure(rounds)
        return Finding(
            name="wire", tables=[table(result)], content=content(result), missing=result.missing
        )

    present(measured, json=json, results=results)


def emulator(
    sessions: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 30,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """How evenly the OpenAI emulator paces many calls on one core."""

    def measured(_: Tell) -> Finding:
        from .emulator_load import content, measure, table

        result = measure(sessions, seconds)
        return Finding(name="emulator-load", tables=[table(result)], content=content(result))

    present(measured, json=json, results=results)


def vad(
    prompts: Annotated[int, typer.Option(min=1, help="How many human prompts to try.")] = 48,
    rounds: Annotated[int, typer.Option(min=1, help="How often the CPU is measured.")] = 4,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """Voice activity on human prompts and noises: how soon, how rightly, at what cost."""

    def measured(_: Tell) -> Finding:
        from .vad import content, measure, tables

        result = measure(prompts, rounds)
        return Finding(name="vad", tables=tables(result), content=content(result))

    present(measured, json=json, results=results)


def imports(
    runs: Annotated[int, typer.Option(min=1, help="How many processes import each.")] = 15,
    results: ResultsOption = None,
    json: JsonOption = None,
) -> None:
    """CPU of importing the providers, against that of what they cannot do without."""

    def measured(_: Tell) -> Finding:
        from .imports import content, measure

        result = measure(runs)
        line = (
            f"import crossfade.providers: {result.providers_ms} ms, "
            f"{result.ratio} × websockets, orjson and pydantic"
        )
        return Finding(name="imports", tables=[line], content=content(result))

    present(measured, json=json, results=results)
