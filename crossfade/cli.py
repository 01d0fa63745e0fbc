"""The `crossfade` command."""

import typer

from crossfade.benchmarks.command import bench
from crossfade.pipelines.calls_command import calls
from crossfade.pipelines.cascaded import cascaded
from crossfade.pipelines.emulate import emulate
from crossfade.pipelines.native import native
from crossfade.pipelines.serve import serve

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Realtime voice agents on pipecat.",
)
app.command()(native)
app.command()(cascaded)
app.command()(serve)
app.add_typer(emulate, name="emulate")
app.add_typer(calls, name="calls")
app.add_typer(bench, name="bench")


def main() -> None:
    """Run the command."""
    app()
