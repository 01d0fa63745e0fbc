"""The cascaded pipeline in Python: recogniser, text model and synthesiser in a call over any
transport."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_transport import BaseTransport

from crossfade.audio.vad import VoiceDetector
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolDeclaration
from crossfade.observability.call import CallRecord
from crossfade.observability.capture import Capture
from crossfade.observability.live_events import Listener
from crossfade.processors.cascade import Cascade
from crossfade.processors.tool_prompt import with_tool_instruction
from crossfade.processors.tools import Tool
from crossfade.processors.turn_taking import TurnOwner
from crossfade.transports.script import Script

from .answer_file import check_answer_file
from .assembly import Call, EndOfTurnRule, new_conversation
from .capture_cascade import CascadeSetup, keep_cascade
from .capture_services import keep_service
from .capture_tools import captured_tools
from .cascade_services import EMBEDDED, Choice, Role, check_embedded, make_service
from .cascaded_settings import CascadedSettings
from .embedded_speech import embedded_llm, embedded_stt, embedded_tts
from .live_call import hold_live_call
from .live_caller import LiveCaller, Meter
from .recorded_call import Keeping, Outcome
from .sample_tools import get_weather
from .scripted_call import hold_call, script_for
from .telemetry_export import telemetry_export

SPEECH_RATE_HZ = 24000
"""The rate of a cascade's speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The three services of one call."""

    stt: STTService
    llm: LLMService[Any]
    tts: TTSService


def cascaded_call(
    services: Services,
    *,
    transport: BaseTransport,
    record: CallRecord,
    instructions: str = "",
    tools: Sequence[Tool] = (),
    tool_instruction: bool = True,
    conversation: Conversation | None = None,
    unfinished: bytes = b"",
    end_of_turn: EndOfTurnRule = "silence",
    detector: VoiceDetector | None = None,
    in_rate_hz: int = 16000,
    out_rate_hz: int = 24000,
    custom: Sequence[FrameProcessor] = (),
) -> Call:
    """Put a call together around three services; `Call.run` then runs it.

    The services connect when it is run, and are its own: each serves one call.

    Args:
        services: Any of pipecat's.
        transport: Any pipecat transport, mono, at the two rates.
        record: Keeps what happens.
        instructions: What the agent shall be.
        tools: What the model may call.
        tool_instruction: Whether the model is told how to talk while tools run.
        conversation: What was said before, if the call goes on from elsewhere.
        unfinished: What the caller said then that nobody answered yet: s16le at `in_rate_hz`.
        end_of_turn: What ends the user's turn: silence, or what the Smart Turn model takes for an
            end.
        detector: Hears when the caller speaks; None hears it by their voice.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        custom: Processors of your own, before the speech node.

    Raises:
        SettingsError: Two tools have the same name.
    """
    setup = CascadeSetup(
        instructions=instructions,
        tool_instruction=tool_instruction,
        end_of_turn=end_of_turn,
        in_rate_hz=in_rate_hz,
        out_rate_hz=out_rate_hz,
        begun_elsewhere=conversation is not None and bool(conversation.entries),
    )
    if tools and tool_instruction:
        instructions = with_tool_instruction(instructions)
    if record.capture is not None:
        keep_cascade(record.capture, setup, tools)
        keep_services(record.capture, services)
        tools = captured_tools(tools, record.capture)
    conversation = conversation or new_conversation()
    node = Cascade(
        stt=services.stt,
        llm=services.llm,
        tts=services.tts,
        conversation=conversation,
        instructions=instructions,
        tools=[tool.declaration for tool in tools],
        unfinished=unfinished,
        rate_hz=in_rate_hz,
        speech_rate_hz=SPEECH_RATE_HZ,
    )
    return Call(
        transport=transport,
        node=node,
        node_rate_hz=SPEECH_RATE_HZ,
        record=record,
        conversation=conversation,
        tools=tools,
        turn_owner=TurnOwner.LOCAL,
        end_of_turn=end_of_turn,
        detector=detector,
        in_rate_hz=in_rate_hz,
        out_rate_hz=out_rate_hz,
        custom=custom,
        unfinished=node.unfinished_audio,
        unfinished_rate_hz=in_rate_hz,
    )


