"""The services of a cascade by name: where pipecat has them, and what they need."""

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from crossfade.errors import SettingsError
from crossfade.providers.address import host_and_port

EMBEDDED = "embedded"
"""The name of the services that need neither key nor download."""


class Role(Enum):
    """What a service does in a cascade."""

    STT = "stt"
    LLM = "llm"
    TTS = "tts"


_BASES: Mapping[Role, type[AIService]] = {
    Role.STT: STTService,
    Role.LLM: LLMService,
    Role.TTS: TTSService,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A service of pipecat's."""

    path: str
    """Where its class is: MODULE:CLASS, the module within pipecat.services."""
    key: str | None
    """The environment variable of its key; None where none is needed."""
    extra: str | None = None
    """The extra of pipecat-ai that it needs."""
    url: str | None = None
    """The argument that takes another address, where it has one."""
    eager: bool = False
    """Whether it can tell early that a turn has probably ended."""


EAGER = "enable_eager_end_of_turn"
"""The argument that has a recogniser of pipecat's do so."""
_OPENAI = "OPENAI_API_KEY"
_TABLE: Mapping[Role, Mapping[str, Known]] = {
    Role.STT: {
        "assemblyai": Known(path="assemblyai.stt:AssemblyAISTTService", key="ASSEMBLYAI_API_KEY"),
        "cartesia": Known(path="cartesia.stt:CartesiaSTTService", key="CARTESIA_API_KEY"),
        "cartesia-turns": Known(
            path="cartesia.turns.stt:CartesiaTurnsSTTService", key="CARTESIA_API_KEY", eager=True
        ),
        "deepgram": Known(
            path="deepgram.stt:DeepgramSTTService", key="DEEPGRAM_API_KEY", extra="deepgram"
        ),
        "deepgram-flux": Known(
            path="deepgram.flux.stt:DeepgramFluxSTTService",
            key="DEEPGRAM_API_KEY",
            extra="deepgram",
            eager=True,
        ),
        "elevenlabs": Known(
            path="elevenlabs.stt:ElevenLabsRealtimeSTTService", key="ELEVENLABS_API_KEY"
        ),
        "openai": Known(path="openai.stt:OpenAISTTService", key=_OPENAI, url="base_url"),
    },
    Role.LLM: {
        "anthropic": Known(
            path="anthropic.llm:AnthropicLLMService", key="ANTHROPIC_API_KEY", extra="anthropic"
        ),
        "google": Known(path="google.llm:GoogleLLMService", key="GOOGLE_API_KEY", extra="google"),
        "groq": Known(path="groq.llm:GroqLLMService", key="GROQ_API_KEY", url="base_url"),
        "mistral": Known(path="mistral.llm:MistralLLMService", key="MISTRAL_API_KEY"),
        "ollama": Known(path="ollama.llm:OLLamaLLMService", key=None, url="base_url"),
        "openai": Known(path="openai.llm:OpenAILLMService", key=_OPENAI, url="base_url"),
    },
    Role.TTS: {
        "cartesia": Known(path="cartesia.tts:CartesiaTTSService", key="CARTESIA_API_KEY"),
        "deepgram": Known(path="deepgram.tts:DeepgramTTSService", key="DEEPGRAM_API_KEY"),
        "elevenlabs": Known(path="elevenlabs.tts:ElevenLabsTTSService", key="ELEVENLABS_API_KEY"),
        "openai": Known(path="openai.tts:OpenAITTSService", key=_OPENAI, url="base_url"),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which service, and what it is told."""

    name: str
    """A name of the table, or an import path MODULE:CLASS of one's own."""
    model: str | None = None
    voice: str | None = None
    url: str | None = None
    """Another address; ones of this machine need no key."""
    eager: bool = False
    """Of a recogniser: whether it is to tell early that a turn has probably ended."""

    def __str__(self) -> str:
        """As people read it."""
        words = self.name if self.model is None else f"{self.name} {self.model}"
        return words if self.url is None else f"{words} at {host_and_port(self.url)}"


def names(role: Role) -> tuple[str, ...]:
    """The names that are known for a role, the embedded one first."""
    return (EMBEDDED, *_TABLE[role])


def make_service(role: Role, choice: Choice) -> Any:
    """Make a service, which connects when its chain is set up.

    Raises:
        SettingsError: It is not known, something it needs is missing, or it takes no such setting.
    """
    if ":" in choice.name:
        module, _, name = choice.name.partition(":")
        if not (module and name) or module.startswith("."):
            raise SettingsError(
                f"the {role.value} {choice.name!r} is no import path; it is written MODULE:CLASS"
            )
        if module in _TABLE[role]:
            raise SettingsError(
                f"the {role.value} {choice.name!r} is no import path; the model of {module} is "
                f"named with --{role.value}-model {name}"
            )
        made = _load(role, choice, module, name, extra=None)
        own: dict[str, Any] = {} if choice.url is None else {"base_url": choice.url}
        return _make(role, choice, made, own | ({EAGER: True} if choice.eager else {}))
    known = _TABLE[role].get(choice.name)
    if known is None:
        raise SettingsError(
            f"no {role.value} {choice.name!r} is known; there are {', '.join(names(role))}, "
            "or give an import path MODULE:CLASS"
        )
    options = _options(role, choice, known)
    module, _, name = known.path.partition(":")
    made = _load(role, choice, f"pipecat.services.{module}", name, extra=known.extra)
    return _make(role, choice, made, options)


def check_embedded(role: Role, choice: Choice) -> None:
    """See to it that the embedded service is not told what it cannot do.

    Raises:
        SettingsError: It is.
    """
    for what, value in (("model", choice.model), ("voice", choice.voice), ("url", choice.url)):
        if value is not None:
            raise SettingsError(
                f"the embedded {role.value} takes no {what}; name another with --{role.value}"
            )


def _options(role: Role, choice: Choice, known: Known) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if choice.url is not None:
        if not _is_address(choice.url):
            raise SettingsError(
                f"the address of the {role.value} must be a whole one with http:// or https://, "
                "such as http://localhost:11434/v1"
            )
        if known.url is None:
            raise SettingsError(f"the {role.value} {choice.name} takes no other address")
        options[known.url] = choice.url
    if choice.eager:
        if not known.eager:
            eager = [EMBEDDED, *(name for name, each in _TABLE[role].items() if each.eager)]
            raise SettingsError(
                f"the {role.value} {choice.name} does not tell early that a turn has ended, as "
                f"--eager asks; {', '.join(eager)} do"
            )
        options[EAGER] = True
    if known.key is not None:
        key = os.environ.get(known.key)
        if not key and choice.url is None:
            raise SettingsError(
                f"the {role.value} {choice.name} needs a key; set {known.key}, or take another "
                f"with --{role.value}"
            )
        # A server of one's own seldom asks for a key, but the client always sends one.
        options["api_key"] = key or "unused"
    return options


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _load(role: Role, choice: Choice, module: str, name: str, *, extra: str | None) -> type[Any]:
    try:
        made = getattr(importlib.import_module(module), name)
    except ImportError as error:
        what = f"run `pip install 'pipecat-ai[{extra}]'`" if extra else "is it installed?"
        raise SettingsError(
            f"the {role.value} {choice.name} cannot be loaded ({error}); {what}"
        ) from error
    except AttributeError:
        raise SettingsError(f"the module {module} has no {name}") from None
    except Exception as error:
        raise SettingsError(
            f"the {role.value} {choice.name} cannot be loaded: its module fails with "
            f"{type(error).__name__}: {error}"
        ) from error
    if not (isinstance(made, type) and issubclass(made, _BASES[role])):
        raise SettingsError(f"{choice.name} is no {_BASES[role].__name__} of pipecat's")
    return made


def _make(role: Role, choice: Choice, made: type[Any], options: dict[str, Any]) -> Any:
    told = {"model": choice.model, "voice": choice.voice}
    given = {name: value for name, value in told.items() if value is not None}
    try:
        if given:
            options["settings"] = made.Settings(**given)
        return made(**options)
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(
            f"the {role.value} {choice.name} cannot be made: {type(error).__name__}: {error}"
        ) from error


__all__ = ["EMBEDDED", "Choice", "Role", "check_embedded", "make_service", "names"]
