"""What was used of a model, whatever it costs. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crossfade.conversation.usage import Usage


class Service(StrEnum):
    """What the model did."""

    SPEECH = "speech"
    """A response of a native speech-to-speech model."""
    SESSION = "session"
    """Such a model's session was open, whether anybody spoke or not."""
    TRANSCRIPTION = "transcription"
    """Another model wrote down what the caller said to a native one."""
    STT = "stt"
    LLM = "llm"
    TTS = "tts"


class Kind(StrEnum):
    """What is counted: tokens by modality and cache state, seconds, characters."""

    INPUT_TEXT = "input_text"
    CACHED_TEXT = "cached_text"
    OUTPUT_TEXT = "output_text"
    INPUT_AUDIO = "input_audio"
    CACHED_AUDIO = "cached_audio"
    OUTPUT_AUDIO = "output_audio"
    INPUT_IMAGE = "input_image"
    CACHED_IMAGE = "cached_image"
    AUDIO_SECONDS = "audio_seconds"
    """Of sound that was sent."""
    SESSION_SECONDS = "session_seconds"
    CHARACTERS = "characters"
    """Of text that was spoken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one response, utterance or session took of one model."""

    service: Service
    provider: str
    """As in `connect`, or as the service is named: openai, deepgram; empty where nobody knows."""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    """Of sound for STT and transcription; of the session for SESSION."""
    characters: int = 0
    response_id: str = ""
    turn: int = 0
    """How many turns the caller had ended by then."""

    @property
    def name(self) -> str:
        """PROVIDER:MODEL, as far as it is known."""
        return ":".join(part for part in (self.provider, self.model) if part) or "unnamed"

    def quantities(self) -> dict[Kind, float]:
        """What there is to pay for, without what there is nothing of.

        Tokens from the cache are taken out of the input's.
        """
        usage = self.usage
        seconds = Kind.SESSION_SECONDS if self.service is Service.SESSION else Kind.AUDIO_SECONDS
        counted: dict[Kind, float] = {
            Kind.INPUT_TEXT: usage.input_text_tokens - usage.cached_text_tokens,
            Kind.CACHED_TEXT: usage.cached_text_tokens,
            Kind.OUTPUT_TEXT: usage.output_text_tokens,
            Kind.INPUT_AUDIO: usage.input_audio_tokens - usage.cached_audio_tokens,
            Kind.CACHED_AUDIO: usage.cached_audio_tokens,
            Kind.OUTPUT_AUDIO: usage.output_audio_tokens,
            Kind.INPUT_IMAGE: usage.input_image_tokens - usage.cached_image_tokens,
            Kind.CACHED_IMAGE: usage.cached_image_tokens,
            seconds: self.seconds,
            Kind.CHARACTERS: self.characters,
        }
        return {kind: quantity for kind, quantity in counted.items() if quantity > 0}

    def to_dict(self) -> dict[str, Any]:
        """The fields of its line in the event log; what is nothing is left out."""
        tokens = {name: count for name in Usage.__slots__ if (count := getattr(self.usage, name))}
        told = {
            "service": self.service.value,
            "provider": self.provider,
            "model": self.model,
            "usage": tokens,
            "seconds": round(self.seconds, 3),
            "characters": self.characters,
            "response_id": self.response_id,
            "turn": self.turn,
        }
        return {name: value for name, value in told.items() if value or name == "service"}

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> "Use":
        """Read what `to_dict` gave; other fields pass by.

        Raises:
            ValueError: It is no such thing.
        """
        try:
            tokens = {name: _count(count) for name, count in line.get("usage", {}).items()}
            given = {name: read(line[name]) for name, read in _READ.items() if name in line}
            return cls(service=Service(line["service"]), usage=Usage(**tokens), **given)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no use of a model: {error!r}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
        raise TypeError(f"{value!r:.40} is no number of things")
    return value


def _seconds(value: Any) -> float:
    # What is no number is not below anything.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST:
        raise TypeError(f"{value!r:.40} is no number of seconds")
    return value


_MOST = 10**15
"""No call takes more of anything; the sums of such numbers are exact."""
_READ: Mapping[str, Callable[[Any], Any]] = {
    "provider": _text,
    "model": _text,
    "seconds": _seconds,
    "characters": _count,
    "response_id": _text,
    "turn": _count,
}


__all__ = ["Kind", "Service", "Use"]
