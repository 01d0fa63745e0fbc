"""Two providers side by side: four short calls, dealt to two arms, and what they came to.

    python -m crossfade.examples.two_providers

Talks to OpenAI and Google if OPENAI_API_KEY and GEMINI_API_KEY are set, else to the two built-in
emulators. `crossfade compare FOLDER --by arm` tells the same of calls made before.
"""

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import parse_scenario
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import CrossfadeError
from crossfade.examples.rehearsal import VoiceName, read_out, voice_here
from crossfade.observability.arms import ArmReport, compare_arms
from crossfade.observability.arms_view import arms_table, findings
from crossfade.observability.call import CallRecord
from crossfade.observability.summary_file import read_summary
from crossfade.pipelines.assembly import Call
from crossfade.pipelines.command_line import prepare
from crossfade.pipelines.compare_runs import figures
from crossfade.pipelines.endpoint import Endpoint
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.routing import Arm, CallRequest, Router
from crossfade.pipelines.sample_tools import get_weather
from crossfade.pipelines.scripted_call import hold_call
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller

INSTRUCTIONS = "You tell the weather. Be brief."
ARMS = (
    Arm(name="one", node="openai:gpt-realtime-2.1", usd_per_minute=Decimal("0.10")),
    Arm(name="other", node="gemini:gemini-3.8-live", usd_per_minute=Decimal("0.03")),
)
CALLERS = ("+15550101", "+15550102", "+15550104", "+15550105")
KEYS = ("OPENAI_API_KEY", "GEMINI_API_KEY")
LINES = ["What is the weather in Tokyo?", "Thank you, goodbye."]
SCENARIO = f"""
turns:
  - on: any
    hear: {LINES[0]}
    call: [{{name: get_weather, arguments: {{city: Tokyo}}}}]
  - {{on: tool_results, say: "It is {{condition}} there."}}
  - {{on: any, hear: "{LINES[1]}", say: Goodbye!}}
"""


@contextlib.asynccontextmanager
async def providers(voice: VoiceName) -> AsyncIterator[Mapping[str, Endpoint]]:
    """Those of the arms, by node: the real ones if there is a key for each, else emulators."""
    if all(os.environ.get(key) for key in KEYS):
        yield {
            arm.node: Endpoint(spec=arm.node, base_url=None, api_key=None, description=arm.node)
            for arm in ARMS
        }
        return
    backend = ScriptedBackend(parse_scenario(SCENARIO), voice=voice)
    async with OpenAIEmulator(backend) as openai, GeminiEmulator(backend) as gemini:
        urls = (openai.url, gemini.url)
        yield {
            arm.node: Endpoint(
                spec=arm.node,
                base_url=url,
                api_key="emulated",
                description=f"{arm.node}, emulated",
                emulated=True,
            )
            for arm, url in zip(ARMS, urls, strict=True)
        }


def make(
    caller: ScriptedCaller, record: CallRecord, provider: Endpoint
) -> AbstractAsyncContextManager[Call]:
    return native_call(
        provider.spec,
        transport=caller,
        record=record,
        config=SessionConfig(instructions=INSTRUCTIONS),
        tools=[get_weather],
        base_url=provider.base_url,
        api_key=provider.api_key,
    )


async def compare(
    runs: Path,
    *,
    announce: Callable[[str], None],
    callers: Sequence[str] = CALLERS,
    voice: VoiceName | None = None,
) -> ArmReport:
    """Make a call for each caller, with the arm that is theirs, and compare.

    Raises:
        CrossfadeError: A call failed.
    """
    voice = voice or voice_here()
    router = Router(ARMS, clock=asyncio.get_running_loop().time)
    folders = []
    async with providers(voice) as found:
        for number in callers:
            choice = router.choose(CallRequest(key=number))
            node, provider = choice.arm.node, found[choice.arm.node]
            announce(f"A call to {provider.description}.")
            try:
                outcome = await hold_call(
                    functools.partial(make, provider=provider),
                    await read_out(LINES, voice=voice),
                    model=node,
                    runs=runs,
                    output=None,
                    announce=lambda _: None,
                    listener=lambda _: None,
                    choice=choice,
                )
            except CrossfadeError:
                router.failed(node)
                raise
            router.succeeded(node)
            folders.append(outcome.folder)
    return compare_arms(figures(map(read_summary, folders), by="arm"))


def main() -> None:
    console = Console()
    runs = Path("runs") / f"arms-{datetime.now():%Y-%m-%dT%H-%M-%S}"
    prepare()
    report = asyncio.run(compare(runs, announce=console.print))
    console.print(arms_table(report))
    for line in findings(report):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print(f"The calls are in {runs}.", soft_wrap=True)


if __name__ == "__main__":
    main()
