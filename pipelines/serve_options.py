"""What `crossfade serve` is asked besides what all calls are, in the groups of its help."""

from pathlib import Path
from typing import Annotated

import typer

_BOUNDS = "Bounds"
_WAYS_IN = "Ways in"
_GOING_ON = "Going on elsewhere"

HostOption = Annotated[str, typer.Option(help="The address to listen on.")]
PortOption = Annotated[int, typer.Option(help="The port; 0 is any free one.")]
OpenOption = Annotated[
    bool, typer.Option("--open", help="Open the page to talk from in the browser.")
]
NodeOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Whom callers may talk to, and change to in a call: openai, gemini, "
        "PROVIDER:MODEL or cascade; may be repeated. The first serves first."
    ),
]
OverBudgetOption = Annotated[
    str | None,
    typer.Option(help="With --budget: the node that goes on, instead of the end."),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        help="Where calls are kept, by URL or path; none keeps none. By default the "
        "file that `crossfade calls` reads."
    ),
]
CaptureAllOption = Annotated[
    bool,
    typer.Option("--capture", help="Keep all of each call, for `crossfade replay`."),
]
DetailsOption = Annotated[
    bool, typer.Option(help="Tell clients that ask of tools, latency and cost.")
]
MetricsOption = Annotated[bool, typer.Option(help="Measure calls for Prometheus, at /metrics.")]

TlsCertOption = Annotated[
    Path | None,
    typer.Option(help="A certificate chain in PEM, for https and wss.", rich_help_panel=_WAYS_IN),
]
TlsKeyOption = Annotated[
    Path | None, typer.Option(help="Its key, in PEM.", rich_help_panel=_WAYS_IN)
]
PublicUrlOption = Annotated[
    str,
    typer.Option(
        help="Under which phone companies know this server, https://…", rich_help_panel=_WAYS_IN
    ),
]
TransferToOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Whom callers on the phone may be put through to, NAME=NUMBER; may be repeated.",
        rich_help_panel=_WAYS_IN,
    ),
]
WebRtcOption = Annotated[
    bool,
    typer.Option(
        help="Let browsers call by WebRTC, too, where that is installed.",
        rich_help_panel=_WAYS_IN,
    ),
]
IceServerOption = Annotated[
    list[str] | None,
    typer.Option(
        help="For WebRTC through NAT: stun:HOST:PORT, or turn:HOST:PORT with its login in "
        "CROSSFADE_TURN_USERNAME and CROSSFADE_TURN_CREDENTIAL; may be repeated.",
        rich_help_panel=_WAYS_IN,
    ),
]

MostCallsOption = Annotated[
    int, typer.Option(min=1, help="Calls at once.", rich_help_panel=_BOUNDS)
]
ClientCallsOption = Annotated[
    int,
    typer.Option(
        min=0,
        help="Calls at once of one address, off loopback; 0 is no limit.",
        rich_help_panel=_BOUNDS,
    ),
]
BusyAtOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Share of a core that is busy; 0 takes calls all the same.",
        rich_help_panel=_BOUNDS,
    ),
]
LongestCallOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="A call that lasts longer is ended; 0 is no limit.",
        rich_help_panel=_BOUNDS,
    ),
]
DayCallsOption = Annotated[
    int, typer.Option(min=0, help="New calls in a day; 0 is no limit.", rich_help_panel=_BOUNDS)
]
DayUsdOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="US dollars of a day's calls, then no new ones; 0 is no limit.",
        rich_help_panel=_BOUNDS,
    ),
]

WorkersOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Processes that share the port; each takes one core.",
        rich_help_panel=_GOING_ON,
    ),
]
DetachedOption = Annotated[
    float,
    typer.Option(
        min=1, help="How long a call goes on without its client.", rich_help_panel=_GOING_ON
    ),
]
DrainOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="How long calls may take to be handed over at the end.",
        rich_help_panel=_GOING_ON,
    ),
]
UnfinishedAudioOption = Annotated[
    bool,
    typer.Option(
        help="Keep what a caller is saying in the store, until it is answered.",
        rich_help_panel=_GOING_ON,
    ),
]

__all__ = [
    "BusyAtOption",
    "CaptureAllOption",
    "ClientCallsOption",
    "DayCallsOption",
    "DayUsdOption",
    "DetachedOption",
    "DetailsOption",
    "DrainOption",
    "HostOption",
    "IceServerOption",
    "LongestCallOption",
    "MetricsOption",
    "MostCallsOption",
    "NodeOption",
    "OpenOption",
    "OverBudgetOption",
    "PortOption",
    "PublicUrlOption",
    "StoreOption",
    "TlsCertOption",
    "TlsKeyOption",
    "TransferToOption",
    "UnfinishedAudioOption",
    "WebRtcOption",
    "WorkersOption",
]
