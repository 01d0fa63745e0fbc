"""One call of the matrix over the whole chain, on the virtual clock."""

import asyncio
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.backend import SPEECH_RATE_HZ, Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults import Fault
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.gemini import Timing as GeminiTiming
from crossfade.emulators.moshi import MoshiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.openai import Timing as OpenAITiming
from crossfade.emulators.turn_detection import energy_scorer
from crossfade.emulators.user_audio import UserAudio
from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.observability.virtual_time import EPOCH_S, VirtualTimeError, run_virtual
from crossfade.pipelines.command_line import prepare
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import native_call
from crossfade.processors.tools import tool
from crossfade.providers import SessionConfig
from crossfade.providers.continuity.settings import Continuity
from crossfade.transports.script import AfterSilence, WhenAnswered

from .continuity_caller import KeptOutput, NoisyCaller, NotedScript
from .continuity_cells import TRANSCRIPT_DELAY_MS
from .continuity_check import Entry, Heard, Span
from .continuity_voice import NoisyBackend, Rendered

SPECS = {
    "openai": "openai:gpt-realtime-2.1",
    "gemini": "gemini:gemini-3.8-live",
    "moshi": "moshi:",
}
Service = OpenAIEmulator | GeminiEmulator | MoshiEmulator
IN_RATES_HZ = {"openai": 24_000, "gemini": 16_000, "moshi": 24_000}
"""Of the models, so that no sample is changed on its way."""
SPEED = 4.0
THINK_MS = 400.0
FIRST_ANSWER = "I am glad that you have called me today. There are many things to talk about."
_PATIENCE_S = 40.0
_TOOL_S = 0.7
_LONGEST_CALL_S = 400.0

