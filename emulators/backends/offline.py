"""The offline backend: hears with pocketsphinx, answers by rules, speaks with espeak-ng."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import orjson

from crossfade.errors import CrossfadeError, SettingsError
from crossfade.offline.recogniser import Recogniser, recogniser_available
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

logger = logging.getLogger(__name__)

Vocabulary = tuple[str, ...]

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
        self._vocabularies: list[Vocabulary] = []
        self._history: list[tuple[str, str]] = []
        self._asked: list[str] = []
        self._unclear = False

    def configure(self, tools: Sequence[Tool]) -> None:
        self._tools = tools
        # Loading begins now, so that it is done when the user has spoken.
        self._load()

    def _load(self) -> Vocabulary:
        """Acquire the vocabulary of the tools in force."""
        vocabulary = tuple(Responder(_declarations(self._tools)).sentences())
        if vocabulary not in self._vocabularies:
            self._vocabularies.append(vocabulary)
            self._backend.acquire(vocabulary)
        return vocabulary

    def told(self, who: Told, text: str) -> None:
        if who is Told.USER:
            # It may be what is answered next.
            self._asked.append(text)
        elif who is Told.AGENT:
            self._history += [("user", asked) for asked in self._asked]
            self._history.append(("assistant", text))
            self._asked.clear()

    async def hear(self, pcm: bytes, rate_hz: int) -> str:
        recogniser = await self._backend.recogniser(self._load())
        heard = await recogniser.transcribe(pcm, rate_hz)
        self._unclear = not heard.understood
        return heard.text

    async def reply(self, prompt: Prompt) -> Reply:
        self._asked.clear()
        phrase = Responder.say(prompt.instructions)
        if phrase is not None:
            return Reply(parts=[Say(phrase)])
        responder = Responder(_declarations(prompt.tools), prompt.instructions)
        if prompt.trigger is Trigger.TOOL_RESULTS:
            answer = responder.after_tools([(o.name, o.output) for o in prompt.outputs])
        else:
            unclear = prompt.trigger is Trigger.SPEECH and self._unclear
            answer = responder.reply("" if unclear else prompt.text, self._history)
            self._history.append(("user", prompt.text))
        if answer.text:
            self._history.append(("assistant", answer.text))
        return Reply(parts=_parts(answer))

    def retract(self, reply: Reply) -> None:
        """Nothing to undo: the rules look at what is asked, not at what they said."""

    async def render(self, sentence: str) -> bytes:
        return (await self._backend.synthesiser.render(sentence)).pcm

    async def close(self) -> None:
        for vocabulary in self._vocabularies:
            await self._backend.release(vocabulary)
        self._vocabularies.clear()


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
