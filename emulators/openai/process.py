"""The OpenAI emulator as a process of its own."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from crossfade.errors import CrossfadeError, SettingsError

from ..backends.backend import Backend
from ..backends.offline import OfflineBackend
from ..backends.scripted import ScriptedBackend
from .server import OpenAIEmulator
from .timing import Timing

BackendName = Literal["scripted", "offline"]
VoiceName = Literal["tone", "espeak"]


def make_backend(name: BackendName, scenario: Path | None, voice: VoiceName) -> Backend:
    """The backend of a name.

    Raises:
        SettingsError: The scenario cannot be used, or the backend has none.
    """
    if name == "scripted":
        return ScriptedBackend(scenario, voice=voice)
    if scenario is not None:
        raise SettingsError("the offline backend follows no scenario; leave --scenario out")
    return OfflineBackend()


async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    backend: BackendName = "scripted",
    scenario: Path | None = None,
    voice: VoiceName = "tone",
    timing: Timing | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; prints one line with the address once it listens.

    Raises:
        SettingsError: The address or the backend cannot be used.
    """
    mind = make_backend(backend, scenario, voice)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with OpenAIEmulator(mind, host=host, port=port, timing=timing) as emulator:
        sys.stdout.write(f"listening on {emulator.url}\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m crossfade.emulators.openai",
        description="An OpenAI Realtime server on loopback.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 is any free one")
    parser.add_argument("--backend", choices=["scripted", "offline"], default="scripted")
    parser.add_argument("--scenario", type=Path, help="YAML file of the scripted backend")
    parser.add_argument("--voice", choices=["tone", "espeak"], default="tone")
    try:
        asyncio.run(serve(**vars(parser.parse_args(arguments))))
    except CrossfadeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0
