"""One client's session: a stream of sound and words each way, both at once."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from crossfade.audio.vad import Scorer
from crossfade.errors import CrossfadeError
from crossfade.offline.voice import sentences

from ..backends.backend import Dialogue, Prompt, Reply, Say, Trigger
from ..faults.moments import State
from ..faults.script import Fault
from ..line import Line
from ..message import Message
from ..received import Received
from ..tasks import OwnedTasks
from ..user_audio import UserAudio, UserTurn
from .behaviour import Behaviour
from .faults import Busy, ErrorFrame, Expire, GarbledOgg, SendFrame
from .hearing import Ear, Utterance
from .messages import KINDS, Kind, body_of, error, frame, metadata, name_of, text
from .ogg_opus import RATE_HZ, Decoder, Encoder, Garbled
from .pace import pacer
from .speech import SILENT, Mouth
from .timing import Timing

logger = logging.getLogger(__name__)

_INTERNAL_ERROR = 1011


class Session:
    """The service's side of one connection.

    Args:
        line: Where it sends.
        id: What logs call it.
        behaviour: Of the server that is emulated.
        settings: What the metadata says, where the server tells it.
        turnstile: Held while the session is served.
        dialogue: Who hears and answers.
        greeting: What is said before the user speaks; empty is nothing.
        timing: The pace.
        session_seconds: Its maximum duration; None is none.
        scorer: Gives the speech probabilities of the user's sound.
        keep_audio: Keep what the user says, for tests to look at.
    """

    def __init__(
        self,
        line: Line,
        *,
        id: str,
        behaviour: Behaviour,
        settings: Mapping[str, Any],
        turnstile: asyncio.Lock,
        dialogue: Dialogue,
        greeting: str,
        timing: Timing,
        session_seconds: float | None,
        scorer: Scorer,
        keep_audio: bool = False,
    ) -> None:
        self.line = line
        self.id = id
        self.failure: BaseException | None = None
        """The error of the emulator itself that ended the session, if one did."""
        self.user_audio = UserAudio(RATE_HZ) if keep_audio else None
        """What the user said, if it is kept, as Opus has left it."""
        self._answers = 0
        self._behaviour = behaviour
        self._settings = settings
        self._turnstile = turnstile
        self._dialogue = dialogue
        self._greeting = greeting
        self._timing = timing
        self._session_seconds = session_seconds
        self._ear = Ear(timing.silence_ms, scorer)
        self._mouth = Mouth()
        self._decoder = Decoder()
        self._encoder = Encoder()
        self._tasks = OwnedTasks(self._fail)
        self._answer: asyncio.Task[None] | None = None
        self._speaking = False
        # Whether the user has heard something of the newest answer.
        self._has_begun = False
        self._shaken = asyncio.Event()
        self._pace = pacer(timing.pace)
        self._busy: Busy | None = None
        self._garbled = 0
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def kept_bytes(self) -> int:
        kept = 0 if self.user_audio is None else self.user_audio.size_bytes
        return self.received.size_bytes + kept

    @property
    def received(self) -> Received:
        """What the client sent, in order."""
        return self.line.received

    @property
    def heard_ms(self) -> float:
        """How much of the client's sound was decoded."""
        return self._ear.heard_ms

    def start(self) -> None:
        self._tasks.start(self._serve())

    async def close(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        await self._tasks.cancel()
        await self._dialogue.close()

    async def _serve(self) -> None:
        if not self._behaviour.one_at_a_time:
            await self._converse()
            return
        async with self._turnstile:
            await self._converse()

    async def _converse(self) -> None:
        if self._session_seconds is not None:
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(self._session_seconds, self.line.drop)
        if self._behaviour.tells_metadata:
            self.line.send(metadata(self._settings))
        if self._busy is not None:
            await self._wait_as_if_busy(self._busy)
        self.line.send(frame(Kind.HANDSHAKE, self._behaviour.handshake))
        self._shaken.set()
        self.line.enter(State.IDLE)
        if self._greeting:
            self._answer = self._tasks.start(self._speak([Say(self._greeting)]))
        await self._stream()

    async def _wait_as_if_busy(self, busy: Busy) -> None:
        if busy.ms is None:
            await asyncio.get_running_loop().create_future()
        else:
            await asyncio.sleep(busy.ms / 1000)

    async def _stream(self) -> None:
        """Send a frame whenever one is due, as long as the client is there."""
        self._pace.start()
        while not self.line.finished:
            await self._pace.next()
            await self.line.room()
            self._step()

    def _step(self) -> None:
        said = self._mouth.next()
        if said is not None and not self._speaking:
            self._speaking = self._has_begun = True
            self.line.enter(State.SPEAKING)
        pages = self._encoder.encode((said or SILENT).pcm)
        if self._garbled:
            self._garbled -= 1
            pages = bytes(byte ^ 0xFF for byte in pages)
        words: list[Message] = [] if said is None else [text(word) for word in said.words]
        self.line.send(frame(Kind.AUDIO, pages), *words)
        if self._speaking and not self._mouth and not self._is_answering:
            self._speaking = False
            self.line.enter(State.IDLE)

    @property
    def _is_answering(self) -> bool:
        """Whether more of an answer is still to be made."""
        return self._answer is not None and not self._answer.done()

    def receive(self, message: str | bytes) -> None:
        """Handle one message of the client."""
        try:
            self._receive(message.encode() if isinstance(message, str) else message, message)
        except Garbled as reason:
            logger.info("session %s: dropped: %s", self.id, reason)
            self.line.drop()
        except Exception as error:
            self._fail(error)

    def _receive(self, data: bytes, message: str | bytes) -> None:
        if not data:
            return
        if isinstance(message, str) and not self._behaviour.drops_the_unknown:
            self.line.note("text_message", body_of(Kind.TEXT, data), size_bytes=len(data))
            return
        kind, payload = data[0], data[1:]
        self.line.note(
            name_of(kind),
            body_of(kind, payload),
            size_bytes=len(data),
            audio_bytes=len(payload) if kind == Kind.AUDIO else 0,
        )
        if kind == Kind.AUDIO and self._shaken.is_set():
            self._hear(self._decoder.decode(payload))
        elif kind not in KINDS and self._behaviour.drops_the_unknown:
            raise Garbled(f"no message is of kind {kind}")

    def _hear(self, pcm: bytes) -> None:
        self._pace.heard(len(pcm))
        if self.user_audio is not None:
            self.user_audio.hear(pcm)
        for utterance in self._ear.hear(pcm):
            if utterance is None:
                self._yield_the_floor()
            else:
                self._answer = self._tasks.start(self._reply(utterance.pcm, self._kept(utterance)))

    def _kept(self, utterance: Utterance) -> UserTurn | None:
        if self.user_audio is None:
            return None
        end = utterance.begin + len(utterance.pcm) // 2
        return self.user_audio.turn(utterance.begin, end)

    def _yield_the_floor(self) -> None:
        """The user speaks: stop."""
        if self._answer is not None:
            self._answer.cancel()
        self._mouth.hush()
        self._speaking = False
        self.line.enter(State.USER_SPEAKING)

    async def _reply(self, utterance: bytes, kept: UserTurn | None) -> None:
        self.line.enter(State.THINKING)
        self._has_begun = False
        try:
            heard = await self._dialogue.hear(utterance, RATE_HZ)
        except CrossfadeError as error:
            logger.warning("session %s: speech was not recognised: %s", self.id, error)
            heard = ""
        reply = await self._dialogue.reply(Prompt(trigger=Trigger.SPEECH, text=heard))
        think_ms = self._timing.think_ms if reply.think_ms is None else reply.think_ms
        try:
            await asyncio.sleep(think_ms / 1000)
            self._answers += 1
            if kept is not None:
                kept.answers.append(str(self._answers))
            await self._speak(_said(reply))
        except asyncio.CancelledError:
            if not self._has_begun:
                self._dialogue.retract(reply)
            raise
        if not self._mouth and not self._speaking:
            self.line.enter(State.IDLE)

    async def _speak(self, parts: list[Say]) -> None:
        for part in parts:
            for sentence in sentences(part.text):
                pcm = await self._dialogue.render(sentence)
                await self._mouth.say(sentence, pcm)

    def suffer(self, fault: Fault) -> None:
        match fault:
            case Busy():
                self._busy = fault
            case Expire():
                self.line.drop()
            case ErrorFrame(message=message):
                self.line.send(error(message))
            case GarbledOgg(frames=frames):
                self._garbled += frames
            case SendFrame(kind=kind, text=content):
                self.line.send(frame(kind, content.encode()))

    def _fail(self, error: BaseException) -> None:
        """The emulator itself or its backend is at fault: the session ends, the server goes on."""
        logger.error("session %s failed", self.id, exc_info=error)
        if self.failure is None and not isinstance(error, CrossfadeError):
            self.failure = error
        self.line.finish(_INTERNAL_ERROR, "server error")


def _said(reply: Reply) -> list[Say]:
    """What of a reply can be said: Moshi calls no functions."""
    return [part for part in reply.parts if isinstance(part, Say)]
