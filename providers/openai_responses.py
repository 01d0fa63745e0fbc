"""Which responses run, which were cut, and which wait: OpenAI runs one at a time.

A response that is asked for while another one runs, or while the user speaks, is held. The
answer to the user's turn also answers what was held before it, if it knew of all that was sent.

What others wait for may never come: a turn that the service drops, an end that is lost. No clock
runs here; a caller who asks again says that it has taken too long. Asking too early does little
harm: the service refuses, and the request is held for the response that runs.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from crossfade.providers.openai_sent_items import SentItems
from crossfade.providers.wire_json import JsonObject

# Ends that are remembered, so that what trails behind them is known for what it is.
_MOST_ENDED = 64
# More than one runs only if the service breaks its rule; the oldest is taken for ended.
_MOST_RUNNING = 16
_MOST_UNHEARD = 64
# Phrases that wait to be said; beyond that the oldest is dropped.
_MOST_PHRASES_HELD = 8
# Out-of-band responses that have not begun; beyond that the oldest loses its label.
_MOST_ASIDES = 64


class Floor(Enum):
    """Where the user's turn stands."""

    FREE = "free"
    USER_SPEAKS = "user speaks"
    """So the service says."""
    MARKED = "turn marked"
    """The caller marked the beginning of the user's turn, and will mark its end."""
    ANSWER_DUE = "answer due"
    """The service will answer the user's turn by itself."""


@dataclass(slots=True, kw_only=True, eq=False)
class Request:
    """A response that was asked for."""

    event_id: str
    body: JsonObject | None
    """What is special about it; None for the ordinary next answer."""
    label: str = ""
    of_turn: bool = False
    """It answers a turn of the user that no interruption takes back."""
    withdrawn: bool = False
    """Interrupted before it began."""
    overtaken: bool = False
    """The service's own answer came first."""
    may_be_answered: bool = False
    """The service's own answer runs, and its end shows whether it covered this."""

    @property
    def phrase(self) -> bool:
        return self.body is not None


@dataclass(slots=True, kw_only=True)
class Response:
    """A response that runs."""

    id: str
    injected: bool
    label: str = ""
    aside: bool = False
    """It runs beside the others: it waits for none, and no interruption ends it."""
    blocks: bool = True
    """No other may be asked for until it ends."""
    stirred: bool = True
    """Something came of it since an answer was asked for last."""
    of_turn: bool = False
    """The service answers the user's turn by itself."""
    knew_all: bool = False
    """It began when all that was sent was part of the conversation."""
    request: Request | None = None
    """The request that it was taken for the answer to."""
    cut: bool = False
    """Interrupted: what still comes of it is dropped."""
    unheard_items: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_UNHEARD))
    """Items whose audio came only after the cut."""
    call_ids: set[str] = field(default_factory=set)
    """Tool calls that were given to the caller."""


