"""The offline backend: hears with pocketsphinx, answers by rules, speaks with espeak-ng."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson

from crossfade.audio.pcm import bytes_for
from crossfade.errors import CrossfadeError, ProviderFault, SettingsError
from crossfade.offline.recogniser import (
    LONGEST_UTTERANCE_S,
    Recogniser,
    recogniser_available,
)
from crossfade.offline.responder import Reply as Answer
from crossfade.offline.responder import Responder
from crossfade.offline.synthesiser import Synthesiser

from .backend import (
    SPEECH_RATE_HZ,
    Call,
    Part,
    Prompt,
    Reply,
    Say,
    Told,
    Tool,
    Trigger,
)
from .course import is_aside, outputs_in, rest_of

logger = logging.getLogger(__name__)

Vocabulary = tuple[str, ...]

WAITING_BYTES = 32 * 1024 * 1024
"""So much speech of one client may wait for the recogniser."""
# Of what clients tell and say so many contributions are kept, the newest.
_HISTORY_KEPT = 1000
_TOLD_KEPT = 64
_TOLD_CHARACTERS = 10_000
# Vocabularies kept loaded although no dialogue uses them.
_KEPT_IDLE = 1


class OfflineBackend:
    """Real speech in and out, without network or key.

    Dialogues with the same tools share a recogniser; one with others loads its own vocabulary,
    which takes about a second.

    Args:
        workers: Recogniser processes for each vocabulary.
    """

    def __init__(self, *, workers: int = 1) -> None:
        self._workers = workers
        self.synthesiser = Synthesiser(SPEECH_RATE_HZ)
        self._recognisers: dict[Vocabulary, asyncio.Task[Recogniser]] = {}
        self._users: dict[Vocabulary, int] = {}

    async def start(self) -> None:
        missing = recogniser_available()
        if missing is not None:
            raise SettingsError(missing)
        await self.synthesiser.__aenter__()

    async def close(self) -> None:
        self._users.clear()
        try:
            await self._trim(0)
        finally:
            await self.synthesiser.__aexit__(None, None, None)

    @property
    def vocabularies(self) -> int:
        """How many are loaded or loading."""
        return len(self._recognisers)

    def dialogue(self) -> "OfflineDialogue":
        return OfflineDialogue(self)

    def acquire(self, vocabulary: Vocabulary) -> None:
        """A dialogue needs a vocabulary, until its `release`: begin to load it."""
        self._users[vocabulary] = self._users.get(vocabulary, 0) + 1
        if vocabulary not in self._recognisers:
            self._recognisers[vocabulary] = asyncio.create_task(
                Recogniser(vocabulary, self._workers).__aenter__()
            )

    async def recogniser(self, vocabulary: Vocabulary) -> Recogniser:
        """The recogniser of an acquired vocabulary, once it is loaded."""
        return await asyncio.shield(self._recognisers[vocabulary])

    async def release(self, vocabulary: Vocabulary) -> None:
        """A dialogue no longer needs a vocabulary."""
        self._users[vocabulary] -= 1
        if not self._users[vocabulary]:
            del self._users[vocabulary]
        await self._trim(_KEPT_IDLE)

    async def _trim(self, keep: int) -> None:
        idle = [name for name in self._recognisers if name not in self._users]
        for name in idle[: max(0, len(idle) - keep)]:
            loading = self._recognisers.pop(name)
            try:
                recogniser = await loading
            except CrossfadeError as error:
                # Whoever wanted to be heard was told.
                logger.warning("a recogniser did not load: %s", error)
                continue
            await recogniser.__aexit__(None, None, None)


class OfflineDialogue:
    """One client's conversation with the rules."""

    def __init__(self, backend: OfflineBackend) -> None:
        self._backend = backend
        self._tools: Sequence[Tool] = ()
        self._vocabulary: Vocabulary | None = None
        self._hearing = asyncio.Lock()
        self._waiting_bytes = 0
        self._history: deque[tuple[str, str]] = deque(maxlen=_HISTORY_KEPT)
        self._asked: deque[str] = deque(maxlen=_TOLD_KEPT)
        # What was told of the results that the last answer speaks of.
        self._results: deque[tuple[str, str]] = deque(maxlen=_TOLD_KEPT)
        self._called = ""
        self._noticed = False
        self._unclear = False

    def configure(self, tools: Sequence[Tool]) -> None:
        self._tools = tools
        if self._vocabulary is None:
            # Loading begins now, so that it is done when the user has spoken. A client that
            # changes its tools loads the new ones when they are needed, and not each.
            self._acquire(self._wanted)

    @property
    def _wanted(self) -> Vocabulary:
        return tuple(Responder(_declarations(self._tools)).sentences())

    def _acquire(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._backend.acquire(vocabulary)

    def told(self, who: Told, text: str) -> None:
        text = text[:_TOLD_CHARACTERS]
        match who:
            case Told.USER if is_aside(text):
                self._results += [(each.name, each.output) for each in outputs_in(text)]
                self._noticed = True
            case Told.USER:
                # It may be what is answered next.
                self._asked.append(text)
                self._results.clear()
            case Told.AGENT:
                self._history += [("user", asked) for asked in self._asked]
                self._history.append(("assistant", text))
                self._asked.clear()
                self._noticed = False
            case Told.NOTICE:
                self._noticed = True
            case Told.CALL:
                self._called = text
            case Told.RESULT:
                self._results.append((self._called, text))

    async def hear(self, pcm: bytes, rate_hz: int) -> str:
        # The recogniser hears no more of an utterance.
        pcm = pcm[: bytes_for(1000 * LONGEST_UTTERANCE_S, rate_hz)]
        if self._waiting_bytes + len(pcm) > WAITING_BYTES:
            raise ProviderFault("too much speech waits to be recognised; send it as it is spoken")
        self._waiting_bytes += len(pcm)
        try:
            async with self._hearing:
                recogniser = await self._recogniser()
                heard = await recogniser.transcribe(pcm, rate_hz)
        finally:
            self._waiting_bytes -= len(pcm)
        self._unclear = not heard.understood
        return heard.text

    async def _recogniser(self) -> Recogniser:
        """The recogniser for the tools in force; one of other tools is let go first."""
        wanted = self._wanted
        if wanted != self._vocabulary:
            await self._let_go()
            self._acquire(wanted)
        return await self._backend.recogniser(wanted)

    async def reply(self, prompt: Prompt) -> Reply:
        self._asked.clear()
        phrase = Responder.say(prompt.instructions)
        if phrase is not None:
            return Reply(parts=[Say(phrase)])
        responder = Responder(_declarations(prompt.tools), prompt.instructions)
        outputs = prompt.outputs or outputs_in(prompt.text)
        if prompt.trigger is Trigger.TOOL_RESULTS or outputs:
            answer = responder.after_tools([(o.name, o.output) for o in outputs])
        elif (rest := self._rest(prompt, responder)) is not None:
            return Reply(parts=[Say(rest)] if rest else [])
        else:
            unclear = prompt.trigger is Trigger.SPEECH and self._unclear
            answer = responder.reply("" if unclear else prompt.text, self._history)
            self._results.clear()
            self._history.append(("user", prompt.text[:_TOLD_CHARACTERS]))
        if answer.text:
            self._history.append(("assistant", answer.text))
        return Reply(parts=_parts(answer))

    def _rest(self, prompt: Prompt, responder: Responder) -> str | None:
        """What is left of the answer that broke off; None if none did, or nobody asks for it."""
        noticed, self._noticed = self._noticed or is_aside(prompt.text), False
        asks = noticed if prompt.trigger is Trigger.TEXT else prompt.trigger is Trigger.REQUEST
        if not asks or len(self._history) < 2:
            return None
        *before, (who, asked), (_, said) = self._history
        if who != "user":
            return None
        results = list(self._results)
        told = responder.after_tools(results) if results else responder.reply(asked, before)
        whole = told.text or ""
        rest = rest_of(whole, said)
        if not rest and not noticed:
            return None
        self._history[-1] = ("assistant", whole)
        return rest

    def retract(self, reply: Reply) -> None:
        """Nothing to undo: the rules look at what is asked, not at what they said."""

    async def render(self, sentence: str) -> bytes:
        return (await self._backend.synthesiser.render(sentence)).pcm

    async def close(self) -> None:
        await self._let_go()

    async def _let_go(self) -> None:
        vocabulary, self._vocabulary = self._vocabulary, None
        if vocabulary is not None:
            await self._backend.release(vocabulary)


def _declarations(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Tools as the responder takes them."""
    return [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        for tool in tools
    ]


def _parts(answer: Answer) -> list[Part]:
    calls: list[Part] = [
        Call(name=call.name, arguments=orjson.dumps(call.arguments).decode())
        for call in answer.tool_calls
    ]
    return [Say(answer.text), *calls] if answer.text else calls
