"""Shows a call on the terminal while it runs."""

import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crossfade.observability.cost_meter import OnBudget
from crossfade.observability.live_events import (
    AgentFinished,
    AgentSaid,
    AgentSpeaking,
    AnswerHeard,
    AnswerOverdue,
    AnswerSlow,
    AudioLost,
    BudgetCrossed,
    Continued,
    Failed,
    LineLost,
    LiveEvent,
    RateMismatched,
    ToolAnswered,
    ToolCalled,
    UserSaid,
    UserSpeaking,
)
from crossfade.observability.redaction import redact, without_secrets
from crossfade.observability.report_words import plain

_WHO = {"caller": "bold cyan", "agent": "bold green", "tool": "bold yellow", "": "dim"}
_RESULT_CHARS = 160


class CallConsole:
    """Prints what is said and done line by line, and below what is being said right now.

    Call it with each live event, inside its `with` block. Without a terminal only whole lines are
    printed.

    Args:
        console: Where.
        below: Gives one more line for below; empty is none.
    """

    def __init__(self, console: Console, below: Callable[[], str] = str) -> None:
        self._console = console
        self._below = below
        self._caller = Text()
        self._agent: dict[str, tuple[float, str]] = {}
        self._agent_speaks = False
        self._live = Live(
            get_renderable=self._now, console=console, transient=True, refresh_per_second=10
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        for since_s, text in self._agent.values():
            self._print(since_s, "agent", Text(text.strip()))

    def __call__(self, event: LiveEvent) -> None:  # noqa: C901  # one case for each event
        match event:
            case UserSpeaking():
                self._caller = Text("speaking …") if event.speaking else Text()
            case UserSaid(final=False):
                self._caller = Text(event.text + " …")
            case UserSaid():
                self._caller = Text()
                self._print(event.at_s, "caller", Text(event.text or "(nothing understood)"))
            case AgentSaid():
                self._hear_agent(event)
            case AgentSpeaking():
                self._agent_speaks = event.speaking
            case AgentFinished():
                self._finish_answer(event)
            case ToolCalled():
                call = f"{event.name}({_arguments(event.arguments)})"
                self._print(event.at_s, "tool", Text(call))
            case ToolAnswered():
                style = "red" if event.is_error else ""
                self._print(event.at_s, "tool", Text(f"→ {_short(event.result)}", style))
            case AnswerHeard():
                latency = Text(f"answer heard after {event.voice_to_voice_ms:.0f} ms", "dim")
                self._print(event.at_s, "", latency)
            case AnswerOverdue() | AnswerSlow() | RateMismatched() | BudgetCrossed():
                self._print(event.at_s, "", Text(_alert(event), "yellow"))
            case LineLost() | Continued() | AudioLost():
                self._print(event.at_s, "", _continuity(event))
            case Failed():
                self._print(event.at_s, "", Text(event.message, "red"))

    def _hear_agent(self, event: AgentSaid) -> None:
        since_s, text = self._agent.get(event.item_id, (event.at_s, ""))
        self._agent[event.item_id] = since_s, text + event.text

    def _finish_answer(self, event: AgentFinished) -> None:
        since_s, text = self._agent.pop(event.item_id, (event.at_s, ""))
        if text:
            remark = " ✂ interrupted" if event.interrupted else ""
            self._print(since_s, "agent", Text(text.strip()).append(remark, "magenta"))

    def _print(self, at_s: float, who: str, text: Text) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(width=7, justify="right", style="dim")
        line.add_column(width=6, style=_WHO[who])
        line.add_column()
        line.add_row(f"{at_s:.1f}s", who, _harmless(text))
        self._console.print(line)

    def _now(self) -> Text:
        speaker = "agent" if self._agent_speaks else "caller" if self._caller else ""
        said = next((text for _, text in self._agent.values()), "")
        words = Text(said.strip()[-_RESULT_CHARS:]) if said else self._caller
        words = _harmless(words)
        now = Text("      ● ", _WHO[speaker]).append(f"{speaker:<6} ").append_text(words)
        return now.append(f"\n      {below}", "dim") if (below := self._below()) else now


def _harmless(text: Text) -> Text:
    """The same without credentials, and without what a terminal obeys: others said it."""
    text.plain = plain(without_secrets(text.plain))
    return text


def _alert(event: AnswerOverdue | AnswerSlow | RateMismatched | BudgetCrossed) -> str:
    """What is not as it should be, in plain words."""
    match event:
        case BudgetCrossed():
            cost = f"the call has cost ${event.spent_usd:.4f}, more than ${event.budget.usd}"
            return cost + _ON_BUDGET[event.budget.then].format(event.budget.node)
        case AnswerOverdue():
            return f"no answer after {event.waited_ms:.0f} ms: still waiting for {event.hop}"
        case AnswerSlow():
            hop = f"{event.hop} took {event.took_ms:.0f} ms, may take {event.budget_ms:.0f}"
            return f"slow answer: {hop}"
    return (
        f"the caller's sound is declared as {event.declared_hz} Hz "
        f"but comes as {event.likely_hz} Hz does"
    )


_ON_BUDGET = {
    OnBudget.WARN: "",
    OnBudget.DOWNGRADE: ": {0} is to take over",
    OnBudget.END: ": it ends when the agent has finished",
}
_HANDOVERS = {
    "reconnect": "connected again to {0}",
    "rotation": "went over to a new session of {0}",
    "failover": "{0} takes the call over",
    "return": "back to {0}",
}


def _continuity(event: LineLost | Continued | AudioLost) -> Text:
    """How the call went on, in plain words."""
    match event:
        case LineLost():
            why = event.message.removesuffix(".")
            lost = f"the line to the provider is lost ({why}); looking for another"
            return Text(lost, "yellow")
        case AudioLost():
            lost = f"{event.lost_ms / 1000:.1f} s of what the caller said could not be kept"
            return Text(lost, "red")
    return Text(_continued(event), "yellow")


def _continued(event: Continued) -> str:
    handover = _HANDOVERS.get(event.why)
    told = f"{event.why}: {event.provider} serves"
    if handover is not None:
        told = handover.format(event.provider)
    if event.resumed:
        told += ", which took its session up again"
    told += f"; {event.gap_ms:.0f} ms without a line"
    if event.replayed_ms:
        told += f", {event.replayed_ms / 1000:.1f} s of the caller's words told again"
    return told


def _arguments(arguments: Any) -> str:
    kept = redact(arguments, content=True)
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in kept.items())


def _short(result: Any) -> str:
    text = json.dumps(redact(result, content=True, key="result"), ensure_ascii=False)
    return text if len(text) <= _RESULT_CHARS else text[: _RESULT_CHARS - 1] + "…"