SCENARIO = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear="hello there", say=(FIRST_ANSWER,)),
        Turn(
            on=Trigger.SPEECH,
            hear="how warm is it in Tokyo",
            call=(Call(name="look_up", arguments='{"city":"Tokyo"}'),),
        ),
        Turn(on=Trigger.TOOL_RESULTS, say=("It is {degrees} degrees now.",)),
        Turn(on=Trigger.SPEECH, hear="goodbye", say=("Goodbye, and thank you.",)),
    )
)
_LINES = (
    ("greeting", AfterSilence(after_s=0.5)),
    ("weather_tokyo", WhenAnswered(pause_s=1.2)),
    ("goodbye", WhenAnswered(pause_s=0.7)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTaken:
    """What a call was, seen from both ends."""

    said: bytes
    lines: Sequence[Span]
    sessions: Sequence[Heard]
    rendered: Sequence[Rendered]
    """What the emulators' connections said."""
    played: bytes
    """What the transport's output was given, s16le mono at the rate of backends."""
    transcript: Sequence[Entry]
    failure: str | None
    """Why the call did not go on to its end."""
    struck: int
    """Faults that struck."""
    duration_s: float


class _Strikes(logging.Handler):
    """Counts the faults that strike."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.msg == "the fault %r strikes"


def set_up() -> None:
    """Load what calls need, and keep pipecat from telling of each."""
    prepare()
    from loguru import logger

    logger.disable("pipecat")


def take_call(
    wire: str,
    faults: Sequence[Fault] = (),
    *,
    continuity: Continuity | None = None,
    session_seconds: float = 3600,
    transcript_delay_ms: float = TRANSCRIPT_DELAY_MS,
    patience_s: float = _PATIENCE_S,
) -> CallTaken:
    """Make a call in virtual time.

    Args:
        wire: One of `SPECS`.
        faults: What goes wrong in it.
        continuity: How the session outlives its connections; None: it does not.
        session_seconds: How long a session may last, of OpenAI.
        transcript_delay_ms: How long behind the caller's turn its words come.
        patience_s: How long the caller waits for an answer.
    """
    backend = NoisyBackend(SCENARIO)
    emulator = emulator_of(
        wire,
        faults,
        backend,
        session_seconds=session_seconds,
        transcript_delay_ms=transcript_delay_ms,
    )
    return run_virtual(_call(wire, emulator, backend, continuity, patience_s))


async def _call(
    wire: str,
    service: Service,
    backend: NoisyBackend,
    continuity: Continuity | None,
    patience_s: float,
) -> CallTaken:
    rate_hz = IN_RATES_HZ[wire]
    lines = [demo_line(name, cue) for name, cue in _LINES]
    script = NotedScript(lines, patience_s=patience_s, pause_s=0.7)
    output = KeptOutput(rate_hz=SPEECH_RATE_HZ)
    caller = NoisyCaller(script, in_rate_hz=rate_hz, kept=output)
    strikes = _Strikes()
    logger = logging.getLogger("crossfade.emulators.line")
    logger.addHandler(strikes)
    logger.setLevel(logging.INFO)
    failure, transcript, duration_s = None, list[Entry](), 0.0
    with tempfile.TemporaryDirectory() as folder:
        record = CallRecord.open(Path(folder))
        try:
            async with service as emulator:
                try:
                    async with native_call(
                        SPECS[wire],
                        transport=caller,
                        record=record,
                        config=SessionConfig(),
                        tools=[] if wire == "moshi" else [look_up],
                        base_url=emulator.url,
                        api_key="emulated",
                        in_rate_hz=rate_hz,
                        continuity=continuity,
                    ) as call:
                        try:
                            summary = await call.run(until=caller.hung_up())
                            duration_s = summary.duration_s
                        finally:
                            transcript = call.conversation.to_dict()["turns"]
                except (CrossfadeError, VirtualTimeError) as error:
                    failure = f"{type(error).__name__}: {error}"
                sessions = [heard_by(session.user_audio) for session in emulator.sessions]
        finally:
            record.close({})
            logger.removeHandler(strikes)
    if failure is None and script.missed:
        failure = f"the caller waited in vain for: {', '.join(script.missed)}"
    return CallTaken(
        said=bytes(caller.caller.said),
        lines=[caller.span(begun) for begun in script.begun],
        sessions=sessions,
        rendered=backend.rendered,
        played=bytes(output.played),
        transcript=transcript,
        failure=failure,
        struck=strikes.count,
        duration_s=duration_s,
    )


def emulator_of(
    wire: str,
    faults: Sequence[Fault] = (),
    backend: ScriptedBackend | None = None,
    *,
    session_seconds: float = 3600,
    transcript_delay_ms: float = TRANSCRIPT_DELAY_MS,
) -> Service:
    """An emulator that keeps what it hears.

    Args:
        wire: One of `SPECS`.
        faults: What goes wrong.
        backend: What it says.
        session_seconds: How long a session may last, of OpenAI.
        transcript_delay_ms: How long behind the user's turn its words come.
    """
    backend = ScriptedBackend(SCENARIO) if backend is None else backend
    if wire == "gemini":
        return GeminiEmulator(
            backend,
            faults=faults,
            timing=GeminiTiming(
                think_ms=THINK_MS, speed=SPEED, transcript_delay_ms=transcript_delay_ms
            ),
            scorer=energy_scorer,
            keep_audio=True,
        )
    if wire == "moshi":
        return MoshiEmulator(backend, faults=faults, scorer=energy_scorer, keep_audio=True)
    return OpenAIEmulator(
        backend,
        faults=faults,
        timing=OpenAITiming(
            think_ms=THINK_MS,
            speed=SPEED,
            transcript_delay_ms=transcript_delay_ms,
            session_seconds=session_seconds,
        ),
        epoch_s=EPOCH_S,
        scorer=energy_scorer,
        keep_audio=True,
    )


def heard_by(audio: UserAudio | None) -> Heard:
    """What a session of an emulator was given."""
    assert audio is not None, "the emulators were told to keep it"
    return Heard(
        pcm=audio.pcm,
        turns=[(turn.pcm, bool(turn.answers)) for turn in audio.turns],
    )


@tool(acknowledge=None)
async def look_up(city: str) -> dict[str, int]:
    """Tell how warm it is in a city.

    Args:
        city: Its name.
    """
    await asyncio.sleep(_TOOL_S)
    return {"degrees": 18}
