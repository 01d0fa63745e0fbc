"""Whether the comparison of arms finds what was planted, and nothing where nothing was.

Short calls with two emulated providers, dealt by the router: one is dearer and slower by a known
amount, or just the same. What each call says, how long its answers are and how soon they come is
drawn by lot alike for both; one of the arms is then compared with the other as
`crossfade compare` does.
"""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.table import Table

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.backend import Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.observability.arms import ArmReport, compare_arms
from crossfade.observability.arms_view import arms_table, findings
from crossfade.observability.call import CallRecord
from crossfade.observability.prices import PriceBook, Rates
from crossfade.observability.prices_file import standard_prices
from crossfade.observability.summary_file import SUMMARY, read_summary
from crossfade.observability.virtual_time import run_virtual
from crossfade.pipelines.assembly import prepare
from crossfade.pipelines.compare_runs import call_folders, figures
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import native_call
from crossfade.pipelines.routing import Arm, CallRequest, Router, note_choice
from crossfade.processors.tools import tool
from crossfade.providers import SessionConfig
from crossfade.transports.script import AfterSilence, IntoAnswer, Script, WhenAnswered
from crossfade.transports.scripted_caller import ScriptedCaller

DEARER = Decimal("1.18")
SLOWER_MS = 60.0
SEED = 8
_AT_ONCE = 20
_THINK_MS, _SPREAD_MS = 300.0, 80.0
_FAILS = 0.1
_BASE, _OTHER = "first", "second"
_NODES = {_BASE: "openai:gpt-realtime-2.1", _OTHER: "openai:gpt-realtime-1.5"}
_ANSWER = "I have looked at it for you and all of it is just as you wanted it to be today"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmsResult:
    """What the comparison said of calls with a planted difference, and of calls without."""

    planted: ArmReport
    alike: ArmReport

    @property
    def held(self) -> bool:
        """It found what was planted, and that alone."""
        found = {each.metric.name for each in self.planted.comparisons if each.found}
        none = not any(each.found for each in self.alike.comparisons)
        return found == {"voice to voice", "cost"} and none


def measure(calls: int, *, seed: int = SEED) -> ArmsResult:
    """Make the calls, once with the planted difference and once without.

    Args:
        calls: Of both arms together, each time.
        seed: Of all that is drawn by lot.
    """
    prepare()
    return ArmsResult(
        planted=report(calls, seed=seed),
        alike=report(calls, seed=seed + 1, dearer=Decimal(1), slower_ms=0),
    )


def report(
    calls: int, *, seed: int, dearer: Decimal = DEARER, slower_ms: float = SLOWER_MS
) -> ArmReport:
    """Make calls with two providers, and compare them.

    Args:
        calls: Of both arms together.
        seed: Of all that is drawn by lot.
        dearer: The price of the second one's tokens in that of the first one's.
        slower_ms: So much later its answers begin.
    """
    with tempfile.TemporaryDirectory() as folder:
        run_virtual(
            _all_calls(Path(folder), calls, seed, _prices(dearer), slower_ms), timeout_s=86_400
        )
        folders = call_folders([Path(folder)], holding=SUMMARY)
        return compare_arms(figures([read_summary(each) for each in folders], by="arm"))


def _prices(dearer: Decimal) -> PriceBook:
    base = Rates(
        input_text=Decimal(4),
        cached_text=Decimal("0.4"),
        output_text=Decimal(24),
        input_audio=Decimal(32),
        cached_audio=Decimal("0.4"),
        output_audio=Decimal(64),
    )
    rates = {name: getattr(base, name) for name in base.__slots__}
    other = Rates(**{name: rate and rate * dearer for name, rate in rates.items()})
    return standard_prices().over({_NODES[_BASE]: base, _NODES[_OTHER]: other})


