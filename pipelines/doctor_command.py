"""The command `crossfade doctor`: whether calls can be made here, and what to do if not."""

import functools
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crossfade.pipelines.command_line import errors_in_one_line, prepare

UNHEALTHY = 1
"""Exit code when calls will fail."""


def doctor(
    online: Annotated[
        bool, typer.Option("--online", help="Reach for the providers, too, without a key.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="The port that calls are to be served at.")
    ] = 7860,
    runs: Annotated[Path, typer.Option(help="Where the folders of calls are made.")] = Path("runs"),
    store: Annotated[
        str | None, typer.Option(help="URL of the store or path of its file.", show_default=False)
    ] = None,
) -> None:
    """Examine keys, packages, devices, clock, port, codecs, models and the store.

    Ends with 0 where calls can be made, else with 1.
    """
    with errors_in_one_line():
        prepare()
        from crossfade.pipelines import doctor_finding as told
        from crossfade.pipelines import doctor_machine, doctor_parts, doctor_services

        checks: list[tuple[str, told.Check]] = [
            ("python", doctor_parts.python),
            ("packages", doctor_parts.packages),
            ("extras", doctor_parts.extras),
            ("keys", doctor_services.keys),
            ("clock", doctor_machine.clock),
            ("port", functools.partial(doctor_machine.port, port)),
            ("folder", functools.partial(doctor_machine.folder, runs)),
            ("devices", doctor_machine.devices),
            ("codecs", doctor_parts.codecs),
            ("models", doctor_parts.models),
            ("offline speech", doctor_parts.offline_speech),
            ("store", functools.partial(doctor_services.store, store)),
        ]
        if online:
            checks.append(("providers", doctor_services.providers))
        findings = list(told.examine(checks))
        if as_json:
            typer.echo(json.dumps(told.as_json(findings), indent=2))
        else:
            console = Console()
            for line in told.as_lines(findings):
                console.print(line, soft_wrap=True)
        if not told.healthy(findings):
            raise typer.Exit(UNHEALTHY)


__all__ = ["UNHEALTHY", "doctor"]
