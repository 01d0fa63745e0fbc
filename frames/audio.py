"""Sound that flows through the chain."""

from dataclasses import dataclass

from pipecat.frames.frames import (
    AudioRawFrame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    SystemFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechOrigin:
    """Where a chunk of the agent's speech comes from."""

    item_id: str
    response_id: str
    injected: bool = False
    """Spoken by us outside the conversation, such as an acknowledgement."""


@dataclass
class SpeechFrame(TTSAudioRawFrame):
    """A chunk of the agent's speech, s16le, with its origin.

    Transports cut and rebuild audio frames, so the origin is lost behind the transport's output;
    PlayoutTracker knows what was played.
    """

    origin: SpeechOrigin | None = None


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
