"""The command `crossfade serve`: many calls in one process, that other processes can go on with."""

import asyncio
import contextlib
import signal
import sys
import time
import webbrowser
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from crossfade.errors import SettingsError
from crossfade.pipelines.calls_place import store_url
from crossfade.pipelines.command_line import errors_in_one_line, prepare
from crossfade.pipelines.settings import INSTRUCTIONS

if TYPE_CHECKING:
    from crossfade.observability.call import CallRecord
    from crossfade.pipelines.endpoint import Endpoint
    from crossfade.pipelines.serve_access import Access
    from crossfade.pipelines.serve_dashboard import Dashboard
    from crossfade.pipelines.serve_headroom import Headroom
    from crossfade.pipelines.serve_limits import ClientLimits
    from crossfade.pipelines.serve_nodes import ServedNode, ServedNodes
    from crossfade.pipelines.serve_settings import ServeSettings
    from crossfade.pipelines.serve_store import CallKeeping
    from crossfade.pipelines.serve_workers_child import Worker
    from crossfade.pipelines.serve_workers_peers import Peers
    from crossfade.pipelines.telemetry_calls import Watch
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
            help="Who takes over when the provider fails, as PROVIDER:MODEL; may be repeated. The "
            "last may be cascade: the embedded recogniser, rules and voice."
        ),
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom callers may talk to, and change to in a call: openai, gemini, "
            "PROVIDER:MODEL or cascade; may be repeated. The first serves first."
        ),
    ] = None,
    arms: Annotated[
        Path | None, typer.Option(help="YAML file of arms: one of them serves a call first.")
    ] = None,
    uplink_ms: Annotated[
        int,
        typer.Option(
            min=0, max=1000, help="Sound of a caller in one message to the model, at least."
        ),
    ] = 20,
    budget: Annotated[
        float | None,
        typer.Option(min=0.0001, help="End a call when it has cost more US dollars than this."),
    ] = None,
    over_budget: Annotated[
        str | None,
        typer.Option(help="With --budget: the node that goes on, instead of the end."),
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
    flac: Annotated[
        bool, typer.Option("--flac", help="Record calls as FLAC, which is smaller, not as WAV.")
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
    webrtc: Annotated[
        bool, typer.Option(help="Let browsers call by WebRTC, too, where that is installed.")
    ] = True,
    ice_server: Annotated[
        list[str] | None,
        typer.Option(
            help="For WebRTC through NAT: stun:HOST:PORT, or turn:HOST:PORT with its login in "
            "CROSSFADE_TURN_USERNAME and CROSSFADE_TURN_CREDENTIAL; may be repeated."
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page to talk from in the browser.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that share the port; each takes one core.")
    ] = 1,
    busy_at: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of a core that is busy; 0 takes calls all the same."
        ),
    ] = 0.85,
    longest_call_s: Annotated[
        float, typer.Option(min=0, help="A call that lasts longer is ended; 0 is no limit.")
    ] = 0.0,
    day_calls: Annotated[int, typer.Option(min=0, help="New calls in a day; 0 is no limit.")] = 0,
    day_usd: Annotated[
        float,
        typer.Option(min=0, help="US dollars of a day's calls, then no new ones; 0 is no limit."),
    ] = 0.0,
    metrics: Annotated[
        bool, typer.Option(help="Measure calls for Prometheus, at /metrics.")
    ] = True,
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
            nodes=tuple(node or ()),
            arms=arms,
            uplink_ms=uplink_ms,
            budget_usd=None if budget is None else Decimal(str(budget)),
            over_budget=over_budget,
            most_calls=most_calls,
            detached_s=detached_s,
            drain_s=drain_s,
            capture=capture,
            flac=flac,
            client_calls=client_calls,
            tls_cert=tls_cert,
            tls_key=tls_key,
            details=details,
            unfinished_audio=unfinished_audio,
            public_url=public_url,
            transfer_to=tuple(transfer_to or ()),
            webrtc=webrtc,
            ice_servers=tuple(ice_server or ()),
            workers=workers,
            busy_at=busy_at,
            longest_call_s=longest_call_s,
            day_calls=day_calls,
            day_usd=day_usd,
            metrics=metrics,
        )
        console = Console()
        if workers == 1:
            run: Callable[..., Coroutine[Any, Any, None]] = run_server
        else:
            from crossfade.pipelines.serve_with_workers import run_with_workers as run
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(
                run(
                    settings,
                    announce=lambda line: console.print(Text(line), soft_wrap=True),
                    stop=stop_signal,
                    show=webbrowser.open if open_page else None,
                    own_process=True,
                )
            )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Makes loops that wake up for many messages at once, where the system's can: many calls cost
    a fifth less there than in uvloop's."""
    if sys.platform == "win32":
        return None
    from crossfade.emulators.gathering import gathering_loop

    return gathering_loop


