import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pipecat.frames.frames import MetricsFrame
from pipecat.metrics.metrics import (
    LLMTokenUsage,
    LLMUsageMetricsData,
    STTUsage,
    STTUsageMetricsData,
    TTFBMetricsData,
    TTSUsageMetricsData,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from crossfade.conversation.usage import Usage
from crossfade.frames.continuity import SessionContinuedFrame
from crossfade.frames.control import Frame, UserStoppedSpeakingFrame
from crossfade.frames.usage import usage_metrics
from crossfade.observability.call import EVENTS, CallRecord
from crossfade.observability.cost_log import reprice
from crossfade.observability.cost_meter import Budget, BudgetCrossed, OnBudget
from crossfade.observability.cost_view import calls_table, cost_table
from crossfade.observability.live_events import LiveEvent
from crossfade.observability.prices import PriceBook, Rates
from crossfade.observability.run_log import read_log
from crossfade.observability.summary import render_summary
from crossfade.observability.summary_file import read_summary
from crossfade.providers import Profile
from crossfade.providers.events import Handover
from tests.clock import run
from tests.observability.rendered import text_of

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs/event-log.schema.json").read_text())
)
MODEL = "gpt-realtime-2.1"
SPOKEN = Usage(input_audio_tokens=1000, cached_audio_tokens=500, output_audio_tokens=100)
SPOKEN_USD = Decimal("0.0226")
"""500 × 32 + 500 × 0.40 + 100 × 64 dollars for a million."""


async def push(record: CallRecord, frame: Frame) -> None:
    (observer,) = record.observers
    processor = FrameProcessor()
    await observer.on_push_frame(
        FramePushed(
            source=processor,
            destination=processor,
            frame=frame,
            direction=FrameDirection.DOWNSTREAM,
            timestamp=0,
        )
    )


def spoken(response_id: str, model: str = MODEL) -> MetricsFrame:
    return usage_metrics("node", model, SPOKEN, provider="openai", response_id=response_id)


def lines(record: CallRecord) -> list[dict[str, Any]]:
    logged = [json.loads(line) for line in (record.directory / EVENTS).read_text().splitlines()]
    for line in logged:
        SCHEMA.validate(line)
    return logged


def recorded(record: CallRecord, kind: str) -> list[dict[str, Any]]:
    told = [line for line in lines(record) if line["type"] == kind]
    return [
        {name: line[name] for name in line if name not in ("t", "dir", "type")} for line in told
    ]


async def cascade(record: CallRecord) -> None:
    """A turn of a cascade whose recogniser nobody knows the price of."""
    tokens = LLMTokenUsage(prompt_tokens=1000, completion_tokens=100, total_tokens=1100)
    await push(record, UserStoppedSpeakingFrame())
    await push(
        record,
        MetricsFrame(
            data=[
                STTUsageMetricsData(
                    processor="DeepgramSTTService#0",
                    model="nova-3",
                    value=STTUsage(audio_seconds=2.5),
                ),
                TTFBMetricsData(processor="DeepgramSTTService#0", value=0.1),
                LLMUsageMetricsData(processor="OpenAILLMService#0", model="gpt-4o", value=tokens),
                TTSUsageMetricsData(processor="OpenAITTSService#1", model="tts-1", value=200),
            ]
        ),
    )


def test_each_response_and_turn_has_its_cost(tmp_path: Path) -> None:
    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path)
        record.serves(f"openai:{MODEL}")
        await push(record, spoken("a"))
        await push(record, UserStoppedSpeakingFrame())
        await push(record, spoken("b"))
        await push(record, spoken("b"))
        await asyncio.sleep(60)
        record.close({})
        return record

    record = run(main())
    cost = record.summary().cost
    assert cost.usd == 3 * SPOKEN_USD
    assert cost.by_turn[0].usd == SPOKEN_USD
    assert cost.by_response["b"].usd == 2 * SPOKEN_USD
    assert record.summary().usage == SPOKEN + SPOKEN + SPOKEN
    *spoken_lines, session = recorded(record, "call.usage")
    assert spoken_lines[1] == {
        "service": "speech",
        "provider": "openai",
        "model": MODEL,
        "usage": {
            "input_audio_tokens": 1000,
            "cached_audio_tokens": 500,
            "output_audio_tokens": 100,
        },
        "response_id": "b",
        "turn": 1,
    }
    assert session == {
        "service": "session",
        "provider": "openai",
        "model": MODEL,
        "seconds": pytest.approx(60, abs=0.1),
    }
    (told,) = recorded(record, "call.cost")
    assert told == cost.to_dict()
    assert read_summary(tmp_path).cost.usd == pytest.approx(float(3 * SPOKEN_USD))
    assert "Cost $0.0678 ($0.0678 a minute)" in " ".join(
        text_of(render_summary(record.summary())).split()
    )


def test_a_cascade_is_counted_by_service_and_what_is_unpriced_is_named(tmp_path: Path) -> None:
    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path)
        await cascade(record)
        record.close({})
        return record

    record = run(main())
    cost = record.summary().cost
    assert [(line.service.value, line.model, line.usd) for line in cost.lines] == [
        ("stt", "deepgram:nova-3", None),
        ("llm", "openai:gpt-4o", Decimal("0.0025")),
        ("llm", "openai:gpt-4o", Decimal("0.001")),
        ("tts", "openai:tts-1", Decimal("0.003")),
    ]
    text = " ".join(text_of(render_summary(record.summary())).split())
    assert "Cost at least $0.0065 (unpriced: deepgram:nova-3)" in text
    assert "Cost of deepgram:nova-3 unpriced" in text
    assert not read_summary(tmp_path).cost.complete


