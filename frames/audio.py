"""Sound that flows through the chain."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipecat.frames.frames import (
    AudioRawFrame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    SystemFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.utils.utils import obj_count, obj_id

from crossfade.audio.pcm import SAMPLE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechOrigin:
    """Where a chunk of the agent's speech comes from."""

    item_id: str
    response_id: str
    injected: bool = False
    """Spoken by us outside the conversation, such as an acknowledgement."""


_late: Callable[[Callable[[Any], Any]], Any] = cached_property


class _NamedLate(AudioRawFrame):
    """Sound that gets its number and its name when somebody asks for them.

    Fifty times a second each way for each call nobody does, and they cost more than all else of a
    frame. What remains is set by hand: what dataclasses write for it takes twice as long.
    """

    id: int = _late(lambda _: obj_id())
    name: str = _late(lambda frame: f"{type(frame).__name__}#{obj_count(frame)}")
    metadata: dict[str, Any] = _late(lambda _: {})
    pts: int | None = None
    broadcast_sibling_id: int | None = None
    transport_source: str | None = None
    transport_destination: str | None = None

    def __init__(self, audio: bytes, sample_rate: int, num_channels: int) -> None:
        self.audio = audio
        self.sample_rate = sample_rate
        self.num_channels = num_channels
        self.num_frames = len(audio) // (SAMPLE_BYTES * num_channels)


class CallerAudioFrame(_NamedLate, InputAudioRawFrame):
    """A piece of the caller's sound, s16le mono."""


@dataclass(init=False)
class SpeechFrame(_NamedLate, TTSAudioRawFrame):
    """A chunk of the agent's speech, s16le, with its origin.

    Transports cut and rebuild audio frames, so the origin is lost behind the transport's output;
    PlayoutTracker knows what was played.
    """

    origin: SpeechOrigin | None = None

    def __init__(
        self,
        audio: bytes,
        sample_rate: int,
        num_channels: int,
        context_id: str | None = None,
        origin: SpeechOrigin | None = None,
    ) -> None:
        self.audio = audio
        self.sample_rate = sample_rate
        self.num_channels = num_channels
        self.num_frames = len(audio) // (SAMPLE_BYTES * num_channels)
        self.context_id = context_id
        self.origin = origin


def origin_of(frame: OutputAudioRawFrame) -> SpeechOrigin:
    """The origin of a chunk; what a stock TTS speaks belongs to its context."""
    if isinstance(frame, SpeechFrame) and frame.origin:
        return frame.origin
    context = frame.context_id if isinstance(frame, TTSAudioRawFrame) else None
    return SpeechOrigin(item_id=context or "speech", response_id=context or "speech")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedSpeech:
    """How much of one item was played to the caller."""

    origin: SpeechOrigin
    played_ms: float
    received_ms: float
    """How much of the item had arrived by then."""


@dataclass
class SpeechPlayedFrame(SystemFrame):
    """Items whose playout has ended: played to their end, or cut by an interruption.

    Sent both ways by PlayoutTracker.
    """

    items: tuple[PlayedSpeech, ...]
    interrupted: bool = False


__all__ = [
    "AudioRawFrame",
    "CallerAudioFrame",
    "InputAudioRawFrame",
    "OutputAudioRawFrame",
    "PlayedSpeech",
    "SpeechFrame",
    "SpeechOrigin",
    "SpeechPlayedFrame",
    "TTSAudioRawFrame",
    "TTSStartedFrame",
    "TTSStoppedFrame",
    "origin_of",
]
