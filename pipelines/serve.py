"""The command `crossfade serve`: many calls in one process, that other processes can go on with."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from crossfade.pipelines.calls_place import store_url
from crossfade.pipelines.command_line import errors_in_one_line, prepare
from crossfade.pipelines.settings import INSTRUCTIONS

if TYPE_CHECKING:
    from crossfade.pipelines.serve_settings import ServeSettings


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 is any free one.")] = 7860,
    provider: Annotated[
        str | None,
        typer.Option(help="openai or emulator. By default openai with a key, else emulator."),
    ] = None,
    model: Annotated[str, typer.Option(help="The provider's model.")] = "gpt-realtime-2.1",
    voice: Annotated[
        str | None, typer.Option(help="warm, bright, calm, deep, or the provider's own name.")
    ] = None,
    instructions: Annotated[
        str, typer.Option(help="What the agent shall be.", show_default=False)
    ] = INSTRUCTIONS,
    base_url: Annotated[
        str | None, typer.Option(help="The whole endpoint, such as ws://127.0.0.1:9000/v1/realtime")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="Where calls are kept, by URL or path; none keeps none. By default the "
            "file that `crossfade calls` reads."
        ),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where the folders of the calls are made.")] = Path(
        "runs"
    ),
    most_calls: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 500,
    drain_s: Annotated[
        float, typer.Option(min=0, help="How long calls may take to be handed over at the end.")
    ] = 5.0,
) -> None:
    """Serve calls over WebSocket, at /ws. SIGTERM hands them over to other servers."""
    with errors_in_one_line():
        prepare()
        from crossfade.pipelines.serve_settings import ServeSettings

        settings = ServeSettings(
            host=host,
            port=port,
            provider=provider,
            model=model,
            voice=voice,
            instructions=instructions,
            base_url=base_url,
            store=None if store == "none" else store_url(store),
            runs=runs,
            most_calls=most_calls,
            drain_s=drain_s,
        )
        console = Console()
        asyncio.run(
            run_server(
                settings,
                announce=lambda line: console.print(Text(line), soft_wrap=True),
                stop=stop_signal,
            )
        )


async def run_server(
    settings: "ServeSettings",
    *,
    announce: Callable[[str], None],
    stop: Callable[[], "asyncio.Future[None]"],
) -> None:
    """Serve until told to stop, then hand the calls over.

    Args:
        settings: Where, and with which model.
        announce: Told in one line each whom the calls talk to, and where clients connect.
        stop: Called on the running loop; what it gives is waited for.

    Raises:
        CrossfadeError: The server cannot begin.
    """
    from crossfade.pipelines.assembly import prepare as prepare_calls
    from crossfade.pipelines.endpoint import endpoint
    from crossfade.pipelines.sample_tools import get_weather
    from crossfade.pipelines.serve_calls import Calls
    from crossfade.pipelines.serve_server import CALL_PATH, CallServer
    from crossfade.pipelines.serve_settings import token_signer
    from crossfade.pipelines.serve_store import keeping
    from crossfade.providers.address import is_loopback

    stopped = stop()
    async with endpoint(settings) as found, keeping(settings.store) as kept:
        announce(found.description)
        prepare_calls()
        calls = Calls(
            settings,
            found,
            tools=[get_weather],
            signer=token_signer(settings.store),
            keeping=kept,
        )
        async with CallServer(calls).listening(settings.host, settings.port) as port:
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            if not is_loopback(f"ws://{host}"):
                announce("Whoever reaches this address can begin calls, which cost money.")
            announce(f"listening on ws://{host}:{port}{CALL_PATH}")
            try:
                await stopped
                announce(f"handing over {calls.count} calls")
                await calls.drain()
            finally:
                await calls.close()


def stop_signal() -> "asyncio.Future[None]":
    """Ends with the first SIGTERM or Ctrl-C; the next one ends the process."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        if not told.done():
            told.set_result(None)

    # Windows has none; Ctrl-C raises there.
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, tell)
    return told


__all__ = ["run_server", "serve", "stop_signal"]