async def run_server(
    settings: "ServeSettings",
    *,
    announce: Callable[[str], None],
    stop: Callable[[], "asyncio.Future[None]"],
    provider: "Endpoint | None" = None,
    route: "Sequence[RouteEndpoint] | None" = None,
    others: "Sequence[ServedNode]" = (),
    tools: "Sequence[Tool] | None" = None,
    show: Callable[[str], object] | None = None,
    own_process: bool = False,
    headroom: "Headroom | None" = None,
    worker: "Worker | None" = None,
    secret: str = "",
) -> None:
    """Serve until told to stop, then hand the calls over.

    Args:
        settings: Where, and with which model.
        announce: Told in one line each whom the calls talk to, and where clients connect.
        stop: Called on the running loop; what it gives is waited for.
        provider: Whom the calls talk to; None finds it by the settings.
        route: Who takes a call over when the provider fails; None finds them by the settings.
        others: Nodes besides, that callers may change to.
        tools: What the model may call in every call; None is the demo's weather.
        show: Given the page's address when it can be had.
        own_process: Whether the process does nothing else; then its garbage is collected when
            that disturbs the fewest, and it measures how much time it has left.
        headroom: What decides whether there is time for another call, if that is measured
            elsewhere.
        worker: Accepts connections and knows of the others, if the process is one of several.
        secret: Signs tickets where CROSSFADE_SECRET does not.

    Raises:
        CrossfadeError: The server cannot begin.
    """
    from crossfade.pipelines.sample_tools import get_weather
    from crossfade.pipelines.serve_addresses import addresses
    from crossfade.pipelines.serve_calls import Calls
    from crossfade.pipelines.serve_caps import DayMeter, day_of, spent_before
    from crossfade.pipelines.serve_carriers import carriers
    from crossfade.pipelines.serve_garbage import Garbage, leave_rounds_to_us
    from crossfade.pipelines.serve_headroom import Headroom, Meter
    from crossfade.pipelines.serve_limits import ClientLimits
    from crossfade.pipelines.serve_nodes import served_nodes
    from crossfade.pipelines.serve_phone import Phone, destinations_of
    from crossfade.pipelines.serve_server import CallServer
    from crossfade.pipelines.serve_settings import server_access, token_signer
    from crossfade.pipelines.serve_store import keeping
    from crossfade.pipelines.serve_webrtc_pages import webrtc_routes
    from crossfade.pipelines.serve_workers_peers import ALONE
    from crossfade.pipelines.telemetry_export import telemetry_export

    stopped = stop()
    peers = ALONE if worker is None else worker.peers
    access, certificate = server_access(settings, secret), settings.certificate
    access.on_used = lambda ticket: peers.tell("ticket", ticket=ticket)
    peers.on("ticket", lambda told: access.takes(told["ticket"], time.time()))
    companies = carriers()
    public_host = urlsplit(settings.public_url).netloc
    limits = ClientLimits(settings.limits)
    async with contextlib.AsyncExitStack() as stack:
        found = await stack.enter_async_context(
            served_nodes(settings, provider=provider, route=route, others=others)
        )
        kept = await stack.enter_async_context(
            keeping(settings.store, abandoned_s=settings.detached_s)
        )
        await _warm_up(found, kept)
        if own_process and headroom is None:
            headroom = Headroom(settings.busy_at)
            meter = stack.enter_context(Meter(headroom))
        else:
            meter = None
        dashboard, watch = _looked_at(
            settings,
            found.all[0].name,
            access,
            limits,
            headroom=headroom,
            peers=peers,
            number=1 if worker is None else worker.number,
        )
        sends = await stack.enter_async_context(telemetry_export(found.all[0].name, announce))
        before = None if worker else spent_before(settings.runs, day_of(time.time()))
        day = DayMeter(settings.caps, before)
        garbage = Garbage()
        if own_process:
            leave_rounds_to_us()
        calls = Calls(
            settings,
            found,
            tools=[get_weather] if tools is None else tools,
            signer=token_signer(settings.store),
            keeping=kept,
            ended=garbage.ended if own_process else lambda running: None,
            watch=_together(watch, day.watch, sends),
            limits=limits,
            headroom=headroom,
            day=day,
            peers=peers,
            changed=lambda running: None if meter is None else meter.runs(running),
        )
        dashboard.calls = calls
        phones = [
            Phone(
                calls,
                company,
                public_url=settings.public_url,
                destinations=destinations_of(settings.transfer_to),
                secure=certificate is not None,
                peers=peers,
            )
            for company in companies
        ]
        browsers = webrtc_routes(settings, calls, access, limits, public_host=public_host)
        server = CallServer(calls, access, limits, phones, public_host, dashboard, more=browsers)
        lines = [node.description for node in found.all]
        try:
            if worker is not None:
                take = await stack.enter_async_context(server.answering(certificate))
                await stack.enter_async_context(worker.answering(server, take))
                worker.ready(lines)
            else:
                port = await stack.enter_async_context(
                    server.listening(settings.host, settings.port, certificate)
                )
                page, found_at = addresses(settings, port)
                for line in (*lines, *found_at):
                    announce(line)
                if show is not None:
                    show(page)
            await stopped
            announce(f"handing over {calls.count} calls")
            await calls.drain()
        finally:
            await calls.close()


