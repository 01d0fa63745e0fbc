import dataclasses
import io
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from crossfade.conversation.usage import Usage
from crossfade.observability.call_summary import CallSummary, ToolSummary, median, summarise
from crossfade.observability.cost import CallCost, CostLine
from crossfade.observability.cost_use import Kind, Service
from crossfade.observability.sound_spans import Span
from crossfade.observability.summary import render_summary
from crossfade.observability.summary_file import summary_json
from crossfade.observability.tally import SessionChange, Tally, ToolTimes
from crossfade.observability.turns import TurnMeter

SUMMARY: dict[str, Any] = {
    "duration_s": 61.25,
    "user_turns": 3,
    "responses": 4,
    "interruptions": 1,
    "tools": (
        ToolSummary(name="weather", duration_ms=1503.2, acknowledged_ms=820.0, is_error=False),
        ToolSummary(name="book", duration_ms=None, acknowledged_ms=None, is_error=False),
    ),
    "voice_to_voice_ms": (700.0, 650.0, 900.0),
    "barge_in_ms": (240.0,),
    "ttfb_ms": (120.0, 130.0),
    "ttlb_ms": (),
    "usage": Usage(input_audio_tokens=100, input_text_tokens=20, output_audio_tokens=7),
    "errors": ("the provider refused a request",),
    "dropped": {"log lines": 2},
}


def rendered(**changes: Any) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(render_summary(CallSummary(**(SUMMARY | changes))))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_summary_tells_what_was_measured() -> None:
    text = rendered()
    for told in (
        "61.2 s",
        "700 ms median, 900 ms at most",
        "each turn: 700, 650, 900 ms",
        "240 ms",
        "not measured",
        "answered after 1503 ms, acknowledged after 820 ms",
        "not answered",
        "120 (100 audio, 20 text; 0 of them cached)",
        "Error: the provider refused a request",
        "Dropped log lines",
    ):
        assert told in text


def test_the_summary_tells_how_the_call_outlived_its_sessions() -> None:
    changes = tuple(
        SessionChange(at_s=1.0, why=why, provider="openai:m", gap_ms=gap_ms)
        for why, gap_ms in (("rotation", 0.0), ("rotation", 2.0), ("reconnect", 81.0))
    )
    text = " ".join(rendered(session_changes=changes, lost_audio_ms=150.0).split())
    assert "rotation 2×, reconnect 1×; 81 ms without one at most" in text
    assert "User audio lost 150 ms" in text
    assert "took over" not in rendered()


def priced(**usd: Decimal | None) -> CallCost:
    lines = [
        CostLine(service=Service.LLM, model=model, kind=Kind.OUTPUT_TEXT, quantity=1, usd=price)
        for model, price in usd.items()
    ]
    return CallCost(lines=tuple(lines))


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        (priced(known=Decimal("0.049")), "Cost $0.0490 ($0.0480 a minute)"),
        (priced(new=None), "Cost unpriced: new"),
        (priced(known=Decimal("0.049"), new=None), "Cost at least $0.0490 (unpriced: new)"),
        (priced(local=Decimal(0)), "Cost nothing: all of it ran here"),
    ],
)
def test_the_summary_tells_what_has_a_price_and_what_has_none(cost: CallCost, told: str) -> None:
    assert told in " ".join(rendered(cost=cost).split())
    assert "Cost" not in rendered()


def test_the_summary_fits_80_columns() -> None:
    text = rendered(voice_to_voice_ms=tuple(float(ms) for ms in range(700, 740)))
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_file_holds_the_fields_of_the_summary() -> None:
    told = CallSummary(**SUMMARY)
    content = summary_json(told, started_at="then", details={"model": "m"})
    expected = {**dataclasses.asdict(told), "cost": told.cost.to_dict()}
    assert content == {"version": 1, "started_at": "then", "details": {"model": "m"}, **expected}


def test_the_median_of_nothing_is_nothing() -> None:
    assert median(()) is None
    assert median((3.0, 1.0, 2.0)) == 2


def heard(caller: list[tuple[float, float]], agent: list[tuple[float, float]]) -> TurnMeter:
    meter = TurnMeter()
    for side, edges in ((meter.caller, caller), (meter.agent, agent)):
        side.spans.extend(Span(start_s=start_s, end_s=end_s) for start_s, end_s in edges)
    return meter


def test_a_barge_in_counts_only_where_it_led_to_an_interruption() -> None:
    meter = heard(caller=[(1.5, 1.6), (6, 7)], agent=[(1, 3), (5, 6.25)])
    tally = Tally()
    tally.interruptions_s.append(6.2)
    summary = summarise(tally, meter.turns(10), duration_s=10, dropped={})
    assert summary.barge_in_ms == (250,)


def test_an_acknowledgement_counts_from_the_call_to_the_agents_first_sound() -> None:
    meter = heard(caller=[], agent=[(0, 1), (3, 4)])
    tally = Tally()
    tally.tools["c"] = ToolTimes(call_id="c", name="weather", called_s=2, acknowledge_s=2.5)
    (tool,) = summarise(tally, meter.turns(10), duration_s=10, dropped={}).tools
    assert (tool.acknowledged_ms, tool.duration_ms) == (1000, None)
