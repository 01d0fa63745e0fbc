"""The function calls that wait for the client's answer."""

import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from ..backends.backend import Call, ToolOutput
from .closes import INVALID_ARGUMENT, Closed
from .functions import Tools

_DONE_KEPT = 1000
_SCHEDULING = "scheduling"


class Scheduling(Enum):
    """When the result of a NON_BLOCKING function is spoken of."""

    INTERRUPT = "INTERRUPT"
    WHEN_IDLE = "WHEN_IDLE"
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The client's answer to a call."""

    output: ToolOutput
    scheduling: Scheduling | None
    """None: the model waits for it."""


@dataclass(frozen=True, slots=True)
class _Pending:
    name: str
    blocks: bool


class Calls:
    """Keeps the calls of one session from toolCall to toolResponse.

    Args:
        chance: Makes the ids.
        vertex: Calls have no ids, and are answered by name.
    """

    def __init__(self, chance: random.Random, *, vertex: bool) -> None:
        self._chance = chance
        self._vertex = vertex
        self._pending: dict[str, _Pending] = {}
        self._done: OrderedDict[str, None] = OrderedDict()

    @property
    def any_pending(self) -> bool:
        return bool(self._pending)

    @property
    def blocking(self) -> bool:
        """Whether the model waits for an answer."""
        return any(call.blocks for call in self._pending.values())

    def make(self, calls: Sequence[Call], tools: Tools) -> Mapping[str, Any]:
        """The toolCall message of calls, which wait from now on."""
        functions = []
        for call in calls:
            id = f"function-call-{self._chance.randrange(10**18, 10**19)}"
            self._pending[id] = _Pending(call.name, call.name not in tools.non_blocking)
            wire = {"name": call.name, "args": _arguments(call.arguments)}
            functions.append(wire if self._vertex else {**wire, "id": id})
        return {"toolCall": {"functionCalls": functions}}

    def answer(self, responses: Sequence[Mapping[str, Any]]) -> list[Result]:
        """Take a checked toolResponse. Answers to calls that were answered or cancelled before are
        passed over.

        Raises:
            Closed: One answers nothing that was asked.
        """
        if not responses:
            raise Closed(INVALID_ARGUMENT)
        found: list[tuple[str, Mapping[str, Any]]] = []
        for response in responses:
            found.append((self._id_of(response, [id for id, _ in found]), response))
        # One id may be answered twice even here.
        return [self._result(id, each) for id, each in found if id in self._pending]

    def _id_of(self, response: Mapping[str, Any], before: Sequence[str]) -> str:
        """The call that a response answers, those that others answered `before` it left out."""
        if self._vertex:
            name = response.get("name")
            calls = self._pending.items()
            ids = [id for id, call in calls if call.name == name and id not in before]
            if not ids or "willContinue" in response or _SCHEDULING in response:
                raise Closed(INVALID_ARGUMENT)
            return ids[0]
        id = response.get("id", "")
        if id not in self._pending and id not in self._done:
            raise Closed(INVALID_ARGUMENT)
        return str(id)

    def _result(self, id: str, response: Mapping[str, Any]) -> Result:
        call = self._pending[id]
        given = dict(response.get("response", {}))
        # Guides put it into the result, the reference beside it.
        within = given.pop(_SCHEDULING, None)
        output = ToolOutput(name=call.name, output=_spoken(given))
        if call.blocks or not response.get("willContinue"):
            del self._pending[id]
            self._forget(id)
        if call.blocks:
            return Result(output=output, scheduling=None)
        wanted = response.get(_SCHEDULING, within)
        known = wanted in Scheduling.__members__
        scheduling = Scheduling[wanted] if known else Scheduling.WHEN_IDLE
        return Result(output=output, scheduling=scheduling)

    def cancel(self, *, everything: bool) -> list[str]:
        """Stop waiting; the ids of the calls that nobody needs to answer any more.

        Args:
            everything: Those of NON_BLOCKING functions too.
        """
        ids = [id for id, call in self._pending.items() if everything or call.blocks]
        for id in ids:
            del self._pending[id]
            self._forget(id)
        return ids

    def _forget(self, id: str) -> None:
        """Another answer to it may be under way, and is no error."""
        self._done[id] = None
        while len(self._done) > _DONE_KEPT:
            self._done.popitem(last=False)


def _arguments(text: str) -> Any:
    """A call's arguments; a script may hold what is no JSON object, and the wire cannot."""
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _spoken(response: Mapping[str, Any]) -> str:
    """What a result says, without the envelope that it came in."""
    value: Any = response
    if len(response) == 1 and next(iter(response)) in ("output", "result"):
        value = next(iter(response.values()))
    return value if isinstance(value, str) else orjson.dumps(value).decode()
