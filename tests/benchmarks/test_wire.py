"""The wire benchmark measures, counts what it was to count, and keeps what it found."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossfade.benchmarks import wire
from crossfade.benchmarks.wire_server import ANSWER_MESSAGES, gemini_answer, openai_answer
from crossfade.providers.config import SessionConfig
from crossfade.providers.events import AudioChunk, Event, ResponseDone
from crossfade.providers.gemini_live import GeminiLiveProtocol
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from crossfade.providers.protocol import WireProtocol

RESULT = wire.WireResult(
    costs=[
        wire.Cost(wire="openai", client="floor", down_ms=10, up_ms=8, down_ratio=1, up_ratio=1),
        wire.Cost(wire="openai", client="us", down_ms=12, up_ms=10, down_ratio=1.2, up_ratio=1.25),
    ],
    missing=["livekit"],
    rounds=3,
)


def understood(protocol: WireProtocol, messages: Sequence[str]) -> list[Event]:
    protocol.start(SessionConfig())
    return [event for message in messages for event in protocol.receive(message)]


@pytest.mark.parametrize(
    ("protocol", "messages"),
    [
        (OpenAIRealtimeProtocol("gpt-realtime-2.1"), list(openai_answer(1))),
        (GeminiLiveProtocol("gemini-3.8-live"), ['{"setupComplete":{}}', *gemini_answer()]),
    ],
    ids=["openai", "gemini"],
)
def test_what_the_service_streams_is_an_answer(
    protocol: WireProtocol, messages: Sequence[str]
) -> None:
    events = understood(protocol, messages)
    assert sum(isinstance(event, AudioChunk) for event in events) == ANSWER_MESSAGES
    assert isinstance(events[-1], ResponseDone)


@pytest.mark.realtime
def test_floor_and_session_are_measured_on_each_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PEERS", {})
    result = wire.measure(rounds=1)
    assert [(cost.wire, cost.client) for cost in result.costs] == [
        ("openai", "floor"),
        ("openai", "crossfade"),
        ("gemini", "floor"),
        ("gemini", "crossfade"),
    ]
    assert all(cost.down_ms > 0 and cost.up_ms > 0 for cost in result.costs)
    assert {(cost.down_ratio, cost.up_ratio) for cost in result.costs[::2]} == {(1.0, 1.0)}


def test_ratios_tell_how_many_of_ours_another_session_costs() -> None:
    def cost(wire_name: str, client: str, down: float, up: float) -> wire.Cost:
        return wire.Cost(
            wire=wire_name, client=client, down_ms=1, up_ms=1, down_ratio=down, up_ratio=up
        )

    costs = [
        cost("openai", "floor", 1, 1),
        cost("openai", "crossfade", 1.5, 1.25),
        cost("openai", "pipecat", 6, 10),
        cost("gemini", "google-genai", 5, 4),
    ]
    result = wire.WireResult(costs=costs, missing=[], rounds=1)
    found = {"openai_pipecat_down": 4.0, "openai_pipecat_up": 8.0}
    assert wire.content(result)["ratios"] == wire.ratios(result) == found


def test_the_result_is_dated_json(tmp_path: Path) -> None:
    path = wire.write_result(RESULT, tmp_path, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert path.name == "wire-2026-01-02T03-04-05Z.json"
    content = json.loads(path.read_text())
    assert (content["goal_ratio"], content["goal_down_ms"], content["goal_up_ms"]) == (1.5, 15, 40)
    assert content["costs"][1]["down_ratio"] == 1.2
    assert content["version"]
