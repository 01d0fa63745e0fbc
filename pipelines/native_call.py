"""The native pipeline in Python: a speech-to-speech model in a call over any transport."""

import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.audio.vad import VoiceDetector
from crossfade.conversation.ledger import Conversation
from crossfade.observability.call import CallRecord
from crossfade.observability.live_events import Listener
from crossfade.processors.node_switch import NodeSwitch
from crossfade.processors.phrases import PhraseStore
from crossfade.processors.speech_to_speech import SpeechToSpeech
from crossfade.processors.tool_answers import tool_wire
from crossfade.processors.tool_prompt import with_tool_instruction
from crossfade.processors.tools import Tool
from crossfade.processors.turn_taking import TurnOwner
from crossfade.processors.uplink import UPLINK_MS
from crossfade.providers import SessionConfig, TurnDetection, connect
from crossfade.providers.continuity.route import Endpoint as RouteEndpoint
from crossfade.providers.continuity.settings import Continuity
from crossfade.transports.script import Script

from .answer_file import check_answer_file
from .assembly import Call, EndOfTurnRule, new_conversation, prepare
from .call_nodes import cascade_node, native_node
from .capture_call import CallSetup, keep_setup, seeded
from .capture_tools import captured_tools
from .cascaded_settings import CascadedSettings
from .endpoint import Endpoint, endpoint, fallback_route
from .live_call import hold_live_call
from .live_caller import LiveCaller, Meter
from .own_voice import own_voice
from .recorded_call import Keeping, Outcome
from .route_native import budgets_of, routed
from .sample_tools import get_weather
from .scripted_call import hold_call, script_for
from .settings import CASCADE, NativeSettings
from .switched_call import switched_call
from .telemetry_export import telemetry_export

ALWAYS_ON = Continuity()
"""Calls outlive their provider's sessions, unless told otherwise."""


def prepare_native(*specs: str, end_of_turn: EndOfTurnRule = "silence") -> None:
    """Load what calls with these models need, so that admitting the first stalls no other.

    Args:
        specs: Provider and model, such as "openai:gpt-realtime-2.1".
        end_of_turn: What will decide that the caller's turns are over.

    Raises:
        SettingsError: One of them is not known.
    """
    prepare(end_of_turn)
    for spec in specs:
        # Nothing connects: a key is not asked for.
        connect(spec, SessionConfig(), api_key="unused")


@contextlib.asynccontextmanager
async def native_call(
    spec: str,
    *,
    transport: BaseTransport,
    record: CallRecord,
    config: SessionConfig,
    tools: Sequence[Tool] = (),
    tool_instruction: bool = True,
    phrases: PhraseStore | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    route: Sequence[RouteEndpoint] = (),
    continuity: Continuity | None = ALWAYS_ON,
    conversation: Conversation | None = None,
    unfinished: bytes = b"",
    end_of_turn: EndOfTurnRule = "silence",
    detector: VoiceDetector | None = None,
    in_rate_hz: int = 16000,
    out_rate_hz: int = 24000,
    uplink_ms: int = UPLINK_MS,
    entry: Sequence[FrameProcessor] = (),
    custom: Sequence[FrameProcessor] = (),
) -> AsyncIterator[Call]:
    """Connect to a model and put a call together around it; `Call.run` then runs it.

    Args:
        spec: Provider and model, such as "openai:gpt-realtime-2.1".
        transport: Any pipecat transport, mono, at the two rates.
        record: Keeps what happens.
        config: The session; its tools are set from `tools`.
        tools: What the model may call.
        tool_instruction: Whether the model is told how to talk while tools run, behind the
            instructions of `config`.
        phrases: Where what is said while tools run is kept, in the voices of the models; None is
            the user's cache folder.
        base_url: The whole endpoint; None is the provider's own.
        api_key: None takes it from the provider's environment variable.
        route: Who takes the call over when the provider fails, in this order.
        continuity: How the call outlives its provider's sessions; with None it ends with the
            first that dies.
        conversation: What was said before, if the call goes on from elsewhere; it is told to the
            model, and carried on.
        unfinished: What the user said then that nobody answered yet: s16le at the session's rate.
        end_of_turn: What ends a turn that `config` leaves to the caller's side: silence, or what
            the Smart Turn model takes for an end.
        detector: Hears when the caller speaks, such as by a key; None hears it by their voice.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        uplink_ms: How much of the caller's audio a message to the model holds at least; longer
            ones cost less, and come later.
        entry: Processors of your own, before what the caller says is filed.
        custom: Processors of your own, before the speech node.

    Raises:
        CallerError: A setting cannot be used.
        ProviderFault: The provider refused the key or the model.
        ConnectionLost: Nothing answers at the endpoint.
    """
    owner = {
        TurnDetection.SERVER: TurnOwner.PROVIDER,
        TurnDetection.SEMANTIC: TurnOwner.PROVIDER,
        TurnDetection.CALLER: TurnOwner.LOCAL,
    }[config.turn_detection]
    given = config
    config = replace(config, tools=[tool.declaration for tool in tools])
    if tools and tool_instruction:
        config = replace(config, instructions=with_tool_instruction(config.instructions))
    if record.capture is not None:
        continuity = seeded(continuity)
        setup = CallSetup(
            spec=spec,
            config=given,
            tool_instruction=tool_instruction,
            end_of_turn=end_of_turn,
            in_rate_hz=in_rate_hz,
            out_rate_hz=out_rate_hz,
            uplink_ms=uplink_ms,
            continuity=continuity,
            route=route,
            unfinished=unfinished,
            begun_elsewhere=conversation is not None and bool(conversation.entries),
        )
        keep_setup(record.capture, setup, tools)
        tools = captured_tools(tools, record.capture)
    conversation = conversation or new_conversation()
    async with connect(
        spec,
        config,
        base_url=base_url,
        api_key=api_key,
        route=route,
        continuity=continuity,
        conversation=conversation,
        unfinished=unfinished,
        tap=record.tap,
    ) as session:
        context_tokens = None if continuity is None else continuity.context_tokens
        node = SpeechToSpeech(
            session, rate_hz=in_rate_hz, context_tokens=context_tokens, uplink_ms=uplink_ms
        )
        yield Call(
            transport=transport,
            node=node,
            node_rate_hz=session.output_rate_hz,
            record=record,
            conversation=conversation,
            tools=tools,
            tool_wire=tool_wire(session.profile),
            phrases=own_voice(
                spec,
                session,
                node,
                base_url=base_url,
                api_key=api_key,
                store=phrases,
                capture=record.capture,
            ),
            turn_owner=owner,
            holds=not session.profile.full_duplex,
            provider_cuts=config.interruptible,
            end_of_turn=end_of_turn,
            detector=detector,
            in_rate_hz=in_rate_hz,
            out_rate_hz=out_rate_hz,
            entry=entry,
            custom=custom,
            unfinished=session.unfinished_audio,
            unfinished_rate_hz=session.input_rate_hz,
            serving=lambda: session.serving,
        )


