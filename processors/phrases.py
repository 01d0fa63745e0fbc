"""Phrases in the agent's own voice, made once and kept: on disk, and in the process."""

import asyncio
import hashlib
import os
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from loguru import logger

from crossfade.audio.energy import sound_spans
from crossfade.audio.pcm import bytes_for
from crossfade.audio.sound_file import WavWriter, read_sound
from crossfade.errors import CrossfadeError

from .phrase_rendering import Rendering

MOST_TRIES = 2
"""A phrase that came out wrong so often is not spoken at all."""
MOST_KEPT = 512
"""Phrases in memory; the oldest give way. One takes some 70 kB."""
RENDER_S = 15.0
"""How long a provider may take for one phrase."""

_NO_WORD = re.compile(r"[^\w]+")

Render = Callable[[str], Awaitable[Rendering]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Whose voice a phrase is in."""

    provider: str
    model: str
    name: str
    """As the provider calls it; empty for its default."""
    rate_hz: int
    endpoint: str = ""
    """Who serves it, if it is not the provider itself."""


class PhraseStore:
    """Phrases as sound, for all calls that share it.

    Args:
        folder: Where they are kept from one process to the next; None keeps them in memory only.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._sounds: OrderedDict[tuple[Voice, str], bytes | None] = OrderedDict()
        """None stands for a phrase that is given up."""
        self._locks: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[tuple[Voice, str], asyncio.Lock]
        ] = WeakKeyDictionary()

    def find(self, voice: Voice, text: str) -> bytes | None:
        """The phrase as s16le mono at the voice's rate, without silence around it."""
        return self._sounds.get((voice, text))

    async def make(self, voice: Voice, text: str, render: Render) -> None:
        """See to it that a phrase can be found, if it can be made at all.

        Calls that want the same phrase at once have it made once. A provider's failures are
        logged and raise nothing.
        """
        key = (voice, text)
        locks = self._locks.setdefault(asyncio.get_running_loop(), {})
        async with locks.setdefault(key, asyncio.Lock()):
            if key in self._sounds:
                return
            if pcm := await self._read(voice, text):
                self._remember(key, pcm)
                return
            for _ in range(MOST_TRIES):
                if pcm := await self._try(text, voice.rate_hz, render):
                    self._remember(key, pcm)
                    await self._write(voice, text, pcm)
                    return
            self._remember(key, None)
            logger.warning(f"the phrase {text!r} is not spoken: {voice.model} never said just it")

    async def _try(self, text: str, rate_hz: int, render: Render) -> bytes | None:
        try:
            async with asyncio.timeout(RENDER_S):
                made = await render(text)
        except (CrossfadeError, TimeoutError) as error:
            logger.info(f"the phrase {text!r} could not be made: {error!r}")
            return None
        if not made.complete or not same_words(made.words, text):
            logger.info(f"the phrase {text!r} came out as {made.words!r}")
            return None
        return trimmed(made.pcm, rate_hz)

    def _remember(self, key: tuple[Voice, str], pcm: bytes | None) -> None:
        self._sounds[key] = pcm
        while len(self._sounds) > MOST_KEPT:
            self._sounds.popitem(last=False)

    # On disk, off the loop

    async def _read(self, voice: Voice, text: str) -> bytes | None:
        if self._folder is None:
            return None
        path = self._path(self._folder, voice, text)
        return await asyncio.to_thread(_read, path, voice.rate_hz)

    async def _write(self, voice: Voice, text: str, pcm: bytes) -> None:
        if self._folder is not None:
            path = self._path(self._folder, voice, text)
            await asyncio.to_thread(_write, path, pcm, voice.rate_hz)

    @staticmethod
    def _path(folder: Path, voice: Voice, text: str) -> Path:
        names = (voice.provider, voice.endpoint, voice.model, voice.name or "default")
        whose = "_".join(re.sub(r"[^\w.-]+", "-", name) for name in names if name)
        exactly = "\n".join((*names, str(voice.rate_hz), text))
        return folder / whose / f"{hashlib.sha256(exactly.encode()).hexdigest()[:32]}.wav"


class Phrases:
    """The phrases of one call.

    Args:
        store: Where they are kept.
        voice: The agent's.
        render: Has the agent speak one.
    """

    def __init__(self, store: PhraseStore, voice: Voice, render: Render) -> None:
        self._store = store
        self._voice = voice
        self._render = render

    @property
    def rate_hz(self) -> int:
        return self._voice.rate_hz

    def find(self, text: str) -> bytes | None:
        """A phrase as sound, None while there is none."""
        return self._store.find(self._voice, text)

    async def make(self, texts: Sequence[str], made: Callable[[], None]) -> None:
        """Make those that are missing, one after the other; the provider is busy with a call.

        Args:
            texts: The phrases, those that are needed first in front.
            made: Called after each.
        """
        for text in texts:
            await self._store.make(self._voice, text, self._render)
            made()


def same_words(said: str, wanted: str) -> bool:
    """Whether two texts are the same but for case, punctuation and spaces."""
    return _plain(said) == _plain(wanted)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NO_WORD.sub(" ", folded.replace("'", "").replace("\u2019", "")).strip()


def trimmed(pcm: bytes, rate_hz: int) -> bytes | None:
    """Sound without the silence before and after it; None if there is nothing but silence."""
    spans = sound_spans(pcm, rate_hz)
    if not spans:
        return None
    return pcm[bytes_for(spans[0][0], rate_hz) : bytes_for(spans[-1][1], rate_hz)]


def _read(path: Path, rate_hz: int) -> bytes | None:
    if not path.exists():
        return None
    try:
        sound = read_sound(path)
    except CrossfadeError as error:
        logger.warning(f"a kept phrase is of no use and is made again: {error}")
        return None
    return sound.pcm if sound.rate_hz == rate_hz else None


def _write(path: Path, pcm: bytes, rate_hz: int) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with WavWriter(part, rate_hz) as file:
            file.write(pcm)
        os.replace(part, path)
    except (OSError, CrossfadeError) as error:
        logger.warning(f"the phrase cannot be kept for the next time: {error}")


__all__ = ["PhraseStore", "Phrases", "Render", "Voice", "same_words", "trimmed"]
