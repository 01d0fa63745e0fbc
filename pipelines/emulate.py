"""The command `crossfade emulate`: a provider's protocol, served on this machine."""

from typing import Any

import typer
from typer.core import TyperGroup


class _Wires(TyperGroup):
    """The emulators by name; tells of one that there is not in one line."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            known = ", ".join(self.commands)
            typer.echo(f"error: no emulator '{args[0]}'; there are {known}", err=True)
            raise typer.Exit(2)
        return super().resolve_command(ctx, args)


# The emulators have a parser of their own, since they run without this command too.
_AS_IT_STANDS = {"allow_extra_args": True, "ignore_unknown_options": True}

emulate = typer.Typer(
    cls=_Wires,
    no_args_is_help=True,
    context_settings={"ignore_unknown_options": True},
    help="Serve a provider's protocol on this machine.",
)


@emulate.callback()
def providers() -> None:
    """Serve a provider's protocol on this machine."""


def _run(context: typer.Context) -> None:
    from crossfade.emulators.command import main

    raise typer.Exit(main([str(context.info_name), *context.args]))


@emulate.command(context_settings=_AS_IT_STANDS, add_help_option=False)
def openai(context: typer.Context) -> None:
    """OpenAI Realtime, until Ctrl-C. Clients take the printed address as their base URL."""
    _run(context)


@emulate.command(context_settings=_AS_IT_STANDS, add_help_option=False)
def gemini(context: typer.Context) -> None:
    """Gemini Live, until Ctrl-C."""
    _run(context)


@emulate.command(context_settings=_AS_IT_STANDS, add_help_option=False)
def moshi(context: typer.Context) -> None:
    """Moshi, until Ctrl-C."""
    _run(context)
