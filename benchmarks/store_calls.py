"""Calls that only talk: they change their ledgers as a hundred real ones would, without sound."""

import asyncio
import uuid
from collections.abc import Sequence

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_records import NewCall
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.usage import Usage
from crossfade.pipelines.call_journal import CallJournal
from crossfade.pipelines.journal_writer import JournalWriter

RATE_HZ = 16000
STEP_S = 0.1
_CYCLE = 60
_SPEAKS_UNTIL, _ANSWERS_FROM, _ANSWERS_UNTIL = 25, 30, 55
_STEP = bytes(range(256)) * (2 * RATE_HZ // 2560)


class Talk:
    """One call: the caller speaks for 2.5 s, a tool is called, the agent answers for 2.5 s.

    Args:
        phase: In which of the 60 steps of its cycle it begins.
    """

    def __init__(self, phase: int) -> None:
        self.conversation = Conversation(started_at_s=asyncio.get_running_loop().time())
        self.id = f"bench-{uuid.uuid4().hex}"
        self._unfinished = bytearray()
        self._steps = phase

    def opened(self, writer: JournalWriter, at: float) -> CallJournal:
        """Have it written from now on."""
        call = NewCall(id=self.id, spec="openai:bench", started_at=at, audio_rate_hz=RATE_HZ)
        return writer.open(call, self.conversation, unfinished=lambda: bytes(self._unfinished))

    def step(self, now_s: float) -> None:
        """A tenth of a second passes."""
        turn, at = divmod(self._steps, _CYCLE)
        self._steps += 1
        ledger, item, answer = self.conversation, f"user_{turn}", f"answer_{turn}"
        if at == 0:
            ledger.user_started(item, now_s)
        if at < _SPEAKS_UNTIL:
            self._unfinished += _STEP
            if at % 3 == 0:
                ledger.user_transcript(item, "what they said so far " * (at // 6 + 1), False)
        elif at == _SPEAKS_UNTIL:
            self._unfinished.clear()
            ledger.user_stopped(now_s)
            ledger.user_committed(item)
            ledger.user_transcript(item, "what they said in the end " * 5, True)
            ledger.tool_called(ToolCall(id=item, name="look", arguments={"at": item}), now_s)
        elif at == _ANSWERS_FROM:
            ledger.tool_answered(ToolResult(call_id=item, output={"seen": "a" * 200}), now_s)
            ledger.response_started(answer, False, now_s)
        elif _ANSWERS_FROM < at < _ANSWERS_UNTIL:
            ledger.agent_text(answer, answer, "and then some words ")
        elif at == _ANSWERS_UNTIL:
            ledger.response_ended(answer, "completed", Usage(output_audio_tokens=50))
            ledger.agent_played(answer, 2400, 2500)


async def talk(talks: Sequence[Talk], seconds: float) -> None:
    """Have them all go on in real time, each in its turn within a tenth of a second."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    for step in range(round(seconds / STEP_S)):
        for number, each in enumerate(talks):
            due_s = started_s + (step + number / len(talks)) * STEP_S
            if (wait_s := due_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            each.step(loop.time())


__all__ = ["RATE_HZ", "Talk", "talk"]
