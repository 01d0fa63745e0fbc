"""Rooms of LiveKit and of Daily, by pipecat's transports of them.

The agent joins a room as a participant, and the call ends when the last other one has left.
"""

import asyncio
import json
import os
import time
from typing import Any, Literal, Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request

from pipecat.transports.base_transport import BaseTransport

from crossfade.errors import ConnectionLost, CrossfadeError, SettingsError

from .rest_request import send

LIVEKIT_KEY_VARIABLE = "LIVEKIT_API_KEY"
LIVEKIT_SECRET_VARIABLE = "LIVEKIT_API_SECRET"
DAILY_KEY_VARIABLE = "DAILY_API_KEY"
AGENT = "crossfade"
"""The agent's name in a room."""
DAILY_API_URL = "https://api.daily.co/v1"
TOKEN_S = 6 * 3600
"""After so long nobody joins by a token; who is in the room stays."""
REST_S = 10.0
JOIN_S = 30.0
"""How long joining may take."""


_EVENTS = {
    "livekit": ("on_disconnected", "on_before_disconnect"),
    "daily": ("on_call_state_updated", "on_before_leave"),
}
"""Of pipecat's transports: the agent is not in the room any more; it is about to leave."""


class Room(Protocol):
    """What there is to a room, of pipecat's transports of both."""

    def event_handler(self, event_name: str) -> Any:
        """Registers a function for an event."""


class RoomCaller:
    """Whoever else is in a room: the call is over when they have gone.

    Args:
        room: pipecat's transport of it.
        kind: Whose room it is.
        where: Its address, for people.
    """

    def __init__(self, room: Room, kind: Literal["livekit", "daily"], where: str) -> None:
        self._where = where
        self._others = 0
        self._joined = self._leaves = False
        self._over = asyncio.Event()
        self.failure: ConnectionLost | None = None
        """Why the room was lost; None while it is not."""
        gone, leaves = _EVENTS[kind]
        room.event_handler(gone)(self._on_gone)
        room.event_handler(leaves)(self._on_leaves)
        room.event_handler("on_connected")(self._on_connected)
        room.event_handler("on_client_connected")(self._on_other)
        room.event_handler("on_client_disconnected")(self._on_other_gone)

    def hang_up(self) -> None:
        """The agent leaves."""
        self._over.set()

    async def hung_up(self) -> None:
        """Wait until the others have left, or the room is lost or could not be joined."""
        late = asyncio.get_running_loop().call_later(JOIN_S, self._give_up)
        try:
            await self._over.wait()
        finally:
            late.cancel()

    def explain(self, error: CrossfadeError) -> CrossfadeError:
        """Why the call failed, if the room has a part in it."""
        return self.failure or (error if self._joined else self._not_joined())

    def _give_up(self) -> None:
        if not self._joined:
            self.failure = self._not_joined()
            self._over.set()

    def _not_joined(self) -> ConnectionLost:
        return ConnectionLost(
            f"the room at {self._where} could not be joined; check its address, and the keys in "
            "the environment"
        )

    async def _on_connected(self, *_: object) -> None:
        self._joined = True

    async def _on_leaves(self, *_: object) -> None:
        self._leaves = True

    async def _on_gone(self, _room: object, state: str = "left") -> None:
        """The agent is not in the room any more; Daily tells other states in this way, too."""
        if state == "left" and self._joined and not self._leaves:
            self.failure = ConnectionLost(
                f"the room at {self._where} was lost: it was closed, the agent was sent away, or "
                "the network is down; begin another call"
            )
            self._over.set()

    async def _on_other(self, *_: object) -> None:
        self._others += 1

    async def _on_other_gone(self, *_: object) -> None:
        self._others -= 1
        if self._others <= 0:
            self._over.set()


def livekit_room(url: str, room: str) -> BaseTransport:
    """A room of a LiveKit server; it is made by who comes first.

    Args:
        url: `wss://…` of the server.
        room: Its name.

    Raises:
        SettingsError: The address is none, a key is not set, or the package is missing.
    """
    _check(url, ("ws", "wss"), "--livekit")
    key, secret = _given(LIVEKIT_KEY_VARIABLE), _given(LIVEKIT_SECRET_VARIABLE)
    try:
        from pipecat.runner.livekit import generate_token_with_agent
        from pipecat.transports.livekit.transport import LiveKitParams, LiveKitTransport
    except ImportError as error:
        raise _missing("livekit") from error
    params = LiveKitParams(audio_in_enabled=True, audio_out_enabled=True)
    token = generate_token_with_agent(room, AGENT, key, secret)
    return LiveKitTransport(url, token, room, params)


async def daily_room(url: str, *, api_url: str = DAILY_API_URL) -> BaseTransport:
    """A room of Daily, which exists.

    Args:
        url: `https://….daily.co/…` of the room.
        api_url: Of Daily's REST API.

    Raises:
        SettingsError: The address is none, the key is not set, or the package is missing.
        ConnectionLost: Daily gives no token for it.
    """
    _check(url, ("https",), "--daily")
    key = _given(DAILY_KEY_VARIABLE)
    try:
        from pipecat.transports.daily.transport import DailyParams, DailyTransport
    except ImportError as error:
        raise _missing("daily") from error
    token = await asyncio.to_thread(_daily_token, url, key, api_url)
    params = DailyParams(
        audio_in_enabled=True,
        audio_out_enabled=True,
        audio_in_user_tracks=False,
        camera_out_enabled=False,
    )
    return DailyTransport(url, token, AGENT, params)


def _daily_token(url: str, key: str, api_url: str) -> str:
    """Lets its bearer into one room for some hours, as an ordinary participant.

    Source: https://docs.daily.co/reference/rest-api/meeting-tokens/create-meeting-token
    """
    properties = {
        "room_name": urlsplit(url).path.strip("/"),
        "user_name": AGENT,
        "is_owner": False,
        "exp": int(time.time() + TOKEN_S),
    }
    request = Request(
        f"{api_url}/meeting-tokens",
        data=json.dumps({"properties": properties}).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        return str(json.loads(send(request, REST_S))["token"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        # Without its cause: that may hold what was sent.
        if isinstance(error, HTTPError):
            error.close()
        raise ConnectionLost(
            f"Daily gives no token for the room at {url}; is the room one of the account of "
            f"{DAILY_KEY_VARIABLE}?"
        ) from None


def _check(url: str, schemes: tuple[str, ...], option: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname or parts.query or "@" in parts.netloc:
        raise SettingsError(
            f"{option} takes the address of a room's server, such as {schemes[-1]}://…, without a "
            "key or a token in it: those are taken from the environment"
        )


def _given(variable: str) -> str:
    if value := os.environ.get(variable, ""):
        return value
    raise SettingsError(f"the room needs a key; set {variable} in the environment or in .env")


def _missing(extra: str) -> SettingsError:
    return SettingsError(
        f"the packages for these rooms are missing; install them with: "
        f"pip install 'crossfade[{extra}]'"
    )


__all__ = [
    "AGENT",
    "DAILY_KEY_VARIABLE",
    "JOIN_S",
    "LIVEKIT_KEY_VARIABLE",
    "LIVEKIT_SECRET_VARIABLE",
    "RoomCaller",
    "daily_room",
    "livekit_room",
]
