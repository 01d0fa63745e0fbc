"""The caller's silence while tools run, in recordings, with acknowledgement and without.

Callers ask ten times each; each time a tool takes between nothing and five seconds. Measured is the
longest stretch without the agent's sound after the caller has stopped, until the caller speaks
again or the call ends.
"""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.backend import Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError
from crossfade.observability.call import RECORDING, CallRecord
from crossfade.observability.sound_spans import Span
from crossfade.observability.turns import RecordedTurns, from_recording
from crossfade.observability.virtual_time import run_virtual
from crossfade.pipelines.assembly import prepare
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import native_call
from crossfade.processors.phrases import PhraseStore
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.transports.script import AfterSilence, Script, WhenAnswered
from crossfade.transports.scripted_caller import ScriptedCaller

GOAL_S = 1.5
LONGEST_TOOL_S = 5.0
SEED = 20
_SPREAD_S = 4.0
"""The callers begin within this time, so that they do not all wait at once."""

SPECS = {"openai": "openai:gpt-realtime-2.1", "gemini": "gemini:gemini-3.1-flash-live-preview"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silences:
    """What the caller heard nothing of, over all calls; times in s."""

    provider: str
    acknowledged: bool
    tool_calls: int
    answered: int
    """Tool calls that ended with their result, which was told to the model."""
    longest_s: float
    p50_s: float
    """Of the longest stretch of each turn."""
    p90_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsResult:
    """The same calls with acknowledgement and without."""

    calls_at_once: int
    virtual: bool
    runs: Sequence[Silences]

    @property
    def acknowledged(self) -> Silences:
        return self.runs[0]


def measure(
    *, callers: int, turns: int, providers: Sequence[str], virtual: bool = True, seed: int = SEED
) -> ToolsResult:
    """Make the calls of each provider, with acknowledgement and without.

    Args:
        callers: Calls at once.
        turns: Tool calls in each.
        providers: Names in `SPECS`, the first one's result in front.
        virtual: Whether the calls run in virtual time.
        seed: Of how long the tools take.

    Raises:
        SettingsError: A provider is not known.
    """
    if unknown := set(providers) - set(SPECS):
        raise SettingsError(
            f"{', '.join(sorted(unknown))}: not measured; name {' or '.join(SPECS)}"
        )
    prepare()
    runs = []
    for provider in providers:
        for acknowledged in (True, False):
            calls = _all_calls(provider, callers, turns, seed, acknowledged=acknowledged)
            runs.append(run_virtual(calls) if virtual else asyncio.run(calls))
    return ToolsResult(calls_at_once=callers, virtual=virtual, runs=runs)


async def _all_calls(
    provider: str, callers: int, turns: int, seed: int, *, acknowledged: bool
) -> Silences:
    store = PhraseStore(None)
    backend = ScriptedBackend(_SCENARIO)
    server = GeminiEmulator(backend) if provider == "gemini" else OpenAIEmulator(backend)
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder) / str(number) for number in range(callers)]
        async with server as emulator:
            calling = [
                _call(
                    SPECS[provider],
                    emulator.url,
                    path,
                    tools=[_tool(random.Random(f"{seed} {number}"), acknowledged)],
                    turns=turns,
                    start_s=0.5 + _SPREAD_S * number / callers,
                    store=store,
                )
                for number, path in enumerate(folders)
            ]
            answered = await asyncio.gather(*calling)
        heard = [silences(from_recording(path / RECORDING)) for path in folders]
    times = [each for call in heard for each in call]
    return Silences(
        provider=provider,
        acknowledged=acknowledged,
        tool_calls=callers * turns,
        answered=sum(answered),
        longest_s=round(max(times), 3),
        p50_s=round(float(np.percentile(times, 50)), 3),
        p90_s=round(float(np.percentile(times, 90)), 3),
    )


def silences(turns: RecordedTurns) -> list[float]:
    """For each stretch of the caller's speech: the longest silence of the agent after it, in s."""
    ends = [*(span.start_s for span in turns.caller[1:]), turns.duration_s]
    return [
        _longest_gap(turns.agent, span.end_s, until_s)
        for span, until_s in zip(turns.caller, ends, strict=True)
    ]


def _longest_gap(spans: Sequence[Span], from_s: float, until_s: float) -> float:
    longest_s, quiet_since_s = 0.0, from_s
    for span in spans:
        if span.end_s > from_s and span.start_s < until_s:
            longest_s = max(longest_s, span.start_s - quiet_since_s)
            quiet_since_s = span.end_s
    return max(longest_s, until_s - quiet_since_s)


_SCENARIO = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear="look it up", call=(Call(name="look_up", arguments="{}"),)),
        Turn(on=None, say=("I have found it for you.",)),
    ),
    repeat=True,
)


def _tool(chance: random.Random, acknowledged: bool) -> Tool:
    async def look_up() -> str:
        """Look something up."""
        await asyncio.sleep(chance.uniform(0, LONGEST_TOOL_S))
        return "found"

    return tool(look_up) if acknowledged else tool(acknowledge=None)(look_up)


async def _call(
    spec: str,
    url: str,
    folder: Path,
    *,
    tools: Sequence[Tool],
    turns: int,
    start_s: float,
    store: PhraseStore,
) -> int:
    """One call; how many of its tool calls ended with their result."""
    lines = [demo_line("enough", WhenAnswered()) for _ in range(turns - 1)]
    caller = ScriptedCaller(Script([demo_line("enough", AfterSilence(after_s=start_s)), *lines]))
    record = CallRecord.open(folder)
    async with native_call(
        spec,
        transport=caller,
        record=record,
        config=SessionConfig(),
        tools=tools,
        phrases=store,
        base_url=url,
        api_key="emulated",
    ) as call:
        summary = await call.run(until=caller.hung_up())
    return sum(not each.is_error and each.duration_ms is not None for each in summary.tools)


def table(result: ToolsResult) -> Table:
    """The result for the terminal."""
    shown = Table(title="The caller's silence while tools run, in s", min_width=60)
    for heading in ("provider", "acknowledged"):
        shown.add_column(heading)
    for heading in ("tool calls", "answered", "p50", "p90", "longest"):
        shown.add_column(heading, justify="right")
    for run in result.runs:
        times = (f"{each:.2f}" for each in (run.p50_s, run.p90_s, run.longest_s))
        yes = "yes" if run.acknowledged else "no"
        shown.add_row(run.provider, yes, str(run.tool_calls), str(run.answered), *times)
    shown.add_section()
    shown.add_row("goal", "yes", "", "", "", "", f"< {GOAL_S:g}")
    return shown


def content(result: ToolsResult) -> dict[str, Any]:
    """The result for a file."""
    first = result.acknowledged
    return {
        "measurement": "longest stretch without the agent's sound after the caller stopped, until "
        "the caller spoke again or the call ended, in the recordings; tools take 0 to "
        f"{LONGEST_TOOL_S:g} s",
        "goal_s": GOAL_S,
        "longest_silence_s": first.longest_s,
        "longest_silence_without_s": result.runs[1].longest_s,
        "calls": first.answered,
        "calls_at_once": result.calls_at_once,
        "time": "virtual" if result.virtual else "real",
        "runs": [asdict(run) for run in result.runs],
    }
