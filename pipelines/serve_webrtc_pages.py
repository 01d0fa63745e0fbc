"""The doors for browsers by WebRTC: pipecat's page and what it asks, or what to install."""

import re
import time
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from crossfade.errors import SettingsError

from .serve_access import NOT_OWN, Access, from_own_page, shown_in
from .serve_calls import Calls
from .serve_limits import ClientLimits
from .serve_pages import client_of
from .serve_settings import ServeSettings, turn_login

if TYPE_CHECKING:
    from .serve_webrtc import Browsers

PAGE_PATH = "/client"
START_PATH = "/start"
OFFER_PATH = "/api/offer"
SESSION_PATH = "/sessions/{ticket}/api/offer"
"""Where pipecat's page makes its offers, with what `/start` gave it."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; media-src 'self' blob:; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
NEEDS = "calls by WebRTC need what is not installed here; install 'crossfade[webrtc]'"
_FORGETS = "this._incomingTracks.delete(t)"
_FORGETS_ITS_OWN = f"this._incomingTracks.get(t)?.track===e.track&&{_FORGETS}"
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Crossfade: the access token is the password"'}


def webrtc_missing() -> bool:
    """Whether a package is missing that calls by WebRTC need."""
    return any(find_spec(name) is None for name in ("aiortc", "pipecat_ai_prebuilt"))


def webrtc_routes(
    settings: ServeSettings,
    calls: Calls,
    access: Access,
    limits: ClientLimits,
) -> Sequence[BaseRoute]:
    """What browsers by WebRTC ask; without the packages, what to install.

    Args:
        settings: The server's.
        calls: What they are attached to.
        access: Who may begin calls.
        limits: How many, of one address.

    Raises:
        SettingsError: An ICE server cannot be used.
    """
    if not settings.webrtc:
        return ()
    if webrtc_missing():
        if settings.ice_servers:
            raise SettingsError(NEEDS)
        return [
            Route(PAGE_PATH, _missing),
            Route(PAGE_PATH + "/{file:path}", _missing),
            Route(START_PATH, _missing, methods=["POST"]),
            Route(OFFER_PATH, _missing, methods=["POST", "PATCH"]),
        ]
    from aiortc import RTCIceServer

    from .serve_webrtc import Browsers

    told = ice_servers(settings.ice_servers, *turn_login())
    browsers = Browsers(
        calls,
        access,
        limits,
        ice_servers=tuple(RTCIceServer(**each) for each in told),
        details=settings.details,
    )
    return _Doors(browsers, calls, access, limits, told).routes


def ice_servers(urls: Sequence[str], username: str, credential: str) -> list[dict[str, Any]]:
    """The servers as browsers take them.

    Args:
        urls: `stun:host:port`, or `turn:host:port`.
        username: At those of TURN.
        credential: Likewise.

    Raises:
        SettingsError: One is neither, or the login is missing.
    """
    told: list[dict[str, Any]] = []
    for url in urls:
        scheme, _, host = url.partition(":")
        if scheme not in ("stun", "stuns", "turn", "turns") or not host:
            raise SettingsError(
                f"the ICE server {url!r} cannot be used; give it as stun:HOST:PORT or "
                "turn:HOST:PORT?transport=udp"
            )
        if scheme.startswith("stun"):
            told.append({"urls": url})
        elif username and credential:
            told.append({"urls": url, "username": username, "credential": credential})
        else:
            raise SettingsError(
                f"the ICE server {url} needs a login: set CROSSFADE_TURN_USERNAME and "
                "CROSSFADE_TURN_CREDENTIAL"
            )
    return told


class _Doors:
    """Who may come in, and what they are given."""

    def __init__(
        self,
        browsers: "Browsers",
        calls: Calls,
        access: Access,
        limits: ClientLimits,
        ice: list[dict[str, Any]],
    ) -> None:
        self._browsers = browsers
        self._calls = calls
        self._access = access
        self._limits = limits
        self._ice = ice
        folder = page_folder()
        self._files = StaticFiles(directory=folder, html=True)
        self._instead = {f"/assets/{name}": code for name, code in devices(folder).items()}

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """All of them."""
        return [
            Route(PAGE_PATH, partial(_moved, PAGE_PATH + "/")),
            Mount(PAGE_PATH, self._page),
            Route(START_PATH, self._start, methods=["POST"]),
            *(
                Route(path, self._offer, methods=["POST", "PATCH"])
                for path in (OFFER_PATH, SESSION_PATH)
            ),
        ]

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page; its browser shows the token with all that the page asks, where one is."""
        request = Request(scope, receive)
        answer: Response | None = None
        if scope["path"].endswith(("/", ".html")):
            answer = self._unknown(request)
        if (code := self._instead.get(_below(scope))) is not None:
            answer = Response(code, media_type="text/javascript")
        if answer is not None:
            await answer(scope, receive, send)
            return
        await self._files(scope, receive, partial(_with_policy, send))

    async def _start(self, request: Request) -> Response:
        """What a call may be begun with within a minute, and by which servers."""
        if not from_own_page(request.headers, self._access):
            return _refusal(403, NOT_OWN.strip())
        if (refusal := self._unknown(request)) is not None:
            return refusal
        if self._calls.draining:
            return _refusal(503, "the server ends; try another")
        if (busy := self._calls.refusal) is not None:
            return _refusal(503, busy)
        return JSONResponse(
            {
                "sessionId": self._access.ticket(time.time()),
                "iceConfig": {"iceServers": self._ice},
            }
        )

    async def _offer(self, request: Request) -> Response:
        if not from_own_page(request.headers, self._access):
            return _refusal(403, NOT_OWN.strip())
        if request.method == "PATCH":
            return await self._browsers.candidates(request)
        return await self._browsers.offer(request)

    def _unknown(self, request: Request) -> Response | None:
        """How a client is refused that does not show the server's token; None if it does."""
        if not self._limits.asks(client_of(request), "ticket"):
            return _refusal(429, "too many calls from your address; wait a minute")
        if self._access.knows(shown_in(request.headers.get("authorization"))):
            return None
        return JSONResponse({"info": "the server's token is needed"}, 401, headers=_CHALLENGE)


