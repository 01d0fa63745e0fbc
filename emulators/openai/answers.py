"""The model's side of a session: which responses run, what they answer, how they are cut off."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.errors import CrossfadeError

from ..backends.backend import Dialogue, Prompt, Reply, Trigger
from ..faults.moments import State
from ..tasks import OwnedTasks
from .configuration import declared_tools
from .conversation import Conversation, newest_input, tool_outputs
from .errors import RequestRefused
from .generation import Generation
from .identifiers import Identifiers
from .items import Item
from .outbox import Outbox
from .response import Response
from .response_settings import ResponseSettings
from .timing import Timing
from .usage import input_tokens

logger = logging.getLogger(__name__)

_TOKENS_PER_MINUTE = 800_000


@dataclass(slots=True)
class _Running:
    """A response that is not done."""

    response: Response
    task: asyncio.Task[None] | None = None
    reply: Reply | None = None


class Answers:
    """Starts and ends the responses of one session.

    One response at a time belongs to the conversation; any number may run out of band.

    Args:
        conversation: The session's conversation.
        dialogue: Who answers.
        heard: The words of a spoken item, as soon as they are recognised.
        identifiers: Makes ids.
        outbox: Where events go.
        tasks: Owns the generation.
        timing: The pace.
        settled: Called when no response of the conversation runs any more.
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
        settled: Callable[[], None],
    ) -> None:
        self._settled = settled
        self._conversation = conversation
        self._dialogue = dialogue
        self._heard = heard
        self._identifiers = identifiers
        self._outbox = outbox
        self._tasks = tasks
        self._timing = timing
        self._running: dict[str, _Running] = {}
        self._tokens_left = _TOKENS_PER_MINUTE

    @property
    def active(self) -> bool:
        """Whether a response of the conversation is being generated."""
        return self._active is not None

    @property
    def _active(self) -> _Running | None:
        """The response that belongs to the conversation."""
        running = self._running.values()
        return next((one for one in running if not one.response.settings.out_of_band), None)

    def create(self, settings: ResponseSettings) -> None:
        """Begin a response.

        Raises:
            RequestRefused: One is active already, or its input names an unknown item.
        """
        active = self._active
        if active is not None and not settings.out_of_band:
            raise RequestRefused(
                "Conversation already has an active response in progress: "
                f"{active.response.id}. Wait until the response is finished before creating a "
                "new one.",
                code="conversation_already_has_active_response",
            )
        context = self._context(settings.input)
        read = input_tokens(context, settings.instructions, settings.tools)
        response = Response(settings, self._conversation, self._identifiers, read)
        running = _Running(response)
        self._running[response.id] = running
        if not settings.out_of_band:
            self._outbox.line.enter(State.THINKING)
        self._outbox.send(response.created())
        running.task = self._tasks.start(self._run(running, newest_input(context)))

    def _context(self, wanted: list[dict[str, Any]] | None) -> list[Item]:
        if wanted is None:
            return list(self._conversation.items)
        return [self._referenced(wire) for wire in wanted]

    def _referenced(self, wire: Mapping[str, Any]) -> Item:
        if wire["type"] != "item_reference":
            return Item.created_by_client(wire, id=self._identifiers.new("item"))
        item = self._conversation.find(wire["id"])
        if item is None:
            raise RequestRefused(
                f"Error creating response: the item with id '{wire['id']}' does not exist.",
                code="item_not_found",
                param="response.input",
            )
        return item

    async def _run(self, running: _Running, new: list[Item]) -> None:
        response = running.response
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            reply = await self._dialogue.reply(await self._prompt(response.settings, new))
            running.reply = reply
            think_ms = self._timing.think_ms if reply.think_ms is None else reply.think_ms
            await asyncio.sleep(started_s + think_ms / 1000 - loop.time())
            await Generation(response, self._dialogue, self._timing, self._outbox).run(reply)
        except CrossfadeError as error:
            logger.warning("response %s failed: %s", response.id, error)
            detail = {"type": "server_error", "code": "server_error", "message": str(error)}
            self._outbox.send(response.finish("failed", {"error": detail}))
        self._ended(running)

    async def _prompt(self, settings: ResponseSettings, new: list[Item]) -> Prompt:
        asked = [item for item in new if item.role == "user"]
        words = [await self._heard(item) if item.audio else item.text for item in asked]
        names = self._conversation.called_names()
        return Prompt(
            trigger=_trigger(new),
            text=" ".join(filter(None, words)),
            outputs=tool_outputs(new, names),
            instructions=settings.instructions,
            tools=[] if settings.tool_choice == "none" else declared_tools(settings.tools),
            out_of_band=settings.out_of_band,
        )

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
        self._cut(running, "client_cancelled")

    def interrupt(self) -> None:
        """The user speaks: end the conversation's response, if it is still being generated."""
        active = self._active
        if active is not None:
            self._cut(active, "turn_detected")

    def _cut(self, running: _Running, reason: str) -> None:
        assert running.task is not None, "a response runs from the moment it is created"
        running.task.cancel()
        if running.reply is not None and not running.response.produced:
            self._dialogue.retract(running.reply)
        self._outbox.send(running.response.finish("cancelled", {"reason": reason}))
        self._ended(running)

    def _ended(self, running: _Running) -> None:
        response = running.response
        del self._running[response.id]
        if not response.settings.out_of_band:
            self._settled()
        self._tokens_left = max(0, self._tokens_left - response.written.total)
        self._tasks.start(self._tell_rate_limits(self._tokens_left))

    async def _tell_rate_limits(self, left: int) -> None:
        await asyncio.sleep(self._timing.rate_limits_delay_ms / 1000)
        limit = {"name": "tokens", "limit": _TOKENS_PER_MINUTE, "remaining": left}
        entry = {**limit, "reset_seconds": 60 * (1 - left / _TOKENS_PER_MINUTE)}
        self._outbox.send([{"type": "rate_limits.updated", "rate_limits": [entry]}])


def _trigger(new: list[Item]) -> Trigger:
    """What the newest item that is not an instruction makes a reply to."""
    for item in reversed(new):
        if item.type == "function_call_output":
            return Trigger.TOOL_RESULTS
        if item.role == "user":
            return Trigger.SPEECH if item.audio else Trigger.TEXT
    return Trigger.REQUEST
