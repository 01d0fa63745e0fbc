"""Cost against an oracle: the emulators' own token counts, as they stand on the wire, times the
published prices, by arithmetic of its own."""

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.gemini import Timing as GeminiTiming
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.openai import Timing as OpenAITiming
from crossfade.frames.control import MetricsFrame
from crossfade.frames.usage import transcription_metrics, usage_metrics
from crossfade.observability.cost_frames import uses_of
from crossfade.observability.cost_meter import CostMeter
from crossfade.observability.prices_file import standard_prices
from crossfade.pipelines.assembly import prepare
from crossfade.pipelines.demo import demo_script
from crossfade.providers import SessionConfig, TurnDetection, connect
from crossfade.providers.events import Event, LateUsage, ResponseDone, TranscriptionUsed
from crossfade.providers.session import RealtimeSession
from crossfade.providers.tap import WireDirection
from tests.clock import run
from tests.pipelines.calls import GEMINI, MODEL, make_call

CALLS = 100
CENT = Fraction(1, 100)
Json = dict[str, Any]


def openai_micros(message: Json) -> Fraction:
    """Millionths of a dollar for a response of gpt-realtime-2.1, or a transcript."""
    if message.get("type") == "conversation.item.input_audio_transcription.completed":
        # gpt-realtime-whisper, 1.7 cents a minute.
        return Fraction(message["usage"]["seconds"]) * 17_000 / 60
    if message.get("type") != "response.done":
        return Fraction(0)
    usage = message["response"]["usage"]
    given, made = usage["input_token_details"], usage["output_token_details"]
    cached = given["cached_tokens_details"]
    micros: Fraction = (
        (given["text_tokens"] - cached["text_tokens"]) * Fraction(4)
        + (given["audio_tokens"] - cached["audio_tokens"]) * Fraction(32)
        + (given["image_tokens"] - cached["image_tokens"]) * Fraction(5)
        + (cached["text_tokens"] + cached["audio_tokens"]) * Fraction(4, 10)
        + cached["image_tokens"] * Fraction(1, 2)
        + made["text_tokens"] * Fraction(24)
        + made["audio_tokens"] * Fraction(64)
    )
    return micros


def gemini_micros(message: Json) -> Fraction:
    """Millionths of a dollar for a turn of gemini-3.8-live."""
    usage = message.get("usageMetadata")
    if usage is None:
        return Fraction(0)
    given = {each["modality"]: each["tokenCount"] for each in usage["promptTokensDetails"]}
    made = {each["modality"]: each["tokenCount"] for each in usage["responseTokensDetails"]}
    # What has no modality is paid for as text, and so are thoughts, which stand beside the sum.
    text = usage["promptTokenCount"] - given.get("AUDIO", 0) - given.get("IMAGE", 0)
    words = usage["responseTokenCount"] - made.get("AUDIO", 0) + usage.get("thoughtsTokenCount", 0)
    micros: Fraction = (
        text * Fraction(3, 4)
        + given.get("AUDIO", 0) * Fraction(3)
        + given.get("IMAGE", 0) * Fraction(1)
        + words * Fraction(9, 2)
        + made.get("AUDIO", 0) * Fraction(12)
    )
    return micros


class Oracle:
    """Listens to the wire and adds up what is billed there."""

    def __init__(self, micros: Callable[[Json], Fraction]) -> None:
        self._micros = micros
        self.usd = Fraction(0)
        self.billed = 0

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        if direction is WireDirection.RECEIVED:
            cost = self._micros(json.loads(message))
            self.usd += cost / 1_000_000
            self.billed += cost > 0


def emulator(spec: str, chance: random.Random) -> OpenAIEmulator | GeminiEmulator:
    answers = [
        Turn(on=None, say=(" ".join(["word"] * chance.randint(1, 12)),), think_ms=10)
        for _ in range(4)
    ]
    backend = ScriptedBackend(Scenario(turns=tuple(answers), repeat=True))
    if spec == MODEL:
        return OpenAIEmulator(backend, timing=OpenAITiming(speed=inf))
    return GeminiEmulator(backend, timing=GeminiTiming(speed=inf, await_playback=False))


