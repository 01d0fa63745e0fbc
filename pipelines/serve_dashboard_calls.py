"""What those who run a server see of a call while it runs."""

import statistics
import time
from collections import deque
from typing import Any

from crossfade.observability.call import CallRecord
from crossfade.observability.live_events import (
    AgentSpeaking,
    AnswerHeard,
    BudgetCrossed,
    Failed,
    LineLost,
    LiveEvent,
    ToolCalled,
    UserSpeaking,
)
from crossfade.observability.redaction import without_secrets

_MOST_LATENCIES = 500
_MOST_CHARACTERS = 300


class CallView:
    """One call. What is said in it is not told.

    Args:
        call_id: Its name.
        record: Of the call.
    """

    def __init__(self, call_id: str, record: CallRecord) -> None:
        self._call_id = call_id
        self._record = record
        self._since = time.time()
        self._latencies_ms: deque[float] = deque(maxlen=_MOST_LATENCIES)
        self._tools = 0
        self._problems = 0
        self._problem = ""
        self._speaks = {"caller": False, "agent": False}
        record.subscribe(self._happened)

    def shown(self, *, attached: bool, node: str) -> dict[str, Any]:
        """For the page.

        Args:
            attached: Whether its client is there.
            node: Who serves.
        """
        caller, agent = self._record.levels_dbfs
        latencies = sorted(self._latencies_ms)
        return {
            "call": self._call_id,
            "since": self._since,
            "attached": attached,
            "node": node,
            "latency_ms": self._latencies_ms[-1] if latencies else None,
            "median_ms": statistics.median_low(latencies) if latencies else None,
            "answers": len(latencies),
            "usd": float(self._record.spent_usd),
            "tools": self._tools,
            "problems": self._problems,
            "problem": self._problem,
            "caller_dbfs": round(caller, 1),
            "agent_dbfs": round(agent, 1),
            "speaks": self._speaks,
        }

    def _happened(self, event: LiveEvent) -> None:
        match event:
            case AnswerHeard(voice_to_voice_ms=took_ms):
                self._latencies_ms.append(round(took_ms, 1))
            case UserSpeaking(speaking=speaking):
                self._speaks["caller"] = speaking
            case AgentSpeaking(speaking=speaking):
                self._speaks["agent"] = speaking
            case ToolCalled():
                self._tools += 1
            case LineLost():
                self._trouble("the provider's line died")
            case BudgetCrossed(spent_usd=spent_usd):
                self._trouble(f"it has cost ${spent_usd:.2f}, more than it was to")
            case Failed(message=message):
                self._trouble(without_secrets(message))

    def _trouble(self, what: str) -> None:
        self._problems += 1
        self._problem = what[:_MOST_CHARACTERS]


__all__ = ["CallView"]
