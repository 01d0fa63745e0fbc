"""The embedded services of a cascade, and what runs behind them."""

import contextlib
from collections.abc import Sequence
from typing import Any

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError
from crossfade.offline.flite_voice import FliteVoice
from crossfade.offline.recogniser import Recogniser, recogniser_available
from crossfade.offline.responder import Responder
from crossfade.offline.synthesiser import Synthesiser, synthesiser_available
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS, Voice

_NO_STT = "there is no embedded recogniser"
_NO_TTS = "there is no embedded voice"


async def embedded_stt(
    stack: contextlib.AsyncExitStack, tools: Sequence[ToolDeclaration], *, eager: bool = False
) -> EmbeddedSTT:
    """The recogniser; it expects small talk and requests for these tools.

    Args:
        stack: Ends it.
        tools: What may be asked for.
        eager: Whether it foretells with each pause that the turn is over.

    Raises:
        SettingsError: pocketsphinx is not installed.
        ProviderFault: Its process does not start.
    """
    if missing := recogniser_available():
        raise SettingsError(f"{_NO_STT}: {missing}")
    sentences = Responder(declarations(tools)).sentences()
    return EmbeddedSTT(await stack.enter_async_context(Recogniser(sentences)), eager=eager)


def embedded_llm(tools: Sequence[ToolDeclaration]) -> EmbeddedLLM:
    """The rules, made ready for these tools."""
    llm = EmbeddedLLM(Responder)
    llm.prepare(declarations(tools))
    return llm


async def embedded_tts(stack: contextlib.AsyncExitStack, rate_hz: int) -> EmbeddedTTS:
    """The voice.

    Raises:
        SettingsError: No synthesiser is installed.
        ProviderFault: Its process does not start.
    """
    return EmbeddedTTS(await _voice(stack, rate_hz))


async def _voice(stack: contextlib.AsyncExitStack, rate_hz: int) -> Voice:
    """flite where the system has it: it is heard sooner, and is easier to understand."""
    with contextlib.suppress(SettingsError):
        return await stack.enter_async_context(FliteVoice())
    if missing := synthesiser_available():
        raise SettingsError(f"{_NO_TTS}: {missing}")
    return await stack.enter_async_context(Synthesiser(rate_hz))


def declarations(tools: Sequence[ToolDeclaration]) -> list[dict[str, Any]]:
    """Tools as the responder takes them."""
    return [
        {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
        for tool in tools
    ]


__all__ = ["embedded_llm", "embedded_stt", "embedded_tts"]
