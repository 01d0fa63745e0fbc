"""The text model of a cascade: what it is asked, and what it writes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from pipecat.frames.frames import LLMContextFrame
from pipecat.metrics.metrics import LLMUsageMetricsData
from pipecat.services.llm_service import FunctionCallParams, LLMService

from crossfade.conversation.history import HistoryItem, Notice, Speaker, Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall, ToolDeclaration
from crossfade.frames.control import (
    ErrorFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    MetricsFrame,
)
from crossfade.frames.text import LLMTextFrame
from crossfade.frames.tools import FunctionCallResultFrame, FunctionCallsStartedFrame, is_final
from crossfade.frames.usage import usage_of
from crossfade.providers.continuity.seeding import GO_ON

from .cascade_ahead import Ahead
from .cascade_answer import Answer
from .cascade_answers import Answers
from .cascade_context import ContextBuilder
from .cascade_speaking import Speaking
from .cascade_stage import Stage, Take
from .cascade_trouble import told
from .cascade_turn import Foreseen, Said

PATIENCE_S = 20.0
"""A text model that writes nothing for so long has failed."""


class Writing:
    """Has the model write one answer at a time, each told the conversation anew, and has it spoken.

    What is wanted while another answer is written, or while the user speaks, waits; the next answer
    covers all of it.

    Args:
        service: The text model.
        conversation: What was said; read, and never written.
        tools: What the model may call.
        answers: Those that are not over.
        speaking: Speaks what is written.
        has_floor: Whether the user speaks, or was not understood yet.
        finish: Called with an answer that failed and was not ended by its service.
        push: Given the measurements for the chain.
        error: Given what the model pushes upstream, unless nobody is to hear of it.
        soon: Runs a coroutine beside.
    """

    def __init__(
        self,
        service: LLMService[Any],
        *,
        conversation: Conversation,
        tools: Sequence[ToolDeclaration],
        answers: Answers,
        speaking: Speaking,
        has_floor: Callable[[], bool],
        finish: Callable[[Answer], Awaitable[None]],
        push: Take,
        error: Take,
        soon: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        service.register_function(None, _leave_to_dispatcher)
        self.stage = Stage(service, self._take, self._take_upstream)
        self._conversation = conversation
        self._context = ContextBuilder(tools)
        self._answers = answers
        self._speaking = speaking
        self._has_floor = has_floor
        self._finish = finish
        self._push = push
        self._error = error
        self._soon = soon
        self._timer: asyncio.TimerHandle | None = None
        # What is being written, and what waits for it
        self._answering: Answer | None = None
        self._wanted = self._rest_wanted = False
        self._fresh: set[str] = set()
        self._parts: dict[str, Any] = {}
        self._ahead: Ahead | None = None
        self._owed: list[MetricsFrame] = []

    # What is to be answered

    def note_result(self, frame: FunctionCallResultFrame) -> None:
        """A call has its result, or a part of it."""
        if is_final(frame):
            self._parts.pop(frame.tool_call_id, None)
            self._fresh.add(frame.tool_call_id)
        else:
            self._parts[frame.tool_call_id] = frame.result

    def note_cancelled(self, call_id: str) -> None:
        """A call has no result."""
        self._parts.pop(call_id, None)

    def note_fresh(self, call_ids: Iterable[str]) -> None:
        """The results of these calls are to be spoken of."""
        self._fresh.update(call_ids)

    async def want(self, *, rest: bool = False) -> None:
        """An answer is due; to what the user says while they speak, and after the one at hand.

        Args:
            rest: It is the rest of the answer that the conversation ends with.
        """
        self._rest_wanted |= rest
        self._wanted = True
        await self.go_on()

    async def go_on(self) -> None:
        """Ask for what waited, if it can be asked for now."""
        if self._wanted and self._answering is None and not self._has_floor():
            await self.answer()

    async def answer(self, said: Said | None = None) -> None:
        """Ask the model, and let the answer cover everything that waits for one.

        Args:
            said: The user's turn, which need not be in the ledger yet.
        """
        if said is not None and self._ahead is not None and await self._confirm(said):
            return
        failed = self._answering
        if failed is not None and failed.failure is None:
            self._wanted = True
            return
        self._wanted = False
        if failed is not None:
            # A service may tell what went wrong, and then not that it is over.
            await self._finish(failed)
        fresh, self._fresh = self._fresh, set()
        rest, self._rest_wanted = self._rest_wanted, False
        history: Sequence[HistoryItem]
        if said is None:
            history = self._conversation.history(open_calls=True)
            if rest:
                history = (*history, Notice(text=GO_ON))
        else:
            history = _asked(self._history_before(said.item_id), said.text)
            fresh.clear()
        self._ask(Answer(), history, fresh)

    def over(self, answer: Answer) -> None:
        """An answer is written and spoken, or has failed."""
        if answer is self._answering:
            self._answering = None
            self.stop()

    def stop(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def interrupt(self) -> None:
        """Stop writing; `pay` charges what was begun ahead."""
        if self._ahead is not None:
            self._owed += self._ahead.usage
        self._answering = self._ahead = None
        self.stop()
        self.stage.interrupt()

    def _ask(self, answer: Answer, history: Sequence[HistoryItem], fresh: set[str]) -> None:
        self._answering = answer
        self._answers.add(answer)
        context = self._context.build(history, parts=self._parts, fresh=fresh)
        self.stage.put(LLMContextFrame(context))
        self._wait(answer)

    def _history_before(self, item_id: str) -> Sequence[HistoryItem]:
        return self._conversation.history(open_calls=True, without={item_id})

    # What is begun before the turn has certainly ended

    async def begin_ahead(self, foreseen: Foreseen) -> None:
        """Ask the model already, unless something else is being answered."""
        await self.withdraw()
        if self._answers:
            return
        before = self._history_before(foreseen.item_id)
        self._ahead = Ahead(text=foreseen.text, history=before, parts=dict(self._parts))
        self._ask(self._ahead.answer, _asked(before, foreseen.text), set())

    async def withdraw(self) -> None:
        """Nobody hears of what was begun ahead; what it took is charged nevertheless."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return
        ahead.answer.cut = True
        self._answers.drop(ahead.answer)
        self.over(ahead.answer)
        self.stage.interrupt()
        self._owed += ahead.usage
        await self.pay()

    async def pay(self) -> None:
        """Charge what was begun ahead and came to nothing."""
        while self._owed:
            await self._measured(self._owed.pop(0))

    async def _confirm(self, said: Said) -> bool:
        """The turn has ended: let out what was held, if it answers these words."""
        ahead = self._ahead
        assert ahead is not None
        if not ahead.fits(said.text, self._history_before(said.item_id), self._parts):
            await self.withdraw()
            return False
        ahead.confirmed = True
        self._wanted = self._rest_wanted = False
        self._fresh.clear()
        while ahead.held:
            # What is written meanwhile waits behind.
            await self._write(ahead.held.popleft())
        if self._ahead is ahead:
            self._ahead = None
        return True

    # What the model writes

    async def _take(self, frame: Frame) -> None:
        if not self.stage.stale and self._timer is not None and self._answering is not None:
            if isinstance(frame, LLMFullResponseEndFrame):
                self.stop()
            else:
                self._wait(self._answering)
        if self._ahead is not None and not self.stage.stale:
            self._ahead.held.append(frame)
        else:
            await self._write(frame)

    async def _write(self, frame: Frame) -> None:
        if isinstance(frame, MetricsFrame):
            await self._measured(frame)
            return
        answer = self._answering
        if self.stage.stale or answer is None:
            return
        match frame:
            case LLMFullResponseStartFrame() if not answer.begun:
                await self._answers.begin(answer)
            case LLMTextFrame() if answer.begun:
                for piece in answer.clauses.feed(frame.text):
                    await self._speaking.say(answer, piece)
            case FunctionCallsStartedFrame():
                answer.calls += (
                    ToolCall(
                        id=call.tool_call_id,
                        name=call.function_name,
                        arguments=call.arguments,
                        response_id=answer.id,
                    )
                    for call in frame.function_calls
                )
            case LLMFullResponseEndFrame() if answer.begun:
                await self._speaking.say(answer, answer.clauses.flush())
                await self._speaking.said_all(answer)

    def _wait(self, answer: Answer) -> None:
        """Wait for the next that the model writes of an answer, but not for ever."""
        self.stop()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PATIENCE_S, lambda: self._soon(self._give_up(answer)))

    async def _give_up(self, answer: Answer) -> None:
        """Nothing more comes: what there is of the answer is spoken, and it has failed."""
        if answer is not self._answering or answer.cut:
            return
        self.stage.interrupt()
        if self._ahead is not None and not self._ahead.confirmed:
            await self.withdraw()
            return
        silent = TimeoutError(f"it wrote nothing for {PATIENCE_S:g} s")
        service = self.stage.service
        frame = told(service, ErrorFrame(error=str(silent), exception=silent, processor=service))
        answer.failure = frame.error
        await self._error(frame)
        if not answer.begun:
            await self._answers.begin(answer)
        await self._speaking.say(answer, answer.clauses.flush())
        await self._speaking.said_all(answer)

    async def _measured(self, frame: MetricsFrame) -> None:
        """Keep what a model's answer cost, and pass on the rest."""
        others = []
        for data in frame.data:
            if not isinstance(data, LLMUsageMetricsData):
                others.append(data)
            elif self.stage.stale or self._answering is None:
                await self._answers.charge(data.processor, data.model or "", usage_of(data.value))
            else:
                self._answering.usage = usage_of(data.value)
                self._answering.model = data.model or ""
                self._answering.writer = data.processor
        if others:
            await self._push(MetricsFrame(data=others))

    async def _take_upstream(self, frame: Frame) -> None:
        answer = self._answering
        if isinstance(frame, ErrorFrame) and self._ahead is not None and not self._ahead.confirmed:
            # It is asked again when the turn has ended.
            await self.withdraw()
            return
        if isinstance(frame, ErrorFrame) and answer is not None and not self.stage.stale:
            answer.failure = frame.error
        await self._error(frame)


def _asked(before: Sequence[HistoryItem], text: str) -> Sequence[HistoryItem]:
    return (*before, Utterance(speaker=Speaker.USER, text=text))


async def _leave_to_dispatcher(_call: FunctionCallParams) -> None:
    """Run nothing: the chain's own dispatcher does."""


__all__ = ["Writing"]
