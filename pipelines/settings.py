"""What the native pipeline is told on the command line, checked before anything runs."""

from decimal import Decimal
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from crossfade.errors import SettingsError

from .live_options import LiveSettings

PROVIDERS = ("openai", "emulator")
CASCADE = "cascade"
USUAL_MODELS = {"openai": "gpt-realtime-2.1", "gemini": "gemini-3.8-live"}
"""Of providers that a call may change to; what `--node gemini` means."""
INSTRUCTIONS = (
    "You are a friendly assistant on the telephone. Answer in two or three short sentences. "
    "Use the tools you have; never guess what they can tell you."
)


def node_named(text: str) -> str:
    """The full name of a node that a call may change to: PROVIDER:MODEL, or `cascade`.

    Args:
        text: The same, or a provider alone, for its usual model.

    Raises:
        SettingsError: There is none of that name.
    """
    provider, _, model = text.partition(":")
    if text == CASCADE:
        return text
    if provider not in USUAL_MODELS or (":" in text and not model):
        raise SettingsError(
            f"{text!r} names no model that is known here; it must be PROVIDER:MODEL, with one of "
            f"{' and '.join(USUAL_MODELS)}, or {CASCADE}"
        )
    return text if model else f"{provider}:{USUAL_MODELS[provider]}"


def check_content(*, content: bool, capture: bool, output: Path | None) -> None:
    """Refuse to keep what is said where no content is to be kept.

    Raises:
        SettingsError: Naming the two that do not go together.
    """
    for option, asked in (("--capture", capture), ("--output", output is not None)):
        if asked and not content:
            raise SettingsError(f"{option} keeps what is said, and --no-content nothing of it")


class NativeSettings(BaseModel):
    """Settings of one call through the native pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str | None = None
    """openai or emulator; None takes OpenAI where there is a key, else the emulator."""
    model: str = "gpt-realtime-2.1"
    fallbacks: tuple[str, ...] = ()
    """Who takes the call over when the provider fails, in this order: PROVIDER:MODEL; the last one
    may be `cascade`, the embedded services."""
    voice: str | None = None
    instructions: str = INSTRUCTIONS
    base_url: str | None = None
    """The whole endpoint, ws:// allowed; None is the provider's own."""
    input: Path | None = None
    """A sound file to speak to the agent; None runs the demo's script."""
    live: LiveSettings | None = None
    """The person that talks with the agent instead; None is a scripted caller."""
    output: Path | None = None
    """Where the agent's speech goes as a WAV file, besides the recording."""
    uplink_ms: int = Field(default=20, ge=0, le=1000)
    """How much of the caller's audio a message to the model holds at least."""
    faults: Path | None = None
    """A YAML file of what goes wrong at the built-in emulator, and when."""
    runs: Path = Path("runs")
    """Where the folder of this call is made."""
    flac: bool = False
    """Whether the recording is a FLAC file, a fifth to a half of a WAV file's size."""
    capture: bool = False
    """Whether all that it takes to run a call again is kept: every word and sound of it."""
    content: bool = True
    """Whether the record holds words and sound; else lengths, times and figures alone."""
    arms: Path | None = None
    """A YAML file of arms, one of which gives the model."""
    caller: str = Field(default="", repr=False)
    """Whose call it is: the same caller gets the same arm."""
    budget_usd: Decimal | None = Field(default=None, gt=0)
    """The call ends when it has cost more."""

    @field_validator("fallbacks")
    @classmethod
    def _named(cls, fallbacks: tuple[str, ...]) -> tuple[str, ...]:
        if CASCADE in fallbacks[:-1]:
            raise SettingsError("the fallback cascade must be the last one; put it last")
        return tuple(node_named(each) for each in fallbacks)

    @model_validator(mode="after")
    def _keeps_what_it_may(self) -> Self:
        check_content(content=self.content, capture=self.capture, output=self.output)
        return self

    @field_validator("provider")
    @classmethod
    def _known(cls, provider: str | None) -> str | None:
        if provider is not None and provider not in PROVIDERS:
            raise SettingsError(
                f"unknown provider {provider!r}; this version knows {' and '.join(PROVIDERS)}"
            )
        return provider
