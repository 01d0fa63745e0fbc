"""The model's side of a session: which responses run, what they answer, how they are cut off."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.errors import CrossfadeError

from ..backends.backend import Dialogue, Prompt, Reply, Tool, Trigger
from ..faults.moments import State
from ..tasks import OwnedTasks
from ..user_audio import Answered
from .behaviour import Behaviour
from .configuration import Configuration, declared_tools
from .context import Context, ContextWindow
from .conversation import Conversation, Event, newest_input, tool_outputs
from .errors import RequestRefused
from .generation import Generation
from .identifiers import Identifiers
from .items import Item
from .outbox import Outbox
from .outcome import Outcome, cancelled, failed
from .response import Response
from .response_settings import ResponseSettings
from .sound_formats import SoundFormat
from .timing import Timing

logger = logging.getLogger(__name__)

OUT_OF_BAND_LIMIT = 16
"""So many responses may run out of band at once; the service's own limit is not known."""
_TOKENS_PER_MINUTE = 15_000_000


@dataclass(slots=True)
class _Running:
    """A response that is not done."""

    response: Response
    task: asyncio.Task[None] | None = None
    reply: Reply | None = None


class Answers:
    """Starts and ends the responses of one session.

    One response at a time belongs to the conversation; `OUT_OF_BAND_LIMIT` may run out of band.

    Args:
        conversation: The session's conversation.
        dialogue: Who answers.
        heard: The words of a spoken item, as soon as they are recognised.
        identifiers: Makes ids.
        outbox: Where events go.
        tasks: Owns the generation.
        timing: The pace.
        behaviour: When rate limits are told, and how several messages end.
        window: What responses read of the conversation.
        began: Called when a response of the conversation begins.
        ended: Called when it is done and none of the conversation runs any more.
        answered: Told of each spoken item that a response begins to answer.
    """

    def __init__(
        self,
        conversation: Conversation,
        dialogue: Dialogue,
        heard: Callable[[Item], Awaitable[str]],
        *,
        identifiers: Identifiers,
        outbox: Outbox,
        tasks: OwnedTasks,
        timing: Timing,
        behaviour: Behaviour,
        window: ContextWindow,
        began: Callable[[], None],
        ended: Callable[[Response], None],
        answered: Answered | None = None,
    ) -> None:
        self._told_began = began
        self._told_ended = ended
        self._answered = answered
        self._conversation = conversation
        self._dialogue = dialogue
        self._heard = heard
        self._identifiers = identifiers
        self._outbox = outbox
        self._tasks = tasks
        self._timing = timing
        self._behaviour = behaviour
        self._window = window
        self._rate_limits = behaviour.rate_limits or outbox.dialect.rate_limits
        self._running: dict[str, _Running] = {}
        self._spoiled: Outcome | None = None
        self._details_as_text = False

    @property
    def active(self) -> bool:
        """Whether a response of the conversation is being generated."""
        return self._active is not None

    @property
    def _active(self) -> _Running | None:
        """The response that belongs to the conversation."""
        running = self._running.values()
        return next((one for one in running if not one.response.settings.out_of_band), None)

    def create(self, settings: ResponseSettings, configuration: Configuration) -> None:
        """Begin a response.

        Args:
            settings: What is in force for it.
            configuration: The session's.

        Raises:
            RequestRefused: One is active already, or too many are out of band, its input names an
                unknown item, or the conversation is too long.
        """
        active = self._active
        beside = len(self._running) - (active is not None)
        if settings.out_of_band and beside >= OUT_OF_BAND_LIMIT:
            raise RequestRefused(
                f"Too many responses out of band: {beside} are in progress. Wait until one is "
                "finished before creating a new one.",
                code="too_many_responses",
            )
        if active is not None and not settings.out_of_band:
            raise RequestRefused(
                "Conversation already has an active response in progress: "
                f"{active.response.id}. Wait until the response is finished before creating a "
                "new one.",
                code="conversation_already_has_active_response",
            )
        format = configuration.input_format
        items = (
            self._conversation.items
            if settings.input is None
            else [self._referenced(wire, format) for wire in settings.input]
        )
        context = self._window.fit(items, settings, configuration.session["truncation"])
        response = Response(
            settings,
            self._conversation,
            self._identifiers,
            context,
            self._outbox.dialect,
            batched_dones=self._behaviour.batched_dones,
        )
        running = _Running(response)
        self._running[response.id] = running
        if not settings.out_of_band:
            self._told_began()
            self._outbox.line.enter(State.THINKING)
        self._outbox.send(response.created())
        if self._rate_limits == "after_created":
            self._outbox.send([_rate_limits(context.read.total)])
        running.task = self._tasks.start(self._run(running, context))

    def _referenced(self, wire: Mapping[str, Any], format: SoundFormat) -> Item:
        if wire["type"] != "item_reference":
            id = self._identifiers.new("item")
            return Item.created_by_client(wire, id=id, format=format)
        item = self._conversation.find(wire["id"])
        if item is None:
            raise RequestRefused(
                f"Error creating response: the item with id '{wire['id']}' does not exist.",
                code="item_not_found",
                param="response.input",
            )
        return item

    async def _run(self, running: _Running, context: Context) -> None:
        response = running.response
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            prompt = await self._prompt(response.settings, newest_input(list(context.items)))
            reply = await self._dialogue.reply(prompt)
            running.reply = reply
            think_ms = self._timing.think_ms if reply.think_ms is None else reply.think_ms
            await asyncio.sleep(started_s + think_ms / 1000 - loop.time())
            if self._spoiled is not None and not response.settings.out_of_band:
                self._dialogue.retract(reply)
                outcome, self._spoiled = self._spoiled, None
            else:
                self._tell_answered(response)
                generation = Generation(response, self._dialogue, self._timing, self._outbox)
                outcome = await generation.run(reply)
        except CrossfadeError as error:
            logger.warning("response %s failed: %s", response.id, error)
            outcome = failed(str(error))
        self._end(running, outcome)

    async def _prompt(self, settings: ResponseSettings, new: list[Item]) -> Prompt:
        asked = [item for item in new if item.role == "user" and not item.is_silence]
        words = [await self._heard(item) if item.is_spoken else item.text for item in asked]
        names = self._conversation.called_names()
        return Prompt(
            trigger=_trigger(new),
            text=" ".join(filter(None, words)),
            outputs=tool_outputs(new, names),
            instructions=settings.instructions,
            tools=_offered(settings),
            out_of_band=settings.out_of_band,
        )

    def _tell_answered(self, response: Response) -> None:
        if self._answered is None or response.settings.out_of_band:
            return
        for item in newest_input(list(response.context.items)):
            if item.is_spoken:
                self._answered(item.id, response.id)

    def cancel(self, response_id: str | None) -> None:
        """End a response as the client asks, by default the conversation's.

        Raises:
            RequestRefused: It is not running.
        """
        running = self._active if response_id is None else self._running.get(response_id)
        if running is None:
            raise RequestRefused(
                "Cancellation failed: no active response found", code="response_cancel_not_active"
            )
        self._cut(running, cancelled("client_cancelled"))

    def interrupt(self) -> None:
        """The user speaks: end the conversation's response, if it is still being generated."""
        active = self._active
        if active is not None:
            self._cut(active, cancelled("turn_detected"))

    def spoil(self, outcome: Outcome) -> None:
        """End the conversation's response in another way, or else the next one."""
        active = self._active
        if active is None:
            self._spoiled = outcome
        else:
            self._cut(active, outcome)

    def say_details_as_text(self) -> None:
        """Let the next response.done have a text for its `status_details`."""
        self._details_as_text = True

    def _cut(self, running: _Running, outcome: Outcome) -> None:
        assert running.task is not None, "a response runs from the moment it is created"
        running.task.cancel()
        if running.reply is not None and not running.response.produced:
            self._dialogue.retract(running.reply)
        self._end(running, outcome)

    def _end(self, running: _Running, outcome: Outcome) -> None:
        response = running.response
        as_text, self._details_as_text = self._details_as_text, False
        del self._running[response.id]
        self._outbox.send(response.finish(outcome.status, outcome.details, as_text=as_text))
        if not response.settings.out_of_band:
            if response.produced or outcome.status == "completed":
                self._window.remember(response.context, response.items)
            self._told_ended(response)
        if self._rate_limits == "after_done":
            used = response.context.read.total + response.written.total
            self._tasks.start(self._tell_rate_limits(used))

    async def _tell_rate_limits(self, used: int) -> None:
        await asyncio.sleep(self._timing.rate_limits_delay_ms / 1000)
        self._outbox.send([_rate_limits(used)])


def _offered(settings: ResponseSettings) -> list[Tool]:
    """The functions that a response may call."""
    choice = settings.tool_choice
    if choice == "none":
        return []
    tools = declared_tools(settings.tools)
    if isinstance(choice, dict) and choice["type"] == "function":
        return [tool for tool in tools if tool.name == choice["name"]]
    return tools


def _rate_limits(used: int) -> Event:
    """The limits after a response of so many tokens; a minute gives all of them back."""
    limit = {"name": "tokens", "limit": _TOKENS_PER_MINUTE, "remaining": _TOKENS_PER_MINUTE - used}
    entry = {**limit, "reset_seconds": round(60 * used / _TOKENS_PER_MINUTE, 3)}
    return {"type": "rate_limits.updated", "rate_limits": [entry]}


def _trigger(new: list[Item]) -> Trigger:
    """What the newest item that is not an instruction makes a reply to."""
    for item in reversed(new):
        if item.type == "function_call_output":
            return Trigger.TOOL_RESULTS
        if item.role == "user":
            if item.is_silence:
                continue
            return Trigger.SPEECH if item.is_spoken else Trigger.TEXT
    return Trigger.REQUEST
