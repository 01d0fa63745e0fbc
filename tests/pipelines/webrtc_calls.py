"""Browsers by WebRTC at a served call, without a browser."""

import asyncio
import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tests.transports.webrtc_browser import Signal


class Door:
    """What a page asks of a server.

    Args:
        url: The server's WebSocket, which tells where it is.
        headers: Of all that is asked.
    """

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self._base = ""
        self.move(url)
        self._headers = headers or {}
        self.session = ""

    def move(self, url: str) -> None:
        """The same address leads to another server from now on."""
        self._base = f"http://{urlsplit(url).netloc}"

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, what was told, and the headers."""
        return await asyncio.to_thread(self._ask, method, path, body, headers or {})

    def _ask(
        self, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(
            self._base + path,
            data=None if method == "GET" else data,
            headers={"Content-Type": "application/json", **self._headers, **headers},
            method=method,
        )
        try:
            with urlopen(request, timeout=20) as answer:
                status, told, given = answer.status, answer.read(), dict(answer.headers)
        except HTTPError as error:
            with error:
                status, told, given = error.code, error.read(), dict(error.headers)
        try:
            return status, json.loads(told), given
        except ValueError:
            return status, told.decode(), given

    async def start(self) -> None:
        """Get what a call begins with."""
        status, told, _ = await self.ask("POST", "/start", {"transport": "webrtc"})
        assert status == 200, told
        self.session = told["sessionId"]

    @property
    def offers(self) -> str:
        return f"/sessions/{self.session}/api/offer"

    def signal(self) -> Signal:
        async def offer(asked: dict[str, Any]) -> dict[str, Any]:
            if not self.session:
                await self.start()
            status, told, _ = await self.ask("POST", self.offers, asked)
            assert status == 200, told
            assert isinstance(told, dict)
            return told

        return offer