def page_folder() -> Path:
    found = find_spec("pipecat_ai_prebuilt")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "client" / "dist"


def devices(folder: Path) -> dict[str, str]:
    """What stands in for files of the page.

    Its microphone comes by daily-js, which loads the rest of itself from its maker's site, where
    it tells of each page, too. Ours comes from here, by the name that the page imports.
    """
    ours = files("crossfade.pipelines.page").joinpath("webrtc-devices.js").read_text()
    found = {}
    for path in (folder / "assets").glob("daily-esm-*.js"):
        exported = re.findall(r"\bexport\s*\{\s*[\w$]+ as ([\w$]+)\s*\};?\s*$", path.read_text())
        if exported:
            found[path.name] = ours.replace(
                "export { Devices }", f"export {{ Devices as {exported[0]} }}"
            )
    for path in (folder / "assets").glob("index.module-*.js"):
        code = path.read_text()
        # The end of a connection that was replaced made the page forget the sound of the new one.
        if _FORGETS in code:
            found[path.name] = code.replace(_FORGETS, _FORGETS_ITS_OWN)
    return found


def _below(scope: Scope) -> str:
    path = str(scope["path"])
    return path.removeprefix(str(scope.get("root_path", "")))


async def _with_policy(send: Send, message: Any) -> None:
    if message["type"] == "http.response.start":
        message["headers"].append((b"content-security-policy", POLICY.encode()))
    await send(message)


def _moved(to: str, _request: Request) -> Response:
    return RedirectResponse(to)


def _missing(_request: Request) -> Response:
    return PlainTextResponse(f"{NEEDS}\n", 404)


def _refusal(status: int, why: str) -> Response:
    """As pipecat's client reads it."""
    return JSONResponse({"info": why}, status_code=status)


__all__ = [
    "NEEDS",
    "OFFER_PATH",
    "PAGE_PATH",
    "START_PATH",
    "devices",
    "ice_servers",
    "page_folder",
    "webrtc_missing",
    "webrtc_routes",
]
