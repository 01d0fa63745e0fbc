"""The native pipeline in Python: a speech-to-speech model in a call over any transport."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from crossfade.audio.sound_file import read_sound
from crossfade.observability.call import RECORDING, CallRecord
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.live_events import Listener
from crossfade.processors.speech_to_speech import SpeechToSpeech
from crossfade.processors.tools import Tool
from crossfade.processors.turn_taking import TurnOwner
from crossfade.providers import SessionConfig, TurnDetection, connect
from crossfade.transports.script import AfterSilence, Line, Script
from crossfade.transports.scripted_caller import ScriptedCaller

from .answer_file import check_answer_file, write_answer_file
from .assembly import Call
from .call_folder import make_call_folder
from .demo import demo_script
from .endpoint import endpoint
from .sample_tools import get_weather
from .settings import NativeSettings


@contextlib.asynccontextmanager
async def native_call(
    spec: str,
    *,
    transport: BaseTransport,
    record: CallRecord,
    config: SessionConfig,
    tools: Sequence[Tool] = (),
    base_url: str | None = None,
    api_key: str | None = None,
    in_rate_hz: int = 16000,
    out_rate_hz: int = 24000,
    custom: Sequence[FrameProcessor] = (),
) -> AsyncIterator[Call]:
    """Connect to a model and put a call together around it; `Call.run` then runs it.

    Args:
        spec: Provider and model, such as "openai:gpt-realtime-2.1".
        transport: Any pipecat transport, mono, at the two rates.
        record: Keeps what happens.
        config: The session; its tools are set from `tools`.
        tools: What the model may call.
        base_url: The whole endpoint; None is the provider's own.
        api_key: None takes it from the provider's environment variable.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
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
    config = replace(config, tools=[tool.declaration for tool in tools])
    async with connect(spec, config, base_url=base_url, api_key=api_key, tap=record.tap) as session:
        yield Call(
            transport=transport,
            node=SpeechToSpeech(session, rate_hz=in_rate_hz),
            node_rate_hz=session.output_rate_hz,
            record=record,
            tools=tools,
            turn_owner=owner,
            in_rate_hz=in_rate_hz,
            out_rate_hz=out_rate_hz,
            custom=custom,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A call of the command that is over."""

    folder: Path
    summary: CallSummary
    missed: Sequence[str]
    """Lines of the caller whose cue never came."""


async def run_native(
    settings: NativeSettings, *, announce: Callable[[str], None], listener: Listener
) -> Outcome:
    """Make the call that the command asks for: the input file, or the demo's script.

    Arguments and errors are those of `run_script`.
    """
    script = demo_script() if settings.input is None else _one_line(settings.input)
    return await run_script(settings, script, announce=announce, listener=listener)


async def run_script(
    settings: NativeSettings,
    script: Script,
    *,
    announce: Callable[[str], None],
    listener: Listener,
) -> Outcome:
    """Make a call with a scripted caller.

    Args:
        settings: Whom to talk to and where to keep what.
        script: What the caller says.
        announce: Told in one line whom the call talks to, and then where its record lies.
        listener: Told what happens while the call runs.

    Raises:
        CrossfadeError: As `native_call` and `Call.run`; the record is valid then, too.
    """
    if settings.output is not None:
        check_answer_file(settings.output)
    caller = ScriptedCaller(script)
    async with endpoint(settings) as provider:
        announce(provider.description)
        folder = make_call_folder(settings.runs, datetime.now())
        record = CallRecord.open(folder, details={"model": settings.model})
        record.subscribe(listener)
        config = SessionConfig(instructions=settings.instructions, voice=settings.voice)
        called = False
        try:
            async with native_call(
                provider.spec,
                transport=caller,
                record=record,
                config=config,
                tools=[get_weather],
                base_url=provider.base_url,
                api_key=provider.api_key,
            ) as call:
                announce(f"The call is recorded in {folder}.")
                called = True
                summary = await call.run(until=caller.hung_up())
        finally:
            record.close({})
            if not called:
                shutil.rmtree(folder)
            elif settings.output is not None:
                write_answer_file(folder / RECORDING, settings.output)
    return Outcome(folder=folder, summary=summary, missed=script.missed)


def _one_line(path: Path) -> Script:
    line = Line(name=path.name, sound=read_sound(path), cue=AfterSilence(after_s=0.3))
    return Script([line], pause_s=1.5)