def _looked_at(
    settings: "ServeSettings",
    spec: str,
    access: "Access",
    limits: "ClientLimits",
    *,
    headroom: "Headroom | None",
    peers: "Peers",
    number: int,
) -> "tuple[Dashboard, Watch]":
    """What those who run the server look at, and what is to be told of each call for that."""
    from crossfade.pipelines.serve_dashboard import Dashboard
    from crossfade.pipelines.serve_dashboard_reports import Reports
    from crossfade.pipelines.telemetry_calls import watch_for_prometheus, watch_nothing

    watch: Watch = watch_nothing
    metrics: Callable[[], str] | None = None
    missing = "the server runs with --no-metrics"
    if settings.metrics:
        try:
            watch, metrics = watch_for_prometheus(spec)
        except SettingsError as error:
            missing = str(error)
    dashboard = Dashboard(
        access,
        limits,
        Reports(settings.runs),
        metrics=metrics,
        missing=missing,
        headroom=headroom,
        peers=peers,
        number=number,
        public_host=urlsplit(settings.public_url).netloc,
        secure=settings.certificate is not None,
    )
    return dashboard, _together(watch, dashboard.watch)


def _together(*watches: "Watch") -> "Watch":
    """Tell several of each call."""

    def watch(record: "CallRecord", call_id: str) -> None:
        for each in watches:
            each(record, call_id)

    return watch


async def _warm_up(found: "ServedNodes", kept: "CallKeeping | None") -> None:
    """Load and build what the first call needs: it may be one that others have lost.

    Raises:
        CrossfadeError: A node cannot be used, or the store does not answer.
    """
    from crossfade.pipelines.assembly import prepare as prepare_calls
    from crossfade.pipelines.stored_config import config_of, stored_config
    from crossfade.providers import SessionConfig

    prepare_calls()
    found.check()
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


__all__ = ["loop_factory", "run_server", "serve", "stop_signal"]
