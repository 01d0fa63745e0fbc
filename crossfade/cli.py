"""The `crossfade` command."""

import typer

from crossfade.benchmarks.command import bench
from crossfade.pipelines.emulate import emulate
from crossfade.pipelines.native import native

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Realtime voice agents on pipecat.",
)
app.command()(native)
app.add_typer(emulate, name="emulate")
app.add_typer(bench, name="bench")


def main() -> None:
    """Run the command."""
    app()