def keep_services(capture: Capture | None, services: Services) -> None:
    """Keep what the services are asked and answer, if the call is captured."""
    if capture is not None:
        keep_service(capture, "stt", services.stt)
        keep_service(capture, "llm", services.llm)
        keep_service(capture, "tts", services.tts)


@contextlib.asynccontextmanager
async def services_of(
    settings: CascadedSettings, tools: Sequence[ToolDeclaration]
) -> AsyncIterator[tuple[Services, str]]:
    """Make the services that are asked for, and a line that names them.

    Raises:
        SettingsError: One is not known, or something that it needs is missing.
        ProviderFault: An embedded one does not start.
    """
    choices = _choices(settings)
    for role, choice in choices.items():
        if choice.name == EMBEDDED:
            check_embedded(role, choice)
    made = {
        role: make_service(role, choice)
        for role, choice in choices.items()
        if choice.name != EMBEDDED
    }
    async with contextlib.AsyncExitStack() as stack:
        if Role.STT not in made:
            made[Role.STT] = await embedded_stt(stack, tools, eager=settings.eager)
        if Role.LLM not in made:
            made[Role.LLM] = embedded_llm(tools)
        if Role.TTS not in made:
            made[Role.TTS] = await embedded_tts(stack, SPEECH_RATE_HZ)
        services = Services(stt=made[Role.STT], llm=made[Role.LLM], tts=made[Role.TTS])
        yield services, " → ".join(str(choice) for choice in choices.values())


def _choices(settings: CascadedSettings) -> dict[Role, Choice]:
    return {
        Role.STT: Choice(name=settings.stt, model=settings.stt_model, eager=settings.eager),
        Role.LLM: Choice(
            name=settings.chosen_llm, model=settings.llm_model, url=settings.llm_base_url
        ),
        Role.TTS: Choice(name=settings.tts, model=settings.tts_model, voice=settings.voice),
    }


async def run_cascaded(
    settings: CascadedSettings,
    *,
    announce: Callable[[str], None],
    listener: Listener,
    script: Script | None = None,
    meter: Meter | None = None,
) -> Outcome:
    """Make the call that the command asks for: the input file, or the demo's script.

    Args:
        settings: Which services to use and where to keep what.
        announce: Told in one line what the call runs through, and then where its record lies.
        listener: Told what happens while the call runs.
        script: What the caller says, if it is neither of these.
        meter: Filled with what the terminal shows of the microphone.

    Raises:
        CrossfadeError: As `services_of` and `Call.run`; the record is valid then, too.
    """
    if settings.output is not None:
        check_answer_file(settings.output)
    if script is None and settings.live is None:
        script = script_for(settings.input)
    async with (
        services_of(settings, [get_weather.declaration]) as (services, description),
        telemetry_export(f"cascade:{description}", announce) as watch,
    ):
        announce(f"A cascade: {description}.")

        @contextlib.asynccontextmanager
        async def make(
            caller: BaseTransport | LiveCaller, record: CallRecord
        ) -> AsyncIterator[Call]:
            person = caller if isinstance(caller, LiveCaller) else LiveCaller(transport=caller)
            yield cascaded_call(
                services,
                transport=person.transport,
                record=record,
                instructions=settings.instructions,
                tools=[get_weather],
                detector=person.detector,
            )

        kept = Keeping(
            model=description,
            runs=settings.runs,
            flac=settings.flac,
            content=settings.content,
            capture=settings.capture,
            output=settings.output,
            announce=announce,
            listener=listener,
            watch=watch,
        )
        if script is not None:
            return await hold_call(make, script, **kept)
        assert settings.live is not None
        return await hold_live_call(make, settings.live, meter=meter, **kept)


__all__ = [
    "SPEECH_RATE_HZ",
    "Services",
    "cascaded_call",
    "keep_services",
    "run_cascaded",
    "services_of",
]
