"""What a model can do and cannot, and how a model is found by its name."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from crossfade.errors import SettingsError

_logger = logging.getLogger(__name__)
# What may follow the name of a model without making another one of it: a date, a stage.
_EDITION = re.compile(r"(-(preview|latest|\d{2,8}))*")

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Capabilities of one model behind its native speech-to-speech wire."""

    model: str
    input_rate_hz: int
    """Rate of the audio it hears, mono."""
    output_rate_hz: int
    """Rate of the audio it speaks, mono."""
    voices: Mapping[str, str] = field(default_factory=dict)
    """Neutral voice name → the provider's own."""
    session_limit_s: float | None = None
    """The provider ends a session after this time."""
    server_vad: bool = False
    """It can decide by itself when the user's turn begins and ends."""
    truncation: bool = False
    """It can be told how much of an answer was heard."""
    history: bool = False
    """It can be told what was said before."""
    tools: bool = False
    parallel_tools: bool = False
    """One response may call several tools."""
    out_of_band: bool = False
    """It can speak outside the conversation."""
    images: bool = False
    semantic_vad: bool = False
    """It can judge by what is said whether the user's turn is over."""
    caller_turns: bool = True
    """It can be told when the user's turn begins and ends."""
    hold: bool = False
    """It can go on answering while the user speaks (`SessionConfig.interruptible` off)."""
    async_tools: bool = False
    """It goes on talking while a tool runs; else it is silent until the call is answered."""
    partial_tool_results: bool = False
    """It takes several results for one call, the last one final."""
    interrupting_results: bool = False
    """The result of a tool can cut what it says (`Delivery.INTERRUPT`)."""
    text_output: bool = False
    """It can answer in writing instead of speaking."""
    reasoning: bool = False
    speed: bool = False
    g711: bool = False
    noise_reduction: bool = False
    """It can be told how near the microphone is, to clean what it hears."""
    transcription_model: bool = False
    """Another model may be named for the user's transcripts."""
    max_output_tokens: bool = True
    """It can be limited in what it says."""
    keep_context: bool = True
    """It can be told to forget nothing of a long conversation (`compress_context` off)."""
    image_limit_bytes: int | None = None
    """The largest image it takes, where it says so."""
    update_instructions: bool = False
    update_tools: bool = False
    update_voice: bool = False
    """These can be changed while the session runs (the voice, until it has spoken)."""
    idle_timeout: bool = False
    resumption: bool = False
    """A later connection can take the session up by a handle."""
    parallel_sessions: bool = True
    """A second session can be opened while the first one runs."""
    open_calls: bool = False
    """A call of an earlier session may stand unanswered in the history, to be answered later."""
    recordings: bool = False
    """What the user said may stand in the history as it sounded; else it is told in words."""
    instructions: bool = True
    """It can be told how to behave."""
    text_input: bool = True
    """It takes what the user writes."""
    full_duplex: bool = False
    """It has no turns and no responses of its own: both are inferred from its sound."""
    usage: bool = True
    """It says what a response cost."""
    user_transcripts: bool = True
    """It can tell the user's words."""
    speech_events: bool = True
    """It tells when it hears the user begin and stop to speak."""

    def own_voice(self, name: str | None) -> str | None:
        """Rewrite a neutral voice name; the provider's own names pass by."""
        return None if name is None else self.voices.get(name, name)


def find_model(
    models: Mapping[str, M],
    model: str,
    *,
    maker: str,
    fallback: str,
    shut_down: Iterable[str] = (),
) -> M:
    """Find what is known of a model.

    An edition of a known model (dated, preview) is that model. Any other name is taken for the
    longest known name it continues, else for the fallback, and the log says so once.

    Args:
        models: Name → what is known.
        model: The name asked for, which may be that of a deployment.
        maker: Who serves it, for the log.
        fallback: Name in `models` that stands for the family.
        shut_down: Names of which `check_served` tells; nothing is said of them here.
    """
    like = next((name for name in _longest_first(models) if _is_edition(model, name)), None)
    if like is None:
        beginnings = (name for name in _longest_first(models) if model.startswith(f"{name}-"))
        like = next(beginnings, fallback)
        if not any(_is_edition(model, name) for name in shut_down):
            _say_unknown(maker, model, like)
    return models[like]


def check_served(model: str, shut_down: Mapping[str, str], *, maker: str, own_host: bool) -> None:
    """Refuse a model that was shut down, or an edition of one.

    Args:
        model: The name asked for.
        shut_down: Name → its successor.
        maker: Who served it.
        own_host: Whether its maker is dialled; elsewhere it may still be served.

    Raises:
        SettingsError: The maker does not serve it any more.
    """
    for name, successor in shut_down.items():
        if _is_edition(model, name):
            refuse_shut_down(f'"{model}"', successor, maker=maker, own_host=own_host)


def refuse_shut_down(what: str, successor: str, *, maker: str, own_host: bool) -> None:
    """Refuse what was shut down where its maker is dialled; elsewhere the log warns once.

    Raises:
        SettingsError: The maker does not serve it any more.
    """
    if own_host:
        raise SettingsError(f"{maker} has shut {what} down. Use {successor}.")
    _say_shut_down(maker, what, successor)


def _is_edition(model: str, name: str) -> bool:
    return model.startswith(name) and _EDITION.fullmatch(model, len(name)) is not None


def _longest_first(names: Mapping[str, M]) -> list[str]:
    return sorted(names, key=len, reverse=True)


@lru_cache(maxsize=256)
def _say_unknown(maker: str, model: str, like: str) -> None:
    _logger.warning('The %s model "%s" is not known here; taken to be like %s.', maker, model, like)


@lru_cache(maxsize=64)
def _say_shut_down(maker: str, what: str, successor: str) -> None:
    _logger.warning("%s has shut %s down; its successor is %s.", maker, what, successor)


__all__ = ["Profile", "check_served", "find_model", "refuse_shut_down"]
