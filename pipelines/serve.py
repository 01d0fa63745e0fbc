"""The command `crossfade serve`: many calls in one process, that other processes can go on with."""

import asyncio
import contextlib
import signal
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from crossfade.pipelines.calls_place import store_url
from crossfade.pipelines.command_line import errors_in_one_line, prepare
from crossfade.pipelines.settings import INSTRUCTIONS

if TYPE_CHECKING:
    from crossfade.pipelines.endpoint import Endpoint
    from crossfade.pipelines.serve_settings import ServeSettings
    from crossfade.pipelines.serve_store import CallKeeping
    from crossfade.processors.tools import Tool
    from crossfade.providers.continuity.route import Endpoint as RouteEndpoint


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
    fallback: Annotated[
        list[str] | None,
        typer.Option(
            help="Who takes over when the provider fails, as PROVIDER:MODEL; may be repeated."
        ),
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
    detached_s: Annotated[
        float, typer.Option(min=1, help="How long a call goes on without its client.")
    ] = 60.0,
    drain_s: Annotated[
        float, typer.Option(min=0, help="How long calls may take to be handed over at the end.")
    ] = 5.0,
    capture: Annotated[
        bool,
        typer.Option("--capture", help="Keep all of each call, for `crossfade replay`."),
    ] = False,
    client_calls: Annotated[
        int,
        typer.Option(min=0, help="Calls at once of one address, off loopback; 0 is no limit."),
    ] = 20,
    tls_cert: Annotated[
        Path | None, typer.Option(help="A certificate chain in PEM, for https and wss.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, in PEM.")] = None,
    unfinished_audio: Annotated[
        bool,
        typer.Option(help="Keep what a caller is saying in the store, until it is answered."),
    ] = True,
    details: Annotated[
        bool, typer.Option(help="Tell clients that ask of tools, latency and cost.")
    ] = True,
    public_url: Annotated[
        str, typer.Option(help="Under which Twilio knows this server, https://…")
    ] = "",
    transfer_to: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom callers on the phone may be put through to, NAME=NUMBER; may be repeated."
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page to talk from in the browser.")
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Serve metrics for Prometheus at this port, on this machine."),
    ] = None,
) -> None:
    """Serve calls: a page to talk from at /, a WebSocket at /ws.

    SIGTERM hands the calls over to other servers. Any --host but this machine needs the variable
    CROSSFADE_TOKEN, which clients show to begin a call.
    """
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
            fallbacks=tuple(fallback or ()),
            most_calls=most_calls,
            detached_s=detached_s,
            drain_s=drain_s,
            capture=capture,
            client_calls=client_calls,
            tls_cert=tls_cert,
            tls_key=tls_key,
            details=details,
            unfinished_audio=unfinished_audio,
            public_url=public_url,
            transfer_to=tuple(transfer_to or ()),
            metrics_port=metrics_port,
        )
        console = Console()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(
                run_server(
                    settings,
                    announce=lambda line: console.print(Text(line), soft_wrap=True),
                    stop=stop_signal,
                    show=webbrowser.open if open_page else None,
                    own_process=True,
                )
            )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Makes loops of uvloop, where there is one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def run_server(
    settings: "ServeSettings",
    *,
    announce: Callable[[str], None],
    stop: Callable[[], "asyncio.Future[None]"],
    provider: "Endpoint | None" = None,
    route: "Sequence[RouteEndpoint] | None" = None,
    tools: "Sequence[Tool] | None" = None,
    show: Callable[[str], object] | None = None,
    own_process: bool = False,
) -> None:
    """Serve until told to stop, then hand the calls over.

    Args:
        settings: Where, and with which model.
        announce: Told in one line each whom the calls talk to, and where clients connect.
        stop: Called on the running loop; what it gives is waited for.
        provider: Whom the calls talk to; None finds it by the settings.
        route: Who takes a call over when the provider fails; None finds them by the settings.
        tools: What the model may call in every call; None is the demo's weather.
        show: Given the page's address when it can be had.
        own_process: Whether the process does nothing else; then its garbage is collected when
            that disturbs the fewest.

    Raises:
        CrossfadeError: The server cannot begin.
    """
    from crossfade.pipelines.endpoint import endpoint, fallback_route
    from crossfade.pipelines.sample_tools import get_weather
    from crossfade.pipelines.serve_calls import Calls
    from crossfade.pipelines.serve_garbage import Garbage, leave_rounds_to_us
    from crossfade.pipelines.serve_limits import ClientLimits
    from crossfade.pipelines.serve_phone import WEBHOOK_PATH, Phone, destinations_of
    from crossfade.pipelines.serve_server import CALL_PATH, CallServer
    from crossfade.pipelines.serve_settings import (
        server_access,
        token_signer,
        twilio_account,
    )
    from crossfade.pipelines.serve_store import keeping
    from crossfade.pipelines.telemetry_calls import Watch, metrics_for_prometheus, watch_nothing

    stopped = stop()
    access, certificate = server_access(settings), settings.certificate
    account = twilio_account()
    async with contextlib.AsyncExitStack() as stack:
        found = provider
        if found is None:
            found = await stack.enter_async_context(endpoint(settings))
        if route is None:
            others = fallback_route(settings.fallbacks, emulated=found.emulated)
            route = await stack.enter_async_context(others)
        kept = await stack.enter_async_context(
            keeping(settings.store, abandoned_s=settings.detached_s)
        )
        announce(found.description)
        await _warm_up(found, route, kept)
        watch: Watch = watch_nothing
        if settings.metrics_port is not None:
            watch = metrics_for_prometheus(settings.metrics_port, found.spec, announce)
        garbage = Garbage()
        if own_process:
            leave_rounds_to_us()
        limits = ClientLimits(settings.limits)
        calls = Calls(
            settings,
            found,
            route=route,
            tools=[get_weather] if tools is None else tools,
            signer=token_signer(settings.store),
            keeping=kept,
            ended=garbage.ended if own_process else lambda running: None,
            watch=watch,
            limits=limits,
        )
        phone = None
        if account is not None:
            phone = Phone(
                calls,
                account,
                public_url=settings.public_url,
                destinations=destinations_of(settings.transfer_to),
                secure=certificate is not None,
            )
        public_host = urlsplit(settings.public_url).netloc
        server = CallServer(calls, access, limits, phone, public_host)
        async with server.listening(settings.host, settings.port, certificate) as port:
            at = f"{settings.base}:{port}".replace("ws", "ws" if certificate is None else "wss", 1)
            page = at.replace("ws", "http", 1) + "/"
            announce(f"talk at {page}")
            if phone is not None:
                announce(f"phone calls by Twilio: {settings.public_url or page[:-1]}{WEBHOOK_PATH}")
            announce(f"listening on {at}{CALL_PATH}")
            if show is not None:
                show(page)
            try:
                await stopped
                announce(f"handing over {calls.count} calls")
                await calls.drain()
            finally:
                await calls.close()


async def _warm_up(
    found: "Endpoint", route: "Sequence[RouteEndpoint]", kept: "CallKeeping | None"
) -> None:
    """Load and build what the first call needs: it may be one that others have lost.

    Raises:
        CrossfadeError: A provider cannot be used, or the store does not answer.
    """
    from crossfade.pipelines.assembly import prepare as prepare_calls
    from crossfade.pipelines.stored_config import config_of, stored_config
    from crossfade.providers import SessionConfig, connect

    prepare_calls()
    connect(
        found.spec, SessionConfig(), base_url=found.base_url, api_key=found.api_key, route=route
    )
    config_of(stored_config(SessionConfig()))
    if kept is not None:
        await kept.look("")


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
