"""How a session is asked for, in words that fit every provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError

E = TypeVar("E", bound=Enum)


class TurnDetection(Enum):
    """Who decides when the user's turn begins and ends."""

    SERVER = "server"
    """The provider, by sound and silence."""
    SEMANTIC = "semantic"
    """The provider, by what is said."""
    CALLER = "caller"
    """We do: `start_turn`, `end_turn`, `interrupt`."""


class Eagerness(Enum):
    """How soon a pause is taken for the end of a turn, where that is a matter of degree."""

    LOW = "low"
    AUTO = "auto"
    HIGH = "high"


class Modality(Enum):
    """How the agent answers."""

    AUDIO = "audio"
    """It speaks; its words come as text, too."""
    TEXT = "text"
    """It writes."""


class Reasoning(Enum):
    """How much the model thinks before it answers."""

    OFF = "off"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class NoiseReduction(Enum):
    """What the provider takes out of the sound before it listens."""

    NEAR_FIELD = "near_field"
    """Noise around a microphone at the mouth, as of a headset."""
    FAR_FIELD = "far_field"
    """Noise and echo of a room, as of a laptop or a loudspeaker."""


class Encoding(Enum):
    """How audio is given to the session and comes from it, both ways alike."""

    PCM = "pcm"
    """s16le mono at the session's rates."""
    ULAW = "ulaw"
    """G.711 mu-law mono at 8 kHz, one byte a sample."""
    ALAW = "alaw"
    """G.711 A-law mono at 8 kHz, one byte a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """What the session shall be. Every field has a neutral meaning; each wire has its spelling.

    None leaves a matter to the provider. What a model cannot do is refused before anything is
    sent, by `SettingsError`; what is only a hint (`languages`) passes silently. A choice may be
    given by its value, such as "caller".
    """

    instructions: str = ""
    voice: str | None = None
    """A neutral name (warm, bright, calm, deep) or the provider's own; None is its default."""
    speed: float | None = None
    """Pace of the speech, 0.25 to 1.5; 1 is the voice's own."""
    languages: Sequence[str] = ()
    """BCP 47 tags of the user's languages, the likeliest first."""
    modality: Modality = Modality.AUDIO
    encoding: Encoding = Encoding.PCM
    tools: Sequence[ToolDeclaration] = ()
    turn_detection: TurnDetection = TurnDetection.SERVER
    threshold: float | None = None
    """How sure of speech the provider must be to begin a turn, 0 to 1."""
    prefix_ms: int | None = None
    """Sound before the beginning of speech that belongs to the turn."""
    silence_ms: int = 500
    """Silence that ends the user's turn, where the provider goes by sound."""
    eagerness: Eagerness = Eagerness.AUTO
    """Where the provider goes by what is said, or is more or less sensitive to pauses."""
    interruptible: bool = True
    """Whether the user's speech cuts the agent's answer; else the answer goes on."""
    idle_timeout_ms: int | None = None
    """Silence of the user after which the agent speaks up by itself."""
    transcribe: bool = True
    """Whether the user's words are wanted as text."""
    transcription_model: str | None = None
    """The provider's own name of the model that writes them down."""
    noise_reduction: NoiseReduction | None = None
    max_output_tokens: int | None = None
    reasoning: Reasoning | None = None
    compress_context: bool = True
    """Whether the provider may drop the oldest of a long conversation instead of ending it."""

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL_CHOICES:
                object.__setattr__(self, name, choice(kind, value, name))


_OPTIONAL_CHOICES: dict[str, type[Enum]] = {
    "noise_reduction": NoiseReduction,
    "reasoning": Reasoning,
}
_CHOICES: dict[str, type[Enum]] = {
    "modality": Modality,
    "encoding": Encoding,
    "turn_detection": TurnDetection,
    "eagerness": Eagerness,
    **_OPTIONAL_CHOICES,
}


def choice(kind: type[E], value: object, name: str) -> E:
    """Give the member of `kind` that `value` is, or is the value of.

    Raises:
        SettingsError: It is none; `name` says what it was given for.
    """
    try:
        return kind(value)
    except ValueError as error:
        members = ", ".join(repr(member.value) for member in kind)
        raise SettingsError(f"{name} is {value!r}; it must be one of {members}.") from error