async def run_native(
    settings: NativeSettings,
    *,
    announce: Callable[[str], None],
    listener: Listener,
    tools: Sequence[Tool] | None = None,
    script: Script | None = None,
    meter: Meter | None = None,
) -> Outcome:
    """Make the call that the command asks for.

    Args:
        settings: Whom to talk to and where to keep what.
        announce: Told in one line whom the call talks to, and then where its record lies.
        listener: Told what happens while the call runs.
        tools: What the model may call; None is the demo's weather.
        script: What the caller says, if it is neither the input file nor the demo's script.
        meter: Filled with what the terminal shows of the microphone.

    Raises:
        CrossfadeError: As `native_call` and `Call.run`; the record is valid then, too.
    """
    if settings.output is not None:
        check_answer_file(settings.output)
    if script is None and settings.live is None:
        script = script_for(settings.input)
    settings, choice = routed(settings)
    to_cascade = CASCADE in settings.fallbacks
    providers = [spec for spec in settings.fallbacks if spec != CASCADE]
    async with (
        endpoint(settings) as provider,
        fallback_route(providers, emulated=provider.emulated) as route,
        telemetry_export(provider.spec, announce) as watch,
    ):
        announce(provider.description)
        make = functools.partial(
            _make_switched if to_cascade else _make_call,
            settings=settings,
            provider=provider,
            route=route,
            tools=[get_weather] if tools is None else tools,
        )
        kept = Keeping(
            model=settings.model,
            runs=settings.runs,
            flac=settings.flac,
            content=settings.content,
            output=settings.output,
            announce=announce,
            listener=listener,
            capture=settings.capture,
            budgets=budgets_of(settings),
            choice=choice,
            watch=watch,
        )
        if script is not None:
            return await hold_call(make, script, **kept)
        assert settings.live is not None
        return await hold_live_call(make, settings.live, meter=meter, **kept)


def _make_call(
    caller: BaseTransport | LiveCaller,
    record: CallRecord,
    *,
    settings: NativeSettings,
    provider: Endpoint,
    route: Sequence[RouteEndpoint],
    tools: Sequence[Tool],
) -> contextlib.AbstractAsyncContextManager[Call]:
    transport, detector = _person(caller)
    return native_call(
        provider.spec,
        transport=transport,
        record=record,
        config=_config(settings, detector),
        detector=detector,
        tools=tools,
        base_url=provider.base_url,
        api_key=provider.api_key,
        route=route,
        uplink_ms=settings.uplink_ms,
    )


def _make_switched(
    caller: BaseTransport | LiveCaller,
    record: CallRecord,
    *,
    settings: NativeSettings,
    provider: Endpoint,
    route: Sequence[RouteEndpoint],
    tools: Sequence[Tool],
) -> contextlib.AbstractAsyncContextManager[Call]:
    """A call that goes on with the embedded cascade when no provider serves any more."""
    conversation = new_conversation()
    transport, detector = _person(caller)
    native = native_node(
        provider.spec,
        conversation=conversation,
        config=_config(settings, detector),
        tools=tools,
        base_url=provider.base_url,
        api_key=provider.api_key,
        route=route,
        tap=record.tap,
        uplink_ms=settings.uplink_ms,
    )
    cascade = cascade_node(
        CascadedSettings(llm="embedded", instructions=settings.instructions),
        conversation=conversation,
        tools=tools,
    )
    nodes = {"native": native, CASCADE: cascade}
    switch = NodeSwitch(nodes, route=("native", CASCADE), spare=CASCADE)
    return switched_call(
        switch,
        transport=transport,
        record=record,
        conversation=conversation,
        tools=tools,
        detector=detector,
    )


def _person(caller: BaseTransport | LiveCaller) -> tuple[BaseTransport, VoiceDetector | None]:
    """How somebody is reached, and what hears that they speak if it is not their voice."""
    person = caller if isinstance(caller, LiveCaller) else LiveCaller(transport=caller)
    return person.transport, person.detector


def _config(settings: NativeSettings, detector: VoiceDetector | None) -> SessionConfig:
    """Of the session; a key is heard here alone, and so are the turns that it makes."""
    given = SessionConfig(instructions=settings.instructions, voice=settings.voice)
    return given if detector is None else replace(given, turn_detection=TurnDetection.CALLER)
