"""The command `crossfade emulate`: a provider's protocol, served on this machine."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .command_line import errors_in_one_line

emulate = typer.Typer(no_args_is_help=True, help="Serve a provider's protocol on this machine.")


class BackendName(StrEnum):
    """Who hears and answers."""

    SCRIPTED = "scripted"
    OFFLINE = "offline"


class VoiceName(StrEnum):
    """What the scripted backend speaks with."""

    TONE = "tone"
    ESPEAK = "espeak"


@emulate.callback()
def providers() -> None:
    """Serve a provider's protocol on this machine."""


@emulate.command()
def openai(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any free one.")
    ] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    backend: Annotated[
        BackendName, typer.Option(help="Answers from a scenario, or offline speech.")
    ] = BackendName.SCRIPTED,
    scenario: Annotated[
        Path | None, typer.Option(help="YAML file of the scripted backend.")
    ] = None,
    voice: Annotated[
        VoiceName, typer.Option(help="What the scripted backend speaks with.")
    ] = VoiceName.TONE,
) -> None:
    """OpenAI Realtime, until Ctrl-C. Clients take the printed address as their base URL."""
    with errors_in_one_line():
        from crossfade.emulators.openai.process import serve

        asyncio.run(
            serve(host=host, port=port, backend=backend.value, scenario=scenario, voice=voice.value)
        )
