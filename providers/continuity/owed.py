"""What a session owes its caller: answers that have not begun, and the rest of one that was cut."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import Enum

from crossfade.conversation.heard import covered_length
from crossfade.conversation.tools import ToolCall
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    RespondAside,
    Say,
    SendText,
    SendToolResult,
    StartTurn,
)
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SpeechDone,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCallCancelled,
    UserTurnCommitted,
)

_LINE_DIED = "The line died while it came."
# More than any session has; the oldest are forgotten.
_MOST_CALLS = 256
_MOST_ASIDES = 64
_MOST_ITEMS = 64


class Debt(Enum):
    NOTHING = "nothing"
    TURN = "turn"
    """The answer to what the user said: it is heard again, and answered."""
    REQUEST = "request"
    """An answer that was asked for: it is asked for again."""
    REST = "rest"
    """The rest of an answer that was cut: the model is told how far it came, and goes on."""


@dataclass(slots=True)
class _Item:
    text: str = ""
    spoken: bool = False
    received_ms: float = 0.0
    done: bool = False
    """All of its sound has come."""

    @property
    def words(self) -> int:
        """How much of its text reached the caller: characters, as the ledger counts them."""
        if not self.spoken or self.done:
            return len(self.text)
        return covered_length(self.text, received_ms=self.received_ms)


@dataclass(slots=True)
class _Response:
    injected: bool
    pays: frozenset[Debt] = frozenset()
    """What it is the answer to."""
    begun: bool = False
    """Something of it has come."""
    interrupted: bool = False
    items: OrderedDict[str, _Item] = field(default_factory=OrderedDict)
    calls: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether only its end was not told any more."""
        return bool(self.items) and all(item.done for item in self.items.values())

    @property
    def received_ms(self) -> float:
        return sum(item.received_ms for item in self.items.values())

    @property
    def end(self) -> ResponseStatus:
        """What becomes of it when the line dies."""
        if self.interrupted:
            return ResponseStatus.INTERRUPTED
        if self.whole:
            return ResponseStatus.COMPLETED
        return ResponseStatus.FAILED if self.injected else ResponseStatus.CUT

    def item(self, item_id: str) -> _Item:
        item = self.items.get(item_id)
        if item is None:
            item = self.items[item_id] = _Item()
            if len(self.items) > _MOST_ITEMS:
                self.items.popitem(last=False)
        return item