def test_a_log_can_be_priced_again(tmp_path: Path) -> None:
    async def main() -> None:
        record = CallRecord.open(tmp_path)
        await cascade(record)
        record.close({})

    run(main())
    log = read_log(tmp_path / EVENTS)
    known = PriceBook({"deepgram": Rates(audio_hour=Decimal("0.36"))})
    again = reprice(log, known).cost
    assert again.complete
    assert again.usd == Decimal("0.0065") + Decimal("0.00025")
    text = text_of(cost_table("the call", again))
    assert "audio seconds" in text
    assert "$0.0068" in text
    both = text_of(calls_table({"one": again, "other": reprice(log, PriceBook()).cost}))
    assert "1 not wholly priced" in both


def test_who_is_paid_by_the_hour_is_paid_for_the_time_of_each_session(tmp_path: Path) -> None:
    prices = PriceBook({"moshi": Rates(audio_hour=Decimal(36))})

    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path, prices=prices)
        serving = ["moshi:"]
        record.follow(lambda: serving[-1])
        await asyncio.sleep(10)
        serving.append(f"openai:{MODEL}")
        profile = Profile(model=MODEL, input_rate_hz=24000, output_rate_hz=24000)
        await push(
            record,
            SessionContinuedFrame(
                why=Handover.FAILOVER,
                provider=f"openai:{MODEL}",
                session_id="s",
                profile=profile,
            ),
        )
        await asyncio.sleep(50)
        record.close({})
        return record

    record = run(main())
    assert record.summary().cost.usd == pytest.approx(Decimal("0.1"), abs=Decimal("0.001"))
    assert [line["provider"] for line in recorded(record, "call.usage")] == ["moshi", "openai"]


def test_a_budget_that_is_crossed_is_told_live_and_logged(tmp_path: Path) -> None:
    budgets = [
        Budget(usd=Decimal("0.03")),
        Budget(usd=Decimal("0.05"), then=OnBudget.DOWNGRADE),
        Budget(usd=Decimal(1), then=OnBudget.END),
    ]

    async def main() -> tuple[CallRecord, list[LiveEvent]]:
        told: list[LiveEvent] = []
        record = CallRecord.open(tmp_path, budgets=budgets)
        record.subscribe(told.append)
        for number in range(4):
            await push(record, spoken(str(number)))
        record.close({})
        return record, told

    record, told = run(main())
    crossed = [event for event in told if isinstance(event, BudgetCrossed)]
    assert [event.budget for event in crossed] == budgets[:2]
    assert [event.spent_usd for event in crossed] == [2 * SPOKEN_USD, 3 * SPOKEN_USD]
    assert recorded(record, "call.budget") == [
        {"usd": 0.03, "then": "warn", "spent_usd": pytest.approx(0.0452)},
        {"usd": 0.05, "then": "downgrade", "spent_usd": pytest.approx(0.0678)},
    ]
    assert not record.summary().errors


def test_a_budget_is_kept_while_nobody_speaks(tmp_path: Path) -> None:
    async def main() -> list[LiveEvent]:
        told: list[LiveEvent] = []
        record = CallRecord.open(
            tmp_path,
            prices=PriceBook({"moshi": Rates(audio_hour=Decimal(36))}),
            budgets=[Budget(usd=Decimal("0.05"))],
        )
        record.subscribe(told.append)
        record.serves("moshi:")
        for _ in range(400):
            await asyncio.sleep(0.02)
            record.caller_audio(bytes(640), 16_000)
        record.close({})
        return told

    (crossed,) = [event for event in run(main()) if isinstance(event, BudgetCrossed)]
    assert 5 <= crossed.at_s < 6.2


def test_a_budget_that_cannot_be_kept_is_an_error_once(tmp_path: Path) -> None:
    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path, budgets=[Budget(usd=Decimal(1))])
        await push(record, spoken("a", "gpt-of-tomorrow"))
        await push(record, spoken("b", "gpt-of-tomorrow"))
        record.close({})
        return record

    (error,) = run(main()).summary().errors
    assert "openai:gpt-of-tomorrow has no price" in error


@pytest.mark.parametrize("content", [True, False])
def test_the_arm_of_a_route_is_logged_and_kept_with_the_summary(
    tmp_path: Path, content: bool
) -> None:
    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path, content=content, details={"model": MODEL})
        record.routed("mini", "it alone of 2 takes the call", {"large": "its provider fails"})
        await push(record, spoken("a"))
        record.close({})
        return record

    record = run(main())
    assert recorded(record, "call.routed") == [
        {
            "arm": "mini",
            "reason": "it alone of 2 takes the call",
            "rejected": [{"arm": "large", "reason": "its provider fails"}],
        }
    ]
    assert read_summary(tmp_path).details == {"model": MODEL, "arm": "mini"}
    assert recorded(record, "call.usage")[0]["service"] == "speech"
    assert recorded(record, "call.cost")[0]["lines"][0]["kind"] == "input_audio"
