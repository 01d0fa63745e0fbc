"""The command `crossfade serve`: many calls in one process, that other processes can go on with."""

import asyncio
import contextlib
import signal
import time
import webbrowser
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfade.errors import SettingsError
from crossfade.pipelines.call_options import (
    ArmsOption,
    BaseUrlOption,
    BudgetOption,
    ContentOption,
    FallbackOption,
    FlacOption,
    InstructionsOption,
    ModelOption,
    ProviderOption,
    RunsOption,
    UplinkOption,
    VoiceOption,
)
from crossfade.pipelines.calls_place import store_url
from crossfade.pipelines.command_line import announce, errors_in_one_line, prepare
from crossfade.pipelines.serve_options import (
    BusyAtOption,
    CaptureAllOption,
    ClientCallsOption,
    DayCallsOption,
    DayUsdOption,
    DetachedOption,
    DetailsOption,
    DrainOption,
    HostOption,
    IceServerOption,
    LongestCallOption,
    MetricsOption,
    MostCallsOption,
    NodeOption,
    OpenOption,
    OverBudgetOption,
    PortOption,
    PublicUrlOption,
    StoreOption,
    TlsCertOption,
    TlsKeyOption,
    TransferToOption,
    UnfinishedAudioOption,
    WebRtcOption,
    WorkersOption,
)
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
    host: HostOption = "127.0.0.1",
    port: PortOption = 7860,
    provider: ProviderOption = None,
    model: ModelOption = "gpt-realtime-2.1",
    voice: VoiceOption = None,
    instructions: InstructionsOption = INSTRUCTIONS,
    base_url: BaseUrlOption = None,
    fallback: FallbackOption = None,
    node: NodeOption = None,
    arms: ArmsOption = None,
    uplink_ms: UplinkOption = 20,
    budget: BudgetOption = None,
    over_budget: OverBudgetOption = None,
    store: StoreOption = None,
    runs: RunsOption = Path("runs"),
    most_calls: MostCallsOption = 500,
    detached_s: DetachedOption = 60.0,
    drain_s: DrainOption = 5.0,
    capture: CaptureAllOption = False,
    flac: FlacOption = False,
    content: ContentOption = True,
    client_calls: ClientCallsOption = 20,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    unfinished_audio: UnfinishedAudioOption = True,
    details: DetailsOption = True,
    public_url: PublicUrlOption = "",
    transfer_to: TransferToOption = None,
    webrtc: WebRtcOption = True,
    ice_server: IceServerOption = None,
    open_page: OpenOption = False,
    workers: WorkersOption = 1,
    busy_at: BusyAtOption = 0.85,
    longest_call_s: LongestCallOption = 0.0,
    day_calls: DayCallsOption = 0,
    day_usd: DayUsdOption = 0.0,
    metrics: MetricsOption = True,
) -> None:
    """Serve calls: a page to talk from at /, a WebSocket at /ws.

    SIGTERM hands the calls over to other servers. Any --host but this machine needs the variable
    CROSSFADE_TOKEN, which clients show to begin a call.
    """
    with errors_in_one_line():
        prepare()
        from crossfade.pipelines.serve_log import log_to_stderr
        from crossfade.pipelines.serve_settings import ServeSettings

        log_to_stderr()
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
            content=content,
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
        if workers == 1:
            run: Callable[..., Coroutine[Any, Any, None]] = run_server
        else:
            from crossfade.pipelines.serve_with_workers import run_with_workers as run
        asyncio.run(
            run(
                settings,
                announce=announce,
                stop=stop_signal,
                show=webbrowser.open if open_page else None,
                own_process=True,
            )
        )


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
    from crossfade.pipelines.serve_phone import Phone
    from crossfade.pipelines.serve_server import CallServer
    from crossfade.pipelines.serve_settings import (
        destinations_of,
        server_access,
        token_signer,
    )
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
    limits = ClientLimits(settings.limits, asyncio.get_running_loop().time)
    async with contextlib.AsyncExitStack() as stack:
        found = await stack.enter_async_context(
            served_nodes(settings, provider=provider, route=route, others=others)
        )
        kept = await stack.enter_async_context(
            keeping(settings.store, abandoned_s=settings.detached_s)
        )
        await _warm_up(found, kept, settings.runs)
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
                secret=access.key("phones"),
                peers=peers,
            )
            for company in companies
        ]
        browsers = webrtc_routes(settings, calls, access, limits)
        server = CallServer(calls, access, limits, phones, dashboard, more=browsers)
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
        secure=settings.certificate is not None,
    )
    return dashboard, _together(watch, dashboard.watch)


def _together(*watches: "Watch") -> "Watch":
    """Tell several of each call."""

    def watch(record: "CallRecord", call_id: str) -> None:
        for each in watches:
            each(record, call_id)

    return watch


async def _warm_up(found: "ServedNodes", kept: "CallKeeping | None", runs: Path) -> None:
    """Load and build what the first call needs: it may be one that others have lost.

    Raises:
        CrossfadeError: A node cannot be used, nothing can be written into the folder of the
            calls, or the store does not answer.
    """
    from crossfade.pipelines.assembly import prepare as prepare_calls
    from crossfade.pipelines.call_folder import check_runs
    from crossfade.pipelines.stored_config import config_of, stored_config
    from crossfade.providers import SessionConfig

    check_runs(runs)
    prepare_calls()
    found.check()
    config_of(stored_config(SessionConfig()))
    if kept is not None:
        await kept.look("")


def stop_signal() -> "asyncio.Future[None]":
    """Ends with the first SIGTERM or Ctrl-C, the next one of which ends the process.

    So it does when the terminal is closed (SIGHUP), unless that is ignored, as nohup has it.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not told.done():
            told.set_result(None)

    def once() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        stop()

    # Windows has none; Ctrl-C raises there.
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, once)
        # It comes of the shell, of the system, and before SIGTERM: no reason to hurry.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, stop)
    return told


__all__ = ["run_server", "serve", "stop_signal"]
