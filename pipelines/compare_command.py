"""The command `crossfade compare`: arms of a route over many calls, or two calls, side by side."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crossfade.errors import SettingsError
from crossfade.pipelines.command_line import errors_in_one_line, prepare


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of calls, or of many calls.")],
    by: Annotated[
        str | None,
        typer.Option(
            help="The detail of the calls that tells their arm, such as arm or model. "
            "By default arm; two calls are shown beside each other.",
            show_default=False,
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="The arm that others are compared with; by default the first by name."),
    ] = None,
) -> None:
    """Arms side by side over many calls, with what differs and what does not; or two calls."""
    with errors_in_one_line():
        prepare()
        from crossfade.observability.call import EVENTS
        from crossfade.observability.summary_file import SUMMARY
        from crossfade.pipelines.compare_runs import call_folders, figures, summary_of

        folders = call_folders(runs, holding=SUMMARY, or_named=EVENTS)
        summaries = [summary_of(folder) for folder in folders]
        if len(folders) < 2:
            raise SettingsError(
                f"{folders[0]}: one call has nothing to be compared with; name another as well"
            )
        console = Console()
        if by is None and base is None and len(folders) == 2:
            from crossfade.pipelines.compare_calls import calls_beside

            console.print(calls_beside([folder.name for folder in folders], summaries))
            return
        from crossfade.observability.arms import compare_arms
        from crossfade.observability.arms_view import arms_table, findings

        calls = figures(summaries, by=by or "arm")
        if base is not None and base not in {call.arm for call in calls}:
            raise SettingsError(f"no call is of the arm {base}; see the arms without --base")
        report = compare_arms(calls, base=base)
        console.print(arms_table(report))
        for line in findings(report):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
        console.print(
            "In parentheses: where the figure lies with 95 % confidence. Reports of differences "
            "where there are none: one in twenty.",
            style="dim",
            soft_wrap=True,
        )


__all__ = ["compare"]
