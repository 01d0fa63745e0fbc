"""Makes the speech nodes of a call that can change them while it runs."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from typing import Any

from crossfade.conversation.ledger import Conversation
from crossfade.observability.capture import Capture
from crossfade.processors.cascade import Cascade
from crossfade.processors.speech_node import SpeechNode
from crossfade.processors.speech_to_speech import SpeechToSpeech
from crossfade.processors.tool_prompt import with_tool_instruction
from crossfade.processors.tools import Tool
from crossfade.processors.uplink import UPLINK_MS
from crossfade.providers import SessionConfig, TurnDetection, connect
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.settings import Continuity
from crossfade.providers.tap import WireTap

from .capture_call import kept_route, seeded
from .cascaded_call import SPEECH_RATE_HZ, Services, keep_services, services_of
from .cascaded_settings import CascadedSettings
from .stored_config import stored_config

FindServices = Callable[[], AbstractAsyncContextManager[tuple[Services, str]]]
"""Makes the services of a cascade, and a line that names them."""


@dataclass(slots=True, eq=False, kw_only=True)
class CallNode:
    """Makes a node, and can be captured. A `MakeNode`."""

    make: Callable[[Capture | None], AbstractAsyncContextManager[SpeechNode]]
    kept: Mapping[str, Any]
    """What it was given, as a capture keeps it."""
    capture: Capture | None = None
    """Where all is kept that it takes to run it again."""

    def __call__(self) -> AbstractAsyncContextManager[SpeechNode]:
        return self.make(self.capture)


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
    uplink_ms: int = UPLINK_MS,
) -> CallNode:
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
        uplink_ms: How much of it a message to the model holds at least.
    """
    if continuity is None:
        continuity = SOON_ELSEWHERE if route else SOON_GIVEN_UP
    settings = seeded(continuity) or continuity
    kept = {
        "kind": "native",
        "spec": spec,
        "config": stored_config(replace(config, tools=())),
        "continuity": asdict(settings),
        "route": kept_route(route),
        "tool_instruction": tool_instruction,
        "rate_hz": rate_hz,
        "uplink_ms": uplink_ms,
    }
    config = replace(
        config,
        tools=[tool.declaration for tool in tools],
        turn_detection=TurnDetection.CALLER,
        instructions=_instructions(config.instructions, tools, told=tool_instruction),
    )

    @contextlib.asynccontextmanager
    async def make(_: Capture | None) -> AsyncIterator[SpeechNode]:
        # Its messages come into the capture by `tap`.
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
            yield SpeechToSpeech(
                session,
                rate_hz=rate_hz,
                context_tokens=settings.context_tokens,
                uplink_ms=uplink_ms,
            )
        finally:
            await session.close()

    return CallNode(make=make, kept=kept)


def cascade_node(
    settings: CascadedSettings,
    *,
    conversation: Conversation,
    tools: Sequence[Tool] = (),
    tool_instruction: bool = True,
    rate_hz: int = 16000,
    services: FindServices | None = None,
) -> CallNode:
    """A cascade, for a call that can change its node; its services are made anew each time.

    Args:
        settings: Which services, and what the agent shall be.
        conversation: The call's.
        tools: What the model may call.
        tool_instruction: Whether the model is told how to talk while tools run.
        rate_hz: Rate of the caller's audio.
        services: Makes its services; None makes those of `settings`.
    """
    declarations = [tool.declaration for tool in tools]
    instructions = _instructions(settings.instructions, tools, told=tool_instruction)

    kept = {
        "kind": "cascade",
        "instructions": settings.instructions,
        "tool_instruction": tool_instruction,
        "rate_hz": rate_hz,
    }
    find = services or (lambda: services_of(settings, declarations))

    @contextlib.asynccontextmanager
    async def make(capture: Capture | None) -> AsyncIterator[SpeechNode]:
        async with find() as (services, _):
            keep_services(capture, services)
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

    return CallNode(make=make, kept=kept)


def _instructions(instructions: str, tools: Sequence[Tool], *, told: bool) -> str:
    return with_tool_instruction(instructions) if tools and told else instructions


__all__ = [
    "SOON_ELSEWHERE",
    "SOON_GIVEN_UP",
    "CallNode",
    "FindServices",
    "VoiceMap",
    "cascade_node",
    "native_node",
    "voice_of",
]
