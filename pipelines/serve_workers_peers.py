"""The other workers of a server, as each of them knows them."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pybase64

from .serve_caps import Day
from .serve_workers_channel import Channel, Message

ANSWER_S = 1.0
"""So long the others may take to answer."""

Told = Callable[[Message], object]


class Peers:
    """Nobody: the server is one process."""

    def holds(self, call_id: str) -> bool:
        """Whether another worker has a call."""
        return False

    @property
    def room(self) -> bool:
        """Whether another worker takes new calls."""
        return False

    def calls_of(self, client: str) -> int:
        """How many calls an address has at others."""
        return 0

    def begun(self, call_id: str, client: str) -> None:
        """A call is served here from now on."""

    def ended(self, call_id: str) -> None:
        """A call is served here no more."""

    def pass_on(self, line: socket.socket, came: bytes, call_id: str | None) -> None:
        """Have another worker answer a line.

        Args:
            line: The connection.
            came: What came over it so far.
            call_id: The call that its client wants; None is a new one.
        """

    def tell(self, what: str, **fields: Any) -> None:
        """Tell all others something."""

    def on(self, what: str, told: Told) -> None:
        """Have a function told what others tell."""

    async def ask(self, what: str) -> Sequence[Any]:
        """What the others answer; who does not in time is left out."""
        return ()

    def answer(self, what: str, give: Callable[[], Any]) -> None:
        """Answer others, what JSON can hold."""


ALONE = Peers()


class WorkerPeers(Peers):
    """The others, by way of the process that started them all.

    Args:
        channel: To that process.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._holders: dict[str, str] = {}
        """Calls of others, and whose they are."""
        self._room = False
        self._told: dict[str, Told] = {}
        self._answers: dict[str, Callable[[], Any]] = {}
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Queue[Any]] = {}
        self.others_day = Day()

    def holds(self, call_id: str) -> bool:
        return call_id in self._holders

    @property
    def room(self) -> bool:
        return self._room

    def calls_of(self, client: str) -> int:
        return sum(1 for each in self._holders.values() if each == client)

    def begun(self, call_id: str, client: str) -> None:
        self._holders.pop(call_id, None)
        self._channel.send("begun", call=call_id, client=client)

    def ended(self, call_id: str) -> None:
        self._channel.send("ended", call=call_id)

    def pass_on(self, line: socket.socket, came: bytes, call_id: str | None) -> None:
        told = pybase64.b64encode(came).decode()
        self._channel.send("pass", connection=line, came=told, call=call_id)

    def tell(self, what: str, **fields: Any) -> None:
        self._channel.send("tell", what=what, fields=fields)

    def on(self, what: str, told: Told) -> None:
        self._told[what] = told

    async def ask(self, what: str) -> Sequence[Any]:
        number, answers = next(self._numbers), asyncio.Queue[Any]()
        self._asked[number] = answers
        self._channel.send("ask", asked=number, what=what)
        found: list[Any] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                count = await answers.get()
                while len(found) < count:
                    found.append(await answers.get())  # kept when time is up
        del self._asked[number]
        return found

    def answer(self, what: str, give: Callable[[], Any]) -> None:
        self._answers[what] = give

    def state(self, *, calls: int, busy: bool, draining: bool, day: Day) -> None:
        """Tell how this worker fares."""
        self._channel.send("state", calls=calls, busy=busy, draining=draining, day=asdict(day))

    def receive(self, message: Message) -> None:
        """Take what came about the others."""
        match message:
            case {"kind": "begun", "call": call_id, "client": client}:
                self._holders[call_id] = client
            case {"kind": "ended", "calls": calls}:
                for call_id in calls:
                    self._holders.pop(call_id, None)
            case {"kind": "others", "room": room, "day": day}:
                self._room, self.others_day = room, Day(**day)
            case {"kind": "told", "what": what, "fields": fields}:
                if (told := self._told.get(what)) is not None:
                    told(fields)
            case {"kind": "question", "what": what, "to": to, "asked": asked}:
                give = self._answers.get(what)
                content = None if give is None else give()
                self._channel.send("answer", to=to, asked=asked, content=content)
            case {"kind": "asked", "asked": number, "count": count}:
                self._note(number, count)
            case {"kind": "answered", "asked": number, "content": content}:
                self._note(number, content)

    def _note(self, number: int, content: Any) -> None:
        if (answers := self._asked.get(number)) is not None:
            answers.put_nowait(content)


def came_of(message: Mapping[str, Any]) -> bytes:
    """What had come over a line that was passed on."""
    return pybase64.b64decode(message["came"])


__all__ = ["ALONE", "Peers", "WorkerPeers", "came_of"]
