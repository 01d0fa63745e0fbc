"""The command `crossfade route`: which arm a call would be given, and why."""

from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from crossfade.errors import SettingsError
from crossfade.pipelines.command_line import errors_in_one_line, prepare


def route(
    arms: Annotated[Path, typer.Argument(help="YAML file of arms.")],
    caller: Annotated[
        str | None, typer.Option(help="Whose call it is, such as a number; the key of the choice.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the call, such as en or de-AT.")] = "",
    urgency: Annotated[str, typer.Option(help="low, normal or high.")] = "normal",
    sends: Annotated[
        list[str] | None, typer.Option(help="audio, text or image; may be repeated.")
    ] = None,
    ceiling: Annotated[
        str | None, typer.Option(help="What a minute may cost at most, in US dollars.")
    ] = None,
    failing: Annotated[
        list[str] | None, typer.Option(help="A node whose provider fails; may be repeated.")
    ] = None,
    callers: Annotated[
        int, typer.Option(min=1, help="Without --caller: deal so many made-up callers.")
    ] = 1000,
) -> None:
    """Which arm a call is given, and why; or how an arms file deals many callers."""
    with errors_in_one_line():
        prepare()
        from crossfade.pipelines.route_file import check_nodes, read_route
        from crossfade.pipelines.routing import CallRequest, Choice, Modality, Urgency, choose
        from crossfade.providers.continuity.breaker import BreakerState

        found = read_route(arms)
        check_nodes(found)
        nodes = list(dict.fromkeys(arm.node for arm in found.arms))
        if unknown := [node for node in failing or () if node not in nodes]:
            raise SettingsError(
                f"no arm has the node {', '.join(unknown)}, which is to fail; the nodes of {arms} "
                f"are {', '.join(nodes)}"
            )
        health = dict.fromkeys(failing or (), BreakerState.OPEN)
        try:
            wanted = frozenset(Modality(each) for each in sends or ["audio"])
            how_soon = Urgency(urgency)
            at_most = None if ceiling is None else Decimal(ceiling)
        except (ValueError, InvalidOperation) as error:
            raise SettingsError(f"that cannot be asked for: {error}; see --help") from error
        if at_most is not None and not (at_most.is_finite() and at_most >= 0):
            raise SettingsError(
                f"the ceiling {ceiling} is no amount; give US dollars, such as 0.05"
            )

        def chosen(key: str) -> Choice:
            request = CallRequest(
                key=key,
                language=language,
                modalities=wanted,
                urgency=how_soon,
                usd_per_minute=at_most,
            )
            return choose(found.arms, request, health, experiment=found.experiment)

        console = Console()
        if caller is None:
            dealt = Counter(chosen(f"caller {number}").arm.name for number in range(callers))
            console.print(_dealt(dealt, callers))
            return
        choice = chosen(caller)
        told = [f"{choice.arm.name}: {choice.arm.node}", f"because {choice.reason}"]
        told += [f"not {arm.name}: {why}" for arm, why in choice.rejected]
        for line in told:
            console.print(line, soft_wrap=True, markup=False, highlight=False)


def _dealt(dealt: Counter[str], callers: int) -> Table:
    table = Table(box=None)
    for heading in ("arm", "callers", "share"):
        table.add_column(heading, justify="left" if heading == "arm" else "right")
    for name, count in sorted(dealt.items()):
        table.add_row(name, str(count), f"{count / callers:.1%}")
    return table


__all__ = ["route"]