def voice(rate_hz: int, seconds: float) -> bytes:
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    return (9000 * np.sin(2 * np.pi * 300 * times)).astype("<i2").tobytes()


def metrics(event: Event, session: RealtimeSession) -> MetricsFrame | None:
    """What the speech node would tell of the event."""
    provider, model = session.serving.provider.partition(":")[0], session.profile.model
    match event:
        case TranscriptionUsed():
            seconds = event.seconds
            return transcription_metrics(
                "node", event.model, event.usage, seconds=seconds, provider=provider
            )
        case ResponseDone() | LateUsage() if event.usage is not None:
            name = event.response_id
            return usage_metrics("node", model, event.usage, provider=provider, response_id=name)
    return None


async def talk(session: RealtimeSession, chance: random.Random, costs: CostMeter) -> None:
    """A few turns, spoken or written."""
    events = aiter(session)
    for _ in range(chance.randint(1, 4)):
        if chance.random() < 0.5:
            await session.send_text("x" * chance.randint(1, 200), respond=True)
        else:
            await session.start_turn()
            await session.send_audio(voice(session.input_rate_hz, chance.uniform(0.2, 1.5)))
            await session.end_turn()
        ended = False
        with contextlib.suppress(TimeoutError):
            while True:
                # What is told late comes within a moment of the end.
                event = await asyncio.wait_for(anext(events), 1 if ended else 60)
                if (frame := metrics(event, session)) is not None:
                    for use in uses_of(frame, turn=0):
                        costs.add(use, 0.0)
                ended = ended or isinstance(event, ResponseDone)


@pytest.mark.parametrize(("spec", "micros"), [(MODEL, openai_micros), (GEMINI, gemini_micros)])
def test_a_hundred_calls_cost_what_their_wires_billed(
    spec: str, micros: Callable[[Json], Fraction]
) -> None:
    async def main() -> tuple[Fraction, list[tuple[Decimal | None, Oracle]]]:
        made = []
        for number in range(CALLS):
            chance = random.Random(number)
            oracle = Oracle(micros)
            costs = CostMeter(standard_prices(), started_at=datetime(2026, 11, 21, tzinfo=UTC))
            config = SessionConfig(
                instructions="y" * chance.randint(0, 400), turn_detection=TurnDetection.CALLER
            )
            async with (
                emulator(spec, chance) as server,
                connect(
                    spec, config, base_url=server.url, api_key="emulated", tap=oracle
                ) as session,
            ):
                await talk(session, chance, costs)
            made.append((costs.cost(0.0).usd, oracle))
        return sum((oracle.usd for _, oracle in made), Fraction(0)), made

    whole, made = run(main())
    assert len(made) == CALLS
    for usd, oracle in made:
        assert oracle.billed
        assert usd is not None
        assert abs(Fraction(usd) - oracle.usd) < CENT
    assert abs(sum(Fraction(usd or 0) for usd, _ in made) - whole) < CENT
    # It is not only to the cent.
    assert all(abs(Fraction(usd or 0) - oracle.usd) < CENT / 1_000_000 for usd, oracle in made)


def test_a_whole_call_with_a_tool_and_an_interruption_costs_what_its_wire_billed(
    tmp_path: Path,
) -> None:
    prepare()
    made = run(make_call(tmp_path, demo_script()))
    billed = [
        openai_micros({"type": line["type"], **line["body"]})
        for line in made.log
        if line["dir"] == "in" and "body" in line
    ]
    cost = made.summary.cost
    assert len(cost.by_response) == sum(line["type"] == "response.done" for line in made.log)
    assert {line.service.value for line in cost.lines} == {"speech", "transcription"}
    assert cost.usd is not None
    assert abs(Fraction(cost.usd) - sum(billed, Fraction(0)) / 1_000_000) < CENT / 1_000_000
