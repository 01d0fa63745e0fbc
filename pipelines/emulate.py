"""The command `crossfade emulate`: a provider's protocol, served on this machine."""

import typer

emulate = typer.Typer(no_args_is_help=True, help="Serve a provider's protocol on this machine.")

# The emulators have a parser of their own, since they run without this command too.
_AS_IT_STANDS = {"allow_extra_args": True, "ignore_unknown_options": True}


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