class Responses:
    """Running, requested and held responses of one session.

    Args:
        sent_items: What the service's own answer may not know of yet.
    """

    def __init__(self, sent_items: SentItems | None = None) -> None:
        self._sent_items = SentItems() if sent_items is None else sent_items
        self._running: dict[str, Response] = {}
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)
        self.held: deque[Request] = deque()
        """Requests that wait until `next_request` lets them go."""
        self._requested: Request | None = None
        self._in_vain = False
        """An answer was asked for, and none has been let go since."""
        self._passed_over: OrderedDict[str, Request] = OrderedDict()
        self._asides: OrderedDict[str, str] = OrderedDict()
        self._floor = Floor.FREE
        # The service runs a response that we do not know of; it will tell us of its end.
        self._blocked = False
        self._requests = 0

    def __iter__(self) -> Iterator[Response]:
        return iter(tuple(self._running.values()))

    def ask(
        self, body: JsonObject | None = None, *, label: str = "", of_turn: bool = False
    ) -> None:
        """Hold a request until `next_request` lets it go. Ordinary answers are asked for once.

        Who asks for an answer again waits no longer for what may never come.
        """
        if body is None:
            self._press()
            if (held := self._held_answer()) is not None:
                held.of_turn |= of_turn
                held.may_be_answered = False
                return
        phrases = [request for request in self.held if request.phrase]
        if body is not None and len(phrases) >= _MOST_PHRASES_HELD:
            self.held.remove(phrases[0])
        request = Request(event_id=self._next_id(), body=body, label=label, of_turn=of_turn)
        self.held.append(request)

    def ask_aside(self, body: JsonObject, label: str) -> Request:
        """Give a request that is sent at once, whatever else runs or waits."""
        request = Request(event_id=self._next_id(), body=body, label=label)
        self._asides[request.event_id] = label
        if len(self._asides) > _MOST_ASIDES:
            self._asides.popitem(last=False)
        return request

    def next_request(self) -> Request | None:
        """Give the request to send now, if the floor is free for one."""
        waits = self._requested is not None or self._blocked or self._floor is not Floor.FREE
        if waits or not self.held or any(one.blocks for one in self._running.values()):
            return None
        self._requested = self.held.popleft()
        if not self._requested.phrase:
            self._in_vain = False
        return self._requested

    def begin(
        self, response_id: str, *, injected: bool, announced: bool = True, request_id: str = ""
    ) -> Response | None:
        """Note that a response began; None if it is known already.

        Args:
            response_id: The response.
            injected: Whether it stands outside the conversation.
            announced: Off if only something that came of it told of it; its end may never come.
            request_id: The request, where the service repeats it.
        """
        if response_id in self._running or response_id in self._ended:
            return None
        response = Response(id=response_id, injected=injected, blocks=announced)
        if request_id in self._asides:
            response.label = self._asides.pop(request_id)
            response.aside, response.blocks = True, False
        else:
            response.knew_all = not self._sent_items
            self._attribute(response, request_id)
        self._running[response_id] = response
        if len(self._running) > _MOST_RUNNING:
            self.end(next(iter(self._running)))
        return response

    def knows_all(self, response: Response) -> bool:
        """Whether a response that begins is of the conversation, with all that was sent to it."""
        if response.injected:
            return False
        if response.of_turn and not self._sent_items.told_of:
            return not self._sent_items.later
        return response.request is not None or not self._sent_items

    def get(self, response_id: str) -> Response | None:
        """Find a response that something came of."""
        response = self._running.get(response_id)
        if response is not None:
            response.stirred = True
        return response

    def end(self, response_id: str) -> None:
        self._blocked = False
        response = self._running.pop(response_id, None)
        if response is None:
            return
        self._ended.append(response_id)
        if response.of_turn and not self._sent_items.told_of:
            self._sent_items.forget_earlier()
            if not self._sent_items:
                self.held = deque(one for one in self.held if not one.may_be_answered)

    def refuse(self, event_id: str, *, active: bool) -> None:
        """Note that a request was refused.

        Args:
            event_id: The request; empty if the service did not say, and it may be ours.
            active: Because another response runs: it is asked for again after that one.
        """
        if self._asides.pop(event_id, None) is not None:
            return
        request = self._refused(event_id, active=active)
        if request is not None:
            answered = active and self._is_answered(request)
            self._give_up(request)
            if active and not request.withdrawn and not answered:
                self._hold_again(request)
        elif active and not event_id and self._floor is Floor.ANSWER_DUE:
            # The service failed to answer the user's turn by itself.
            self._floor = Floor.FREE
            self.ask(of_turn=True)
            self._wait_for_the_other()

    def interrupt(self) -> list[Response]:
        """Cut everything, and forget what was held but the answer to a turn that is over.

        Returns:
            The responses that were not cut before; they are to be cancelled.
        """
        self.held = deque(request for request in self.held if request.of_turn)
        if self._requested is not None and not self._requested.of_turn:
            self._requested.withdrawn = True
        running = [one for one in self._running.values() if not (one.cut or one.aside)]
        for response in running:
            response.cut = True
        self.answer_doubtful()
        return running

    def user_speaks(self) -> None:
        self._blocked = False
        self._floor = Floor.USER_SPEAKS

    def turn_marked(self) -> None:
        self._blocked = False
        self._floor = Floor.MARKED

    def user_writes(self) -> None:
        """Who writes waits neither for the end of their speech nor for the answer to it."""
        if self._floor is not Floor.MARKED:
            self._floor = Floor.FREE

    def answer_due(self) -> None:
        if self._floor is not Floor.ANSWER_DUE:
            self._sent_items.turn_over()
        # What the user interrupted is not taken for the answer to what they said then.
        if self._requested is not None and self._requested.withdrawn:
            self._requested = None
        self._floor = Floor.ANSWER_DUE

    def floor_free(self) -> None:
        self._floor = Floor.FREE

    def answer_doubtful(self) -> None:
        """The service may not answer the user's turn: wait for it no longer."""
        if self._floor is Floor.ANSWER_DUE:
            self._floor = Floor.FREE

    def _next_id(self) -> str:
        self._requests += 1
        return f"crossfade_response_{self._requests}"

    def _held_answer(self) -> Request | None:
        return next((request for request in self.held if not request.phrase), None)

    def _press(self) -> None:
        """Note that an answer is asked for; if in vain before, wait for nothing that may be lost.

        A response that is not cut is waited for while something comes of it.
        """
        if self._in_vain:
            self._blocked = False
            self.user_writes()
            self._pass_over()
        for response in self._running.values():
            if self._in_vain and (response.cut or not response.stirred):
                response.blocks = False
            response.stirred = False
        self._in_vain = True

    def _pass_over(self) -> None:
        """Take the request that is out for lost. A phrase names itself if it begins after all."""
        request, self._requested = self._requested, None
        if request is not None and request.phrase:
            self._passed_over[request.event_id] = request
            if len(self._passed_over) > _MOST_PHRASES_HELD:
                self._passed_over.popitem(last=False)

    def _attribute(self, response: Response, request_id: str) -> None:
        """Find the request that a response answers, if it answers one."""
        if (late := self._passed_over.pop(request_id, None)) is not None:
            response.label, response.cut = late.label, late.withdrawn
            return
        due = self._floor is Floor.ANSWER_DUE and not response.injected
        request = self._requested
        if request is not None and request.phrase == response.injected:
            self._requested = None
            response.request, response.label = request, request.label
            response.cut = request.withdrawn
        elif due:
            self._drop_held_answered()
            if request is not None:
                # A phrase is out. One that was overtaken twice will not come.
                self._requested = None if request.overtaken else request
                request.overtaken = True
        elif not response.injected:
            # Nothing else was to come: the service does not repeat what marks a phrase.
            self._requested = None
        if due:
            response.of_turn = True
            self._floor = Floor.FREE
        if response.blocks:
            # One at a time: whatever ran before holds nobody up any more, its end told or not.
            for other in self._running.values():
                other.blocks = False

    def _drop_held_answered(self) -> None:
        answers = [request for request in self.held if not request.phrase]
        self.held.clear()
        if self._sent_items:
            self.held.extend(answers)
            for request in answers:
                request.may_be_answered = True

    def _refused(self, event_id: str, *, active: bool) -> Request | None:
        """The request that an error is about."""
        request = self._requested
        if request is not None and event_id in ("", request.event_id):
            return request
        # The service's own answer may have been taken for the one that was asked for.
        for response in self._running.values():
            taken = response.request
            if taken is not None and (event_id == taken.event_id or (active and not event_id)):
                return taken
        return None

    def _is_answered(self, request: Request) -> bool:
        """Whether the service's own answer runs in the place of a request, and knows all that the
        request was made for."""
        own = (one for one in self._running.values() if one.of_turn and one.knew_all)
        return not request.phrase and any(one.request is request for one in own)

    def _give_up(self, request: Request) -> None:
        if self._requested is request:
            self._requested = None
        for response in self._running.values():
            if response.request is request:
                response.request = None

    def _hold_again(self, request: Request) -> None:
        if request.phrase or self._held_answer() is None:
            self.held.appendleft(request)
        self._in_vain = True
        self._wait_for_the_other()

    def _wait_for_the_other(self) -> None:
        """The service says that a response runs: one that we wait for anyway, or another."""
        self._blocked = not any(one.blocks for one in self._running.values())


__all__ = ["Floor", "Request", "Response", "Responses"]
