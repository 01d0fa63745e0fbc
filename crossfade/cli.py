"""The `crossfade` command."""

from typing import Annotated

import typer

from crossfade import __version__
from crossfade.benchmarks.command import bench
from crossfade.pipelines.calls_command import calls
from crossfade.pipelines.cascaded import cascaded
from crossfade.pipelines.compare_command import compare
from crossfade.pipelines.cost_command import cost
from crossfade.pipelines.doctor_command import doctor
from crossfade.pipelines.emulate import emulate
from crossfade.pipelines.native import native
from crossfade.pipelines.new_command import new
from crossfade.pipelines.replay_command import replay
from crossfade.pipelines.report_command import report
from crossfade.pipelines.route_command import route
from crossfade.pipelines.serve import serve
from crossfade.pipelines.tail_command import tail

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Realtime voice agents on pipecat.",
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crossfade {__version__}")
        raise typer.Exit


@app.callback()
def _crossfade(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Tell the version and end."
        ),
    ] = False,
) -> None:
    pass


app.command()(native)
app.command()(cascaded)
app.command()(serve)
app.command()(cost)
app.command()(report)
app.command()(compare)
app.command()(route)
app.command()(replay)
app.command()(doctor)
app.command()(tail)
app.add_typer(emulate, name="emulate")
app.add_typer(calls, name="calls")
app.add_typer(new, name="new")
app.add_typer(bench, name="bench")


def main() -> None:
    """Run the command."""
    app()
