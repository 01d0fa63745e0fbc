"""What a client that asks for it is told of its call: tools, latency, cost, who serves."""

from collections.abc import Callable
from typing import Any

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.turns import AgentTurn
from crossfade.frames.audio import SpeechPlayedFrame
from crossfade.observability.call import CallRecord
from crossfade.observability.cost import Cost
from crossfade.observability.cost_view import told
from crossfade.observability.live_events import (
    AgentFinished,
    AgentSaid,
    AnswerHeard,
    AudioLost,
    BudgetCrossed,
    Continued,
    Failed,
    LineLost,
    LiveEvent,
    ToolAnswered,
    ToolCalled,
    UserSaid,
    UserSpeaking,
)
from crossfade.observability.redaction import redact, without_secrets
from crossfade.observability.tool_secrets import hide_arguments
from crossfade.transports.websocket_messages import write_message

MOST_CHARACTERS = 4096
"""Of a tool's result, and of a problem."""
_LAST_ANSWERS = 3


class CallDetails:
    """Tells what happens in a call, in the words of docs/websocket.md.

    Args:
        tell: Sends a message to the client.
        record: Of the call.
        conversation: Of the call.
        provider: Who serves first, PROVIDER:MODEL.
        secrets: Arguments of tools that are shown to nobody.
        choices: The nodes that the caller may choose from.
        node: Tells which of them serves.
        sees: Tells whether who serves sees pictures.
    """

    def __init__(
        self,
        tell: Callable[[bytes], None],
        record: CallRecord,
        conversation: Conversation,
        *,
        provider: str,
        secrets: frozenset[str] = frozenset(),
        choices: tuple[str, ...] = (),
        node: Callable[[], str] | None = None,
        sees: Callable[[], bool] = lambda: True,
    ) -> None:
        self._tell = tell
        self._record = record
        self._conversation = conversation
        self._provider = provider
        self._secrets = secrets
        self._choices = choices
        self._node = node or (lambda: self._provider)
        self._sees = sees
        self._called: dict[str, float] = {}
        self._why = ""
        self.coming: Callable[[], str] = str
        """Tells whom the caller chose and who does not serve yet; set by who knows."""
        record.subscribe(self._happened)

    def greet(self) -> None:
        """Tell a client that comes how things stand, and how much was heard of the last answers
        that were cut: that may have been while nobody was told."""
        self.serving()
        self._cost()
        answers = [entry for entry in self._conversation.entries if isinstance(entry, AgentTurn)]
        for turn in answers[-_LAST_ANSWERS:]:
            if turn.interrupted:
                self._heard(turn, interrupted=True)

    def serving(self) -> None:
        """Tell who serves, whom the caller may choose, and whom they chose already."""
        name = self._node()
        choices = list(self._choices or (name,))
        coming = {"coming": chosen} if (chosen := self.coming()) else {}
        self._say("node", name=name, choices=choices, sees=self._sees(), **coming)
        why = f" ({self._why})" if self._why else ""
        self._say("session", text=f"{self._provider}{why}")

    def played(self, frame: SpeechPlayedFrame) -> None:
        """Tell what was heard of the agent, which the conversation knows by now."""
        for response_id in dict.fromkeys(item.origin.response_id for item in frame.items):
            if (turn := self._turn(response_id)) is not None:
                self._heard(turn, interrupted=frame.interrupted)

    def _heard(self, turn: AgentTurn, *, interrupted: bool) -> None:
        self._say("heard", response_id=turn.response_id, text=turn.heard, interrupted=interrupted)

    def problem(self, message: str) -> None:
        """Tell what went wrong."""
        self._say("problem", message=without_secrets(message)[:MOST_CHARACTERS])

    def _happened(self, event: LiveEvent) -> None:
        match event:
            case AgentSaid() | UserSaid():
                # Both come as words of the conversation, which others tell.
                return
            case UserSpeaking(speaking=speaking):
                self._say("state", user_speaking=speaking)
            case AnswerHeard(voice_to_voice_ms=took_ms):
                self._say("latency", voice_to_voice_ms=round(took_ms, 1))
            case AgentFinished():
                self._cost()
            case ToolCalled() | ToolAnswered():
                self._tool(event)
            case Continued(provider=provider, why=why):
                self._provider, self._why = provider, why
                self.serving()
            case LineLost():
                self.problem("The provider's line died; another is looked for.")
            case AudioLost(lost_ms=lost_ms):
                self.problem(f"{lost_ms / 1000:.1f} s of what you said were lost; say it again.")
            case BudgetCrossed(spent_usd=spent_usd):
                self.problem(f"The call has cost ${spent_usd:.2f}, more than it was to.")
            case Failed(message=message):
                self.problem(message)

    def _tool(self, event: ToolCalled | ToolAnswered) -> None:
        if isinstance(event, ToolCalled):
            self._called[event.call_id] = event.at_s
            shown = hide_arguments({"arguments": dict(event.arguments)}, self._secrets)
            fields: dict[str, Any] = {"state": "called", **redact(shown, content=True)}
        else:
            began_s = self._called.pop(event.call_id, event.at_s)
            failed = "failed" if event.is_error else "answered"
            fields = {
                "state": "cancelled" if event.cancelled else failed,
                "took_ms": round((event.at_s - began_s) * 1000, 1),
                "result": _short(redact({"result": event.result}, content=True)["result"]),
            }
        self._say("tool", call_id=event.call_id, name=event.name, **fields)

    def _cost(self) -> None:
        cost = self._record.cost
        turn = cost.by_turn[max(cost.by_turn)] if cost.by_turn else None
        whole = Cost(usd=cost.usd, complete=cost.complete)
        self._say("cost", turn=_dollars(turn), call=_dollars(whole))

    def _turn(self, response_id: str) -> AgentTurn | None:
        for entry in reversed(self._conversation.entries):
            if isinstance(entry, AgentTurn) and entry.response_id == response_id:
                return entry
        return None

    def _say(self, type: str, **fields: Any) -> None:
        self._tell(write_message(type, **fields))


def _dollars(cost: Cost | None) -> str | None:
    """None is unpriced."""
    return None if cost is None or cost.usd is None else told(cost)


def _short(result: Any) -> Any:
    text = str(result)
    return result if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


__all__ = ["CallDetails"]
