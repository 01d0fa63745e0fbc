"""The command `crossfade bench`; its own commands are in command_parts.py and beside it."""

import typer

from .command_calls import arms, bargein, calls, cascade, record, tools
from .command_faults import continuity, drain, swaps, takeover
from .command_parts import emulator, hop, imports, resample, vad, wire
from .command_servers import serve, store

bench = typer.Typer(no_args_is_help=True, help="Measure what callers notice.")


@bench.callback()
def measurements() -> None:
    """Measure what callers notice."""


# In the order of the help.
bench.command()(hop)
bench.command()(resample)
bench.command()(calls)
bench.command()(record)
bench.command()(bargein)
bench.command()(wire)
bench.command()(emulator)
bench.command()(vad)
bench.command()(tools)
bench.command()(arms)
bench.command()(store)
bench.command()(continuity)
bench.command()(cascade)
bench.command()(swaps)
bench.command()(takeover)
bench.command()(drain)
bench.command()(serve)
bench.command()(imports)