class Owed:
    """Follows the commands and events of a session, whichever connection serves.

    Args:
        tells_speech: Whether the provider tells when the user speaks. Else a turn is over when it
            is first told of.
    """

    def __init__(self, *, tells_speech: bool = True) -> None:
        self.tells_speech = tells_speech
        self.tells_turns = True
        """Whether the provider tells of the user's turns at all; else whatever it begins to say is
        the answer to all that was said."""
        self.knows_calls = self.takes_requests = True
        """Whether the provider can be asked for an answer, and have tools run. What it cannot do
        is owed by the next one, and does not keep this one busy."""
        self.user_speaks = False
        """By the provider, or by the marks of the caller."""
        self.asides: deque[Say | RespondAside] = deque(maxlen=_MOST_ASIDES)
        """What was to be said outside the conversation, and has not begun."""
        self.calls: OrderedDict[str, ToolCall] = OrderedDict()
        """The tool calls that are unanswered."""
        self._debts: set[Debt] = set()
        self._turn_over = False
        # What is asked for is the answer to what the user wrote.
        self._written = False
        self._responses: dict[str, _Response] = {}

    @property
    def debt(self) -> Debt:
        """What weighs most: the answer to the user's turn covers whatever was owed before."""
        for debt in (Debt.TURN, Debt.REST, Debt.REQUEST):
            if debt in self._debts:
                return debt
        return Debt.NOTHING

    @property
    def settled(self) -> bool:
        """Whether nobody speaks, nothing is owed and no tool runs, as far as the wire tells."""
        busy = self.user_speaks or self._responses or (self.knows_calls and self.calls)
        return not (busy or self.expects)

    @property
    def expects(self) -> bool:
        """Whether the provider is to tell something soon."""
        debts = self._debts if self.takes_requests else self._debts & {Debt.TURN}
        asides = self.takes_requests and self.asides
        return bool(self._responses or (debts and not self.user_speaks) or asides)

    def has_begun(self, response_id: str) -> bool:
        """Whether anything of a response has come, while it runs."""
        response = self._responses.get(response_id)
        return response is not None and response.begun

    def received_ms(self, response_id: str) -> float:
        """How much speech of a response has come, while it runs."""
        response = self._responses.get(response_id)
        return 0.0 if response is None else response.received_ms

    # What the caller asks for

    def asked(self, command: Command) -> None:
        match command:
            case SendText(respond=True):
                self._debts.add(Debt.REQUEST)
                self._written = True
                # The user goes on to something else.
                self._debts.discard(Debt.REST)
            case Respond():
                self._debts.add(Debt.REQUEST)
            case Say() | RespondAside():
                self.asides.append(command)
            case SendToolResult(result=result, final=True):
                self.calls.pop(result.call_id, None)
            case Interrupt():
                self._interrupt()
            case StartTurn():
                self._user_begins()
            case EndTurn():
                self._user_ends()

    def owe(self, debt: Debt) -> None:
        """Owe what another session was to tell."""
        if debt is not Debt.NOTHING:
            self._debts.add(debt)

    # What the provider tells

    def speech(self, chunk: AudioChunk, duration_ms: float) -> bool:
        """Note speech of the agent; whether an answer to the user begins with it."""
        response = self._responses.get(chunk.response_id)
        if response is None:
            return False
        item = response.item(chunk.item_id)
        item.spoken = True
        item.received_ms += duration_ms
        return not response.begun and self._begin(response)

    def told(self, event: Event) -> bool:
        """Note any other event; whether an answer to the user begins with it."""
        match event:
            case TextDelta():
                return self._words(event)
            case ToolCall():
                return self._call(event)
            case ResponseStarted():
                self._respond(event)
            case SpeechDone():
                if (response := self._responses.get(event.response_id)) is not None:
                    response.item(event.item_id).done = True
            case ResponseDone():
                return self._done(event)
            case SpeechStarted():
                self._user_begins()
            case SpeechStopped():
                self.user_speaks = False
            case UserTurnCommitted():
                self._debts.add(Debt.TURN)
                self._user_ends()
            case ToolCallCancelled(call_id=call_id):
                self.calls.pop(call_id, None)
            case Interruption():
                self._interrupt()
        return False

    def cut(self) -> list[Event]:
        """The line died: give what is to be told of the responses that ran on it."""
        responses, self._responses = self._responses, {}
        events: list[Event] = []
        for response_id, response in responses.items():
            taken_back = [name for name in response.calls if self.calls.pop(name, None) is not None]
            events += [ToolCallCancelled(call_id=name) for name in taken_back]
            status = response.end
            if status is ResponseStatus.CUT:
                self._owe_rest(response)
            reason = _LINE_DIED if status in (ResponseStatus.CUT, ResponseStatus.FAILED) else None
            events.append(ResponseDone(response_id=response_id, status=status, reason=reason))
        return events

    def _owe_rest(self, response: _Response) -> None:
        if self._written and Debt.REQUEST in self._debts:
            return
        continues = response.begun and Debt.REST in response.pays
        if continues or any(item.words for item in response.items.values()):
            self._debts.add(Debt.REST)
        elif response.begun:
            # What it answered is part of the history by now.
            self._debts.add(Debt.REQUEST)

    def _user_begins(self) -> None:
        self.user_speaks = True
        self._turn_over = False
        self._debts.add(Debt.TURN)
        # The user speaks into it, or has heard enough.
        self._debts.discard(Debt.REST)

    def _user_ends(self) -> None:
        self.user_speaks = False
        self._turn_over = True

    def _respond(self, event: ResponseStarted) -> None:
        if event.injected:
            self._take_aside(event.label)
            self._responses[event.response_id] = _Response(injected=True)
            return
        pays = set(self._debts)
        if not self._turn_over and self.tells_speech:
            pays.discard(Debt.TURN)
        self._responses[event.response_id] = _Response(injected=False, pays=frozenset(pays))

    def _take_aside(self, label: str) -> None:
        for aside in self.asides:
            if aside.label == label:
                self.asides.remove(aside)
                return

    def _words(self, event: TextDelta) -> bool:
        response = self._responses.get(event.response_id)
        if response is None:
            return False
        item = response.item(event.item_id)
        item.text += event.text
        item.spoken |= event.spoken
        return not response.begun and self._begin(response)

    def _call(self, call: ToolCall) -> bool:
        self.calls[call.id] = call
        if len(self.calls) > _MOST_CALLS:
            self.calls.popitem(last=False)
        response = self._responses.get(call.response_id)
        if response is None:
            return False
        response.calls.append(call.id)
        return not response.begun and self._begin(response)

    def _done(self, event: ResponseDone) -> bool:
        response = self._responses.pop(event.response_id, None)
        return response is not None and not response.begun and self._begin(response)

    def _begin(self, response: _Response) -> bool:
        """Something of it came, or nothing will."""
        response.begun = True
        if response.injected:
            return False
        self._debts -= response.pays
        self._written &= Debt.REQUEST in self._debts
        if Debt.TURN in response.pays:
            # A turn's answer drops the phrases that wait.
            self._drop_phrases()
        return Debt.TURN in response.pays or not self.tells_turns

    def _interrupt(self) -> None:
        for response in self._responses.values():
            response.interrupted |= not response.injected
        self._debts -= {Debt.REST, Debt.REQUEST}
        self._drop_phrases()

    def _drop_phrases(self) -> None:
        kept = [aside for aside in self.asides if isinstance(aside, RespondAside)]
        self.asides = deque(kept, maxlen=_MOST_ASIDES)


__all__ = ["Debt", "Owed"]
