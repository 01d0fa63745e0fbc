"""Which responses run, which were cut, and which wait: OpenAI runs one at a time.

A response that is asked for while another one runs, or while the user speaks, is held. The
answer to the user's turn also answers what was held before it, if it knew of all that was sent.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from crossfade.providers.wire_json import JsonObject

# Ends that are remembered, so that what trails behind them is known for what it is.
_MOST_ENDED = 64
# More than one runs only if the service breaks its rule; the oldest is taken for ended.
_MOST_RUNNING = 16
_MOST_UNHEARD = 64
# Phrases that wait to be said; beyond that the oldest is dropped.
_MOST_PHRASES_HELD = 8


class Floor(Enum):
    """Where the user's turn stands."""

    FREE = "free"
    USER_SPEAKS = "user speaks"
    ANSWER_DUE = "answer due"
    """The service will answer the user's turn by itself."""


@dataclass(slots=True, kw_only=True)
class Response:
    """A response that runs."""

    id: str
    injected: bool
    cut: bool = False
    """Interrupted: what still comes of it is dropped."""
    unheard_items: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_UNHEARD))
    """Items whose audio came only after the cut."""
    call_ids: set[str] = field(default_factory=set)
    """Tool calls that were given to the caller."""


@dataclass(slots=True, kw_only=True, eq=False)
class Request:
    """A response that was asked for."""

    event_id: str
    body: JsonObject | None
    """What is special about it; None for the ordinary next answer."""
    withdrawn: bool = False
    """Interrupted before it began."""


class Responses:
    """Running, requested and held responses of one session."""

    def __init__(self) -> None:
        self._running: dict[str, Response] = {}
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)
        self._held: deque[Request] = deque()
        self._requested: Request | None = None
        self._floor = Floor.FREE
        # The service runs a response that we do not know of; it will tell us of its end.
        self._blocked = False
        self._requests = 0
        self._items_on_the_way = 0

    def __iter__(self) -> Iterator[Response]:
        return iter(tuple(self._running.values()))

    def ask(self, body: JsonObject | None = None) -> None:
        """Hold a request until `next_request` lets it go. Ordinary answers are asked for once."""
        if body is None and any(request.body is None for request in self._held):
            return
        phrases = [request for request in self._held if request.body is not None]
        if body is not None and len(phrases) >= _MOST_PHRASES_HELD:
            self._held.remove(phrases[0])
        self._requests += 1
        self._held.append(Request(event_id=f"crossfade_response_{self._requests}", body=body))

    def next_request(self) -> Request | None:
        """Give the request to send now, if the floor is free for one."""
        busy = self._running or self._requested or self._blocked or self._floor is not Floor.FREE
        if busy or not self._held:
            return None
        self._requested = self._held.popleft()
        return self._requested

    def begin(self, response_id: str, *, injected: bool) -> Response | None:
        """Note that a response began; None if it is known already."""
        if response_id in self._running or response_id in self._ended:
            return None
        response = Response(id=response_id, injected=injected)
        request = self._requested
        if request is not None and (request.body is not None) == injected:
            response.cut = request.withdrawn
            self._requested = None
        elif not injected and self._floor is Floor.ANSWER_DUE:
            self._drop_held_answered()
        if not injected and self._floor is Floor.ANSWER_DUE:
            self._floor = Floor.FREE
        self._running[response_id] = response
        if len(self._running) > _MOST_RUNNING:
            self.end(next(iter(self._running)))
        return response

    def get(self, response_id: str) -> Response | None:
        return self._running.get(response_id)

    def end(self, response_id: str) -> None:
        self._blocked = False
        if self._running.pop(response_id, None) is not None:
            self._ended.append(response_id)

    def refuse(self, event_id: str, *, active: bool) -> None:
        """Note that a request was refused.

        Args:
            event_id: The request; empty if the service did not say.
            active: Because another response runs: it is asked for again after that one.
        """
        request = self._requested
        if request is None or not (event_id == request.event_id or (active and not event_id)):
            return
        self._requested = None
        if active and not request.withdrawn:
            self._held.appendleft(request)
            self._blocked = not self._running

    def interrupt(self) -> list[Response]:
        """Cut everything, and forget what was held.

        Returns:
            The responses that were not cut before; they are to be cancelled.
        """
        self._held.clear()
        if self._requested is not None:
            self._requested.withdrawn = True
        running = [response for response in self._running.values() if not response.cut]
        for response in running:
            response.cut = True
        return running

    def item_sent(self) -> None:
        """An item was sent to the conversation."""
        self._items_on_the_way += 1

    def item_arrived(self) -> None:
        """An item that was sent became part of the conversation."""
        self._items_on_the_way = max(0, self._items_on_the_way - 1)

    def user_speaks(self) -> None:
        self._blocked = False
        self._floor = Floor.USER_SPEAKS

    def answer_due(self) -> None:
        self._floor = Floor.ANSWER_DUE

    def floor_free(self) -> None:
        self._floor = Floor.FREE

    def answer_doubtful(self) -> None:
        """The service may have failed to answer the user's turn: wait for it no longer."""
        if self._floor is Floor.ANSWER_DUE:
            self._floor = Floor.FREE

    def _drop_held_answered(self) -> None:
        answers = [request for request in self._held if request.body is None]
        self._held.clear()
        if self._items_on_the_way:
            self._held.extend(answers)


__all__ = ["Floor", "Request", "Response", "Responses"]
