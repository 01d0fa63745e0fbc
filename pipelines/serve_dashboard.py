"""What those who run a server look at: its calls, those that have ended, and its metrics."""

import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from crossfade.observability.call import CallRecord

from .serve_access import NOT_OWN, VISIT_LIFETIME_S, Access, from_own_page
from .serve_calls import Calls
from .serve_dashboard_calls import CallView
from .serve_dashboard_reports import Reports
from .serve_headroom import Headroom
from .serve_limits import ClientLimits
from .serve_metrics import Gauge, gauges_text, merged
from .serve_pages import bearer, client_of
from .serve_workers_peers import ALONE, Peers

COOKIE = "crossfade_visit"
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A report is a page without a site: it reaches nothing of the server's, with whatever was said."""
_KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


class Dashboard:
    """Answers who runs the server.

    Args:
        access: Who may look.
        limits: How often one may show a token.
        reports: The calls that have ended.
        metrics: Gives those of this process; the text says what is missing if it is None.
        missing: Why there are none.
        headroom: What this process measures of itself.
        peers: The other workers.
        number: Of this one.
        secure: Whether the pages come by TLS of the server's own.
    """

    def __init__(
        self,
        access: Access,
        limits: ClientLimits,
        reports: Reports,
        *,
        metrics: Callable[[], str] | None = None,
        missing: str = "",
        headroom: Headroom | None = None,
        peers: Peers = ALONE,
        number: int = 1,
        secure: bool = False,
    ) -> None:
        self._access = access
        self._limits = limits
        self._reports = reports
        self._metrics = metrics
        self._missing = missing
        self._headroom = headroom
        self._peers = peers
        self._number = number
        self._secure = secure
        self._views: dict[str, CallView] = {}
        self.calls: Calls | None = None
        """Those of this process; set before anybody asks."""
        peers.answer("calls", self._own)
        peers.answer("metrics", self._own_metrics)

    def watch(self, record: CallRecord, call_id: str) -> None:
        """Look at a call that begins now, until it ends."""
        view = self._views[call_id] = CallView(call_id, record)

        def ended(_: object) -> None:
            if self._views.get(call_id) is view:
                del self._views[call_id]

        record.at_end(ended)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Its pages and what they ask for."""
        return [
            Route("/dashboard", _page("dashboard.html")),
            Route("/dashboard.js", _page("dashboard.js")),
            Route("/dashboard.css", _page("dashboard.css")),
            Route("/dashboard/enter", self._enter, methods=["POST"]),
            Route("/dashboard/calls", self._show_calls),
            Route("/dashboard/ended", self._show_ended),
            Route("/dashboard/reports/{name}", self._show_report),
            Route("/metrics", self._show_metrics),
        ]

    # Who may look

    async def _enter(self, request: Request) -> Response:
        """Let a browser in that shows the token; from then on its cookie does."""
        if not self._limits.asks(client_of(request), "dashboard"):
            return PlainTextResponse("too many tries from your address; wait a minute\n", 429)
        if not from_own_page(request.headers, self._access):
            return PlainTextResponse(NOT_OWN, 403)
        shown = bearer(request.headers.get("authorization"))
        if not self._access.knows(shown):
            return PlainTextResponse("the server's token is needed\n", 401)
        answer = Response(status_code=204)
        # Behind a proxy the server does not see how a page came, but its browser tells.
        by_https = request.headers.get("origin", "").startswith("https://")
        answer.set_cookie(
            COOKIE,
            self._access.visit(shown or "", time.time()),
            max_age=int(VISIT_LIFETIME_S),
            httponly=True,
            samesite="strict",
            secure=self._secure or by_https,
        )
        return answer

    def _refusal(self, request: Request) -> Response | None:
        """Why somebody may not look; None if they may."""
        if not from_own_page(request.headers, self._access):
            return PlainTextResponse(NOT_OWN, 403)
        shown = bearer(request.headers.get("authorization"))
        if shown is not None and not self._limits.asks(client_of(request), "look"):
            return PlainTextResponse("too many tries from your address; wait a minute\n", 429)
        if shown is not None and self._access.knows(shown):
            return None
        if self._access.visits(request.cookies.get(COOKIE), time.time()):
            return None
        return PlainTextResponse("the server's token is needed\n", 401)

    # What they see

    async def _show_calls(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        workers = [self._own(), *filter(None, await self._peers.ask("calls"))]
        workers.sort(key=lambda each: each["worker"])
        return JSONResponse({"now": time.time(), "workers": workers})

    async def _show_ended(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        return JSONResponse({"ended": await self._reports.ended()})

    async def _show_report(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        page = await self._reports.report(request.path_params["name"])
        if page is None:
            return PlainTextResponse("there is no report of such a call\n", 404)
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return Response(page, media_type="text/html", headers=headers)

    async def _show_metrics(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        own = self._own_metrics()
        if own is None:
            return PlainTextResponse(f"{self._missing}\n", 501)
        all_told = [own, *filter(None, await self._peers.ask("metrics"))]
        text = merged({each["worker"]: each["text"] for each in all_told})
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    def _own(self) -> dict[str, Any]:
        """The calls of this process, and how it fares."""
        assert self.calls is not None
        headroom, day = self._headroom, self.calls.day.all
        return {
            "worker": self._number,
            "cpu": None if headroom is None else round(headroom.cpu, 3),
            "late": None if headroom is None else round(headroom.late, 3),
            "draining": self.calls.draining,
            "refusal": self.calls.refusal,
            "day": {"calls": day.calls, "usd": day.usd},
            "calls": [self._shown(call_id, view) for call_id, view in self._views.items()],
        }

    def _shown(self, call_id: str, view: CallView) -> dict[str, Any]:
        assert self.calls is not None
        served = self.calls.served(call_id)
        attached = served is not None and served.transport.detached_since_s is None
        return view.shown(attached=attached, node="" if served is None else served.serving)

    def _own_metrics(self) -> dict[str, Any] | None:
        if self._metrics is None:
            return None
        return {"worker": self._number, "text": self._metrics() + gauges_text(self._gauges())}

    def _gauges(self) -> Sequence[Gauge]:
        assert self.calls is not None
        found = [
            Gauge(
                name="crossfade_worker_calls",
                help="Calls that run in this process",
                value=self.calls.count,
            ),
            Gauge(
                name="crossfade_worker_full",
                help="Whether this process takes no new calls",
                value=self.calls.refusal is not None,
            ),
        ]
        if self._headroom is not None:
            found += [
                Gauge(
                    name="crossfade_worker_cpu_share",
                    help="Share of one core that this process has had lately",
                    value=self._headroom.cpu,
                ),
                Gauge(
                    name="crossfade_worker_late_share",
                    help="Share of 20 ms beats of the event loop that came late lately",
                    value=self._headroom.late,
                ),
            ]
        return found


def _page(name: str) -> Callable[[Request], Response]:
    content = files("crossfade.pipelines.page").joinpath(name).read_bytes()
    kind = _KINDS[name.rpartition(".")[2]]

    def answer(_request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


__all__ = ["COOKIE", "REPORT_POLICY", "Dashboard"]