async def _all_calls(
    folder: Path, calls: int, seed: int, prices: PriceBook, slower_ms: float
) -> None:
    arms = [Arm(name=name, node=node) for name, node in _NODES.items()]
    router = Router(arms, clock=asyncio.get_running_loop().time, experiment=str(seed))
    for first in range(0, calls, _AT_ONCE):
        numbers = range(first, min(calls, first + _AT_ONCE))
        await asyncio.gather(
            *(
                _call(folder / str(number), number, router, seed, prices, slower_ms)
                for number in numbers
            )
        )


async def _call(
    folder: Path, number: int, router: Router, seed: int, prices: PriceBook, slower_ms: float
) -> None:
    chance = random.Random(f"{seed} {number}")
    choice = router.choose(CallRequest(key=f"caller {number}"))
    arm = choice.arm
    later_ms = slower_ms if arm.name == _OTHER else 0.0
    scenario, script = _drawn(chance, later_ms)
    fails = chance.random() < _FAILS

    @tool(acknowledge=None)
    async def look_up() -> str:
        """Look something up."""
        if fails:
            raise RuntimeError("it cannot be found")
        return "found"

    caller = ScriptedCaller(script)
    record = CallRecord.open(folder, details={"model": arm.node}, prices=prices)
    note_choice(record, choice)
    async with (
        OpenAIEmulator(ScriptedBackend(scenario)) as emulator,
        native_call(
            arm.node,
            transport=caller,
            record=record,
            # A transcript would cost both the same.
            config=SessionConfig(transcribe=False),
            tools=[look_up],
            tool_instruction=False,
            base_url=emulator.url,
            api_key="emulated",
        ) as call,
    ):
        await call.run(until=caller.hung_up())


def _drawn(chance: random.Random, later_ms: float) -> tuple[Scenario, Script]:
    """What is said in a call: one or two questions, at times a tool, at times an interruption."""

    def answer() -> Turn:
        words = " ".join(_ANSWER.split()[: chance.randint(4, 20)])
        think_ms = max(50.0, chance.gauss(_THINK_MS, _SPREAD_MS)) + later_ms
        return Turn(on=None, say=(f"{words}.",), think_ms=think_ms)

    turns, lines = [answer()], [demo_line("enough", AfterSilence(after_s=0.3))]
    if chance.random() < 0.5:
        asked = answer()
        asks = Call(name="look_up", arguments="{}")
        turns.append(replace(asked, on=Trigger.SPEECH, say=(), call=(asks,)))
        turns.append(answer())
        lines.append(demo_line("enough", WhenAnswered()))
    if chance.random() < 0.3:
        turns.append(answer())
        lines.append(demo_line("enough", IntoAnswer(after_s=chance.uniform(0.3, 0.8))))
    return Scenario(turns=tuple(turns)), Script(lines)


def tables(result: ArmsResult) -> Sequence[Table | str]:
    """The result for the terminal."""
    planted = f"{DEARER - 1:.0%} dearer and {SLOWER_MS:.0f} ms slower"
    shown: list[Table | str] = []
    for title, report in (
        (f"Planted: the second is {planted}", result.planted),
        ("Planted: nothing", result.alike),
    ):
        table = arms_table(report)
        table.title = title
        shown += [table, *findings(report), ""]
    return shown


def content(result: ArmsResult) -> dict[str, Any]:
    """The result for a file."""
    return {
        "planted": {"cost": float(DEARER - 1), "voice_to_voice_ms": SLOWER_MS},
        "held": result.held,
        "with": _content(result.planted),
        "without": _content(result.alike),
    }


def _content(report: ArmReport) -> dict[str, Any]:
    compared = {
        each.metric.name: {
            "found": each.found,
            "percent": None if each.percent is None else round(each.percent, 2),
            "difference": round(each.difference.absolute, 6),
            "low": round(each.difference.interval.low, 6),
            "high": round(each.difference.interval.high, 6),
            "p": round(each.p, 5),
        }
        for each in report.comparisons
    }
    return {"calls": dict(report.calls), "compared": compared}
