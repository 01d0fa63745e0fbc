"""Makes the speech nodes of a call that can change them while it runs."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from crossfade.conversation.ledger import Conversation
from crossfade.processors.cascade import Cascade
from crossfade.processors.node_slot import MakeNode
from crossfade.processors.speech_node import SpeechNode
from crossfade.processors.speech_to_speech import SpeechToSpeech
from crossfade.processors.tool_prompt import with_tool_instruction
from crossfade.processors.tools import Tool
from crossfade.providers import SessionConfig, TurnDetection, connect
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.settings import Continuity
from crossfade.providers.tap import WireTap

from .cascaded_call import SPEECH_RATE_HZ, services_of
from .cascaded_settings import CascadedSettings

SOON_GIVEN_UP = Continuity(attempts=1)
"""A session that dies is begun anew once: another node stands behind it."""
SOON_ELSEWHERE = Continuity(attempts=3)
"""The same with a route of providers: after so many failures the next of them is tried."""

VoiceMap = Mapping[str, Mapping[str, str]]
"""What each node calls a voice: voice → node → the node's own name for it."""


def voice_of(voices: VoiceMap, voice: str | None, node: str) -> str | None:
    """The name that a node has for a voice; the voice's own where the map does not say."""
    return None if voice is None else voices.get(voice, {}).get(node, voice)


def native_node(
    spec: str,
    *,
    conversation: Conversation,
    config: SessionConfig,
    tools: Sequence[Tool] = (),
    tool_instruction: bool = True,
    base_url: str | None = None,
    api_key: str | None = None,
    route: Sequence[Endpoint] = (),
    continuity: Continuity | None = None,
    tap: WireTap | None = None,
    rate_hz: int = 16000,
) -> MakeNode:
    """A speech-to-speech model, for a call that can change its node.

    Args:
        spec: Provider and model, such as "openai:gpt-realtime-2.1".
        conversation: The call's.
        config: The session. Its tools are set from `tools`; its turns are the caller's side's.
        tools: What the model may call.
        tool_instruction: Whether the model is told how to talk while tools run.
        base_url: The whole endpoint; None is the provider's own.
        api_key: None takes it from the provider's environment variable.
        route: Other providers that take its session over.
        continuity: How the session outlives its connections before another node is brought in;
            None gives it up soon.
        tap: Sees every message.
        rate_hz: Rate of the caller's audio.
    """
    if continuity is None:
        continuity = SOON_ELSEWHERE if route else SOON_GIVEN_UP
    settings = continuity
    config = replace(
        config,
        tools=[tool.declaration for tool in tools],
        turn_detection=TurnDetection.CALLER,
        instructions=_instructions(config.instructions, tools, told=tool_instruction),
    )

    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[SpeechNode]:
        session = connect(
            spec,
            config,
            base_url=base_url,
            api_key=api_key,
            route=route,
            continuity=settings,
            conversation=conversation,
            tap=tap,
        )
        await session.open(standby=True)
        try:
            yield SpeechToSpeech(session, rate_hz=rate_hz, context_tokens=settings.context_tokens)
        finally:
            await session.close()

    return make


def cascade_node(
    settings: CascadedSettings,
    *,
    conversation: Conversation,
    tools: Sequence[Tool] = (),
    tool_instruction: bool = True,
    rate_hz: int = 16000,
) -> MakeNode:
    """A cascade, for a call that can change its node; its services are made anew each time.

    Args:
        settings: Which services, and what the agent shall be.
        conversation: The call's.
        tools: What the model may call.
        tool_instruction: Whether the model is told how to talk while tools run.
        rate_hz: Rate of the caller's audio.
    """
    declarations = [tool.declaration for tool in tools]
    instructions = _instructions(settings.instructions, tools, told=tool_instruction)

    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[SpeechNode]:
        async with services_of(settings, declarations) as (services, _):
            yield Cascade(
                stt=services.stt,
                llm=services.llm,
                tts=services.tts,
                conversation=conversation,
                instructions=instructions,
                tools=declarations,
                rate_hz=rate_hz,
                speech_rate_hz=SPEECH_RATE_HZ,
            )

    return make


def _instructions(instructions: str, tools: Sequence[Tool], *, told: bool) -> str:
    return with_tool_instruction(instructions) if tools and told else instructions


__all__ = [
    "SOON_ELSEWHERE",
    "SOON_GIVEN_UP",
    "VoiceMap",
    "cascade_node",
    "native_node",
    "voice_of",
]
