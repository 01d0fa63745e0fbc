"""The model's side of a session: its turns, what they say and call, how they are cut off."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from crossfade.errors import CrossfadeError

from ..backends.backend import Call, Prompt, Reply, Say, ToolOutput, Trigger
from ..faults.moments import State
from ..tasks import OwnedTasks
from .calls import Calls, Result, Scheduling
from .closes import INTERNAL, Closed
from .configuration import Configuration
from .conversation import Conversation
from .outbox import Outbox
from .speech import Speaker, Spoken
from .timing import Timing
from .tokens import Tokens, text_tokens, usage
from .turn import Request, Stage, Turn

logger = logging.getLogger(__name__)

# More than this waits only where a client does not let the model finish; the oldest are dropped.
_WAITING_KEPT = 64
_THOUGHT = (
    "**Considering the Reply**\n\nI've looked at what the user wants and settled on a short, "
    "direct answer.\n\n\n"
)


class Answers:
    """Runs the turns of the model in one session, one at a time.

    Args:
        conversation: What is answered, and who answers.
        configuration: What is in force.
        calls: The function calls that wait.
        outbox: Where messages go.
        tasks: Owns the generation.
        timing: The pace.
        settled: Told whether the session can be resumed as it is now, when that changes.
        refuse: Told why the connection must end.
    """

    def __init__(
        self,
        conversation: Conversation,
        configuration: Configuration,
        *,
        calls: Calls,
        outbox: Outbox,
        tasks: OwnedTasks,
        timing: Timing,
        settled: Callable[[bool], None],
        refuse: Callable[[Closed], None],
    ) -> None:
        self.configuration = configuration
        self.late_interruption = False
        """A fault: the next turn is interrupted behind its end."""
        self.rejection: str | None = None
        """A fault: why the next turn ends before it began."""
        self._conversation = conversation
        self._dialogue = conversation.dialogue
        self._calls = calls
        self._outbox = outbox
        self._tasks = tasks
        self._timing = timing
        self._settled = settled
        self._refuse = refuse
        self._speaker = Speaker(
            conversation.dialogue,
            outbox,
            timing,
            several_parts=configuration.model.several_parts,
            transcribed=configuration.output_transcription,
            limit_tokens=configuration.max_output_tokens,
        )
        self._turn: Turn | None = None
        self._waiting: deque[Request] = deque(maxlen=_WAITING_KEPT)
        self._unheard: deque[Request] = deque(maxlen=_WAITING_KEPT)
        self._answered = 0
        self._called_s = 0.0
        self._user_speaks = False
        self._in_progress = False

    @property
    def running(self) -> bool:
        """Whether a turn of the model is under way."""
        return self._turn is not None

    @property
    def called_ms(self) -> float:
        """How long ago the last toolCall was sent."""
        return 1000 * (asyncio.get_running_loop().time() - self._called_s)

    @property
    def _fixed(self) -> Tokens:
        """What every prompt holds."""
        configuration = self.configuration
        written = text_tokens(configuration.instructions) + text_tokens(configuration.tools.text)
        return Tokens(text=written + configuration.model.preamble_tokens)

    def fit(self) -> None:
        """Bring what is remembered within its limits.

        Raises:
            Closed: It is too long.
        """
        self._conversation.context.fit(self._fixed, self.configuration.compression)

    def user_began(self) -> None:
        """The user speaks: the running turn ends, unless the client wants it not to."""
        self._user_speaks = True
        if self.configuration.interrupts:
            self.interrupt()
        self._outbox.line.enter(State.USER_SPEAKING)

    def user_ended(self, request: Request) -> None:
        """They have spoken."""
        self._user_speaks = False
        self.ask(request)
        self._tell_state()

    def ask(self, request: Request) -> None:
        """Answer something now, or when the running turn is over.

        Raises:
            Closed: The conversation is too long.
        """
        if self._turn is None:
            self._start(request)
        else:
            self._waiting.append(request)

    def interrupt(self) -> None:
        """Cut off the running turn, with the calls that it waits for."""
        turn = self._turn
        if turn is None:
            return
        if turn.task is not None:
            turn.task.cancel()
        if not turn.shown and not turn.spoken.sent_bytes:
            self._take_back(turn)
        self._outbox.content(interrupted=True)
        self._cancel(self._calls.cancel(everything=False))
        self._finish(turn, cut=True)

    def _take_back(self, turn: Turn) -> None:
        """Nothing of a turn was seen: what it was to answer is for the next one."""
        if turn.reply is not None:
            self._dialogue.retract(turn.reply)
        for output in turn.told:
            self._conversation.context.keep_silent(output)
        if turn.asked is not None:
            self._conversation.context.put_back(turn.asked)
        elif turn.request.words is not None:
            self._unheard.append(turn.request)

    def cancel_calls(self) -> None:
        """A fault: nobody waits for the calls any more."""
        ids = self._calls.cancel(everything=True)
        self._cancel(ids)
        if self._turn is not None and self._turn.stage is Stage.CALLING:
            self._finish(self._turn)
        elif ids:
            self._tell_state()
            self._settled(self._turn is None)

    def _cancel(self, ids: list[str]) -> None:
        if ids:
            self._outbox.send({"toolCallCancellation": {"ids": ids}})

    def take(self, results: Sequence[Result]) -> None:
        """Take what the client's functions gave."""
        context = self._conversation.context
        for result in results:
            context.add("function", Tokens(text=text_tokens(result.output.output)))
        awaited = [result.output for result in results if result.scheduling is None]
        if awaited:
            self._continue(awaited)
        for scheduling in Scheduling:
            outputs = [each.output for each in results if each.scheduling is scheduling]
            if outputs:
                self._schedule(outputs, scheduling)

    def _continue(self, outputs: Sequence[ToolOutput]) -> None:
        """Go on with the turn that waits for these, once it has them all."""
        turn = self._turn
        assert turn is not None, "blocking calls are cancelled with their turn"
        turn.outputs += outputs
        if not self._calls.blocking:
            request = Request(trigger=Trigger.TOOL_RESULTS, outputs=turn.outputs)
            turn.outputs = []
            self._run(turn, request)

    def _schedule(self, outputs: Sequence[ToolOutput], scheduling: Scheduling) -> None:
        request = Request(trigger=Trigger.TOOL_RESULTS, outputs=outputs)
        if scheduling is Scheduling.SILENT:
            for output in outputs:
                self._conversation.context.keep_silent(output)
            if self._turn is None and not self._calls.any_pending:
                self._rest()
        elif scheduling is Scheduling.INTERRUPT:
            self.interrupt()
            self.ask(request)
        elif self._user_speaks:
            self._waiting.append(request)
        else:
            self.ask(request)

    def _rest(self) -> None:
        """The last call was answered without a word."""
        if self._in_progress:
            self._in_progress = False
            self._outbox.content(interactionStatus="IDLE")
        self._tell_state()
        self._settled(True)

    def _start(self, request: Request) -> None:
        turn = self._turn = Turn(request)
        self._settled(False)
        self._run(turn, request)

    def _run(self, turn: Turn, request: Request) -> None:
        self.fit()
        turn.read = self._fixed + self._conversation.context.tokens
        turn.stage = Stage.THINKING
        turn.request, turn.asked, turn.told = request, None, request.outputs
        turn.reply, turn.shown = None, False
        self._tell_state()
        turn.task = self._tasks.start(self._answer(turn, request))

    async def _answer(self, turn: Turn, request: Request) -> None:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            prompt = await self._prompt(turn, request)
            turn.reply = reply = await self._dialogue.reply(prompt)
            think_ms = self._timing.think_ms if reply.think_ms is None else reply.think_ms
            await asyncio.sleep(started_s + think_ms / 1000 - loop.time())
            await self._generate(turn, reply, request.trigger)
        except CrossfadeError as error:
            logger.warning("a turn failed: %s", error)
            self._refuse(Closed(INTERNAL))
        except Closed as closed:
            self._refuse(closed)

    async def _prompt(self, turn: Turn, request: Request) -> Prompt:
        spoken = [*self._unheard, request]
        words = [await asyncio.shield(each.words) for each in spoken if each.words is not None]
        turn.heard = [each.heard for each in spoken if each.heard is not None]
        self._unheard.clear()
        context = self._conversation.context
        turn.asked = " ".join(filter(None, (context.take_unanswered(), *words)))
        turn.told = [*context.take_silent(), *request.outputs]
        return Prompt(
            trigger=request.trigger,
            text=turn.asked,
            outputs=turn.told,
            instructions=self.configuration.instructions,
            tools=self.configuration.tools.offered,
        )

    async def _generate(self, turn: Turn, reply: Reply, trigger: Trigger) -> None:
        if self.rejection is not None:
            reason, self.rejection = self.rejection, None
            self._finish(turn, turnCompleteReason=reason)
            return
        self._answered += 1
        for heard in turn.heard:
            heard.answers.append(str(self._answered))
        turn.heard = []
        texts = [part.text for part in reply.parts if isinstance(part, Say)]
        calls = [part for part in reply.parts if isinstance(part, Call)]
        # Nothing was thought aloud before a call or behind its result, in what was captured.
        if self.configuration.thoughts and texts and trigger is not Trigger.TOOL_RESULTS:
            self._think_aloud(turn)
        for number, text in enumerate(texts, 1):
            self._enter(turn, Stage.SPEAKING)
            await self._speaker.say(text, turn.spoken)
            if self.configuration.model.interaction_status and (calls or number < len(texts)):
                await self._play(turn)
                self._close_chunk(turn)
        if calls:
            self._call(turn, calls)
        if not self._calls.blocking:
            await self._play(turn)
            self._finish(turn)

    def _think_aloud(self, turn: Turn) -> None:
        turn.shown = True
        turn.thought += text_tokens(_THOUGHT)
        self._outbox.content(modelTurn={"parts": [{"text": _THOUGHT, "thought": True}]})

    def _call(self, turn: Turn, calls: Sequence[Call]) -> None:
        message = self._calls.make(calls, self.configuration.tools)
        arguments = "".join(call.name + call.arguments for call in calls)
        turn.spoken.called += Tokens(text=text_tokens(arguments))
        turn.shown = True
        self._called_s = asyncio.get_running_loop().time()
        self._outbox.send(message)
        if self._calls.blocking:
            self._enter(turn, Stage.CALLING)

    async def _play(self, turn: Turn) -> None:
        """Everything is generated: wait until it can have been heard."""
        self._outbox.content(generationComplete=True)
        turn.shown = True
        turn.stage = Stage.PLAYING
        left_s = turn.spoken.plays_until_s - asyncio.get_running_loop().time()
        if self._timing.await_playback:
            await asyncio.sleep(left_s)

    def _enter(self, turn: Turn, stage: Stage) -> None:
        turn.stage = stage
        self._tell_state()

    def _close_chunk(self, turn: Turn) -> None:
        """The model goes on thinking behind a part of its answer."""
        self._in_progress = True
        self._complete(turn, turn.spoken.written, interactionStatus="IN_PROGRESS")
        turn.spoken = Spoken()
        turn.thought = 0

    def _complete(self, turn: Turn, remembered: Tokens, **fields: Any) -> None:
        model = self.configuration.model
        if remembered.total:
            self._conversation.context.add("model", remembered)
        metadata = usage(
            turn.read,
            turn.spoken.written,
            turn.thought,
            unlisted=model.unlisted_tokens,
            vertex=self.configuration.endpoint.vertex,
        )
        content = {"turnComplete": True, **fields}
        self._outbox.send({"serverContent": content, "usageMetadata": metadata})

    def _finish(self, turn: Turn, *, cut: bool = False, **fields: Any) -> None:
        """End a turn, and begin the next if something waits."""
        now_s = asyncio.get_running_loop().time()
        pending = self._calls.any_pending
        if self.configuration.model.interaction_status:
            self._in_progress = pending
            fields["interactionStatus"] = "IN_PROGRESS" if pending else "IDLE"
        remembered = turn.spoken.heard(now_s) if cut else turn.spoken.written
        self._complete(turn, remembered, **fields)
        self._turn = None
        if self.late_interruption and not cut:
            self.late_interruption = False
            self._outbox.content(interrupted=True)
        self._tell_state()
        self._settled(not pending)
        if self._waiting and not self._user_speaks and not cut:
            self._start(self._waiting.popleft())

    def _tell_state(self) -> None:
        """Tell the line what the session does; the user's speech is told where it begins."""
        if self._turn is None:
            pending = self._calls.any_pending
            state = State.TOOL_PENDING if pending else State.IDLE
        elif isinstance(self._turn.stage.value, State):
            state = self._turn.stage.value
        else:
            return
        if not self._user_speaks:
            self._outbox.line.enter(state)
