"""Ephemeral tokens: keys for one session that a client may be given.

https://ai.google.dev/gemini-api/docs/ephemeral-tokens
"""

import random
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .client_messages import SETUP
from .closes import INVALID_ARGUMENT, INVALID_KEY, Closed, invalid_value, unknown_name
from .proto_json import camel, checked, integer, message, text

PREFIX = "auth_tokens/"
_KEPT = 10_000
_SESSION_S = 60
_MESSAGES_S = 30 * 60
_LONGEST_S = 20 * 60 * 60
_REQUEST = message(
    {
        "uses": integer,
        "expireTime": text,
        "newSessionExpireTime": text,
        "bidiGenerateContentSetup": SETUP,
        "fieldMask": text,
    }
)


@dataclass(slots=True, kw_only=True)
class AuthToken:
    """One ephemeral token."""

    uses_left: int | None
    """New sessions that it still opens; None is any number."""
    expires: float
    """By the clock of the world, when messages are refused; so are the other times."""
    new_sessions_until: float
    setup: Mapping[str, Any] | None
    """The setup of its sessions; None leaves it to the client."""
    locked: tuple[str, ...] | None
    """The fields that the client cannot set, as paths; None are all."""

    @property
    def seconds_left(self) -> float:
        """How long its sessions' messages are still taken."""
        return self.expires - time.time()

    def open_session(self) -> None:
        """A new session begins with it.

        Raises:
            Closed: It is used up.
        """
        if self.uses_left == 0 or time.time() >= self.new_sessions_until:
            raise Closed(INVALID_KEY)
        if self.uses_left is not None:
            self.uses_left -= 1

    def effective(self, setup: Mapping[str, Any]) -> Mapping[str, Any]:
        """A client's checked setup, with what the token locks as the token has it."""
        if self.setup is None and self.locked is None:
            return setup
        own = self.setup or {}
        if self.locked is None:
            # Which session is resumed is the client's matter.
            handle = setup.get("sessionResumption", {}).get("handle")
            resumed = {**own.get("sessionResumption", {}), "handle": handle}
            whole = {"model": setup.get("model", ""), **own}
            return {**whole, "sessionResumption": resumed} if handle else whole
        effective = {name: dict(v) if isinstance(v, dict) else v for name, v in setup.items()}
        for path in self.locked:
            _overwrite(effective, own, path)
        return effective


def _overwrite(setup: dict[str, Any], own: Mapping[str, Any], path: str) -> None:
    """Make the field at `path`, one or two names deep, as `own` has it."""
    outer, _, inner = path.partition(".")
    if not inner:
        setup.pop(outer, None)
        if outer in own:
            setup[outer] = own[outer]
        return
    group = dict(setup.get(outer, {}))
    group.pop(inner, None)
    if inner in own.get(outer, {}):
        group[inner] = own[outer][inner]
    setup[outer] = group


class AuthTokens:
    """The ephemeral tokens that were given out; the newest 10,000."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, AuthToken] = OrderedDict()

    def create(self, request: Any, chance: random.Random) -> Mapping[str, Any]:
        """A new token, as the service's answer has it.

        Raises:
            Closed: Something is wrong with the request; the reason tells what.
        """
        fields = checked(_REQUEST, request)
        now = time.time()
        uses = fields.get("uses", 1)
        mask = fields.get("fieldMask")
        token = AuthToken(
            uses_left=None if uses == 0 else uses,
            expires=_time("expire_time", fields.get("expireTime"), now, _MESSAGES_S),
            new_sessions_until=_time(
                "new_session_expire_time", fields.get("newSessionExpireTime"), now, _SESSION_S
            ),
            setup=fields.get("bidiGenerateContentSetup"),
            locked=None if mask is None else _paths(mask),
        )
        if uses < 0:
            raise Closed(INVALID_ARGUMENT)
        name = f"{PREFIX}{chance.getrandbits(256):064x}"
        self._tokens[name] = token
        while len(self._tokens) > _KEPT:
            self._tokens.popitem(last=False)
        return {"name": name}

    def find(self, name: str) -> AuthToken:
        """The token of that name, which may still be used.

        Raises:
            Closed: There is none, or it has expired.
        """
        token = self._tokens.get(name)
        if token is None or time.time() >= token.expires:
            raise Closed(INVALID_KEY)
        return token


def _paths(mask: str) -> tuple[str, ...]:
    """The fields of a mask such as `model,generationConfig.temperature`."""
    paths = [part.strip() for part in mask.split(",") if part.strip()]
    for path in paths:
        if path.count(".") > 1:
            raise unknown_name(path, "field_mask")
    return tuple(".".join(camel(name) for name in path.split(".")) for path in paths)


def _time(path: str, value: str | None, now: float, default_s: float) -> float:
    """A time as protobuf writes it, which must lie within the next 20 hours."""
    if value is None:
        return now + default_s
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise invalid_value(path, "type.googleapis.com/google.protobuf.Timestamp", value) from error
    if moment.tzinfo is None or moment.timestamp() - now > _LONGEST_S:
        raise Closed(INVALID_ARGUMENT)
    return moment.timestamp()
