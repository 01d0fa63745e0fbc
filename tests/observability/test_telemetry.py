import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from crossfade.emulators.faults.script import Reset
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.observability import telemetry_names as names
from crossfade.observability.call import CallRecord
from crossfade.observability.telemetry import Telemetry, identity_of
from crossfade.observability.telemetry_prometheus import prometheus_metrics, serve_metrics
from crossfade.pipelines.native_call import native_call
from crossfade.processors.tools import tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.pipelines.calls import MODEL
from tests.pipelines.captures import question

DASHBOARD = Path(__file__).parents[2] / "docs/grafana-dashboard.json"


@tool
async def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    await asyncio.sleep(0.6)
    return "rain"


async def call(folder: Path, telemetry: Telemetry) -> None:
    """A caller asks for the weather; the provider's line dies once."""
    caller = ScriptedCaller(question())
    async with OpenAIEmulator(faults=[Reset(turn=1)]) as server:
        record = CallRecord.open(folder)
        telemetry.watch(record, identity_of(MODEL, "call_1"))
        async with native_call(
            MODEL,
            transport=caller,
            record=record,
            config=SessionConfig(),
            tools=[get_weather],
            base_url=server.url,
            api_key="emulated",
        ) as chain:
            await asyncio.wait_for(chain.run(until=caller.hung_up()), 120)


@dataclass
class Seen:
    """What was told of a call."""

    spans: tuple[ReadableSpan, ...]
    metrics: list[Metric]
    exposed: str
    """As Prometheus reads it."""


def seen(folder: Path, *, content: bool) -> Seen:
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    reader, registry = InMemoryMetricReader(), CollectorRegistry()
    prometheus, _ = prometheus_metrics(registry)
    meters = MeterProvider(metric_readers=[reader])
    for provider in (meters, prometheus):
        telemetry = Telemetry(tracer_provider=tracers, meter_provider=provider, content=content)
        spans.clear()
        run(call(folder, telemetry))
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    exposed = generate_latest(registry).decode()
    meters.shutdown()
    prometheus.shutdown()
    return Seen(spans.get_finished_spans(), list(scope.metrics), exposed)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return seen(tmp_path_factory.mktemp("call"), content=False)


@pytest.fixture(scope="module")
def spans(told: Seen) -> tuple[ReadableSpan, ...]:
    return told.spans


@pytest.fixture(scope="module")
def exposed(told: Seen) -> str:
    return told.exposed


def named(spans: tuple[ReadableSpan, ...], name: str) -> list[ReadableSpan]:
    return sorted(
        (span for span in spans if span.name == name), key=lambda span: span.start_time or 0
    )


def within(span: ReadableSpan, spans: tuple[ReadableSpan, ...]) -> str | None:
    """The name of its parent."""
    if span.parent is None:
        return None
    (parent,) = (one for one in spans if one.context and one.context.span_id == span.parent.span_id)
    assert (parent.start_time or 0) <= (span.start_time or 0)
    return parent.name


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_call_has_turns_and_these_have_hops(spans: tuple[ReadableSpan, ...]) -> None:
    (whole,) = named(spans, names.CALL)
    assert within(whole, spans) is None
    assert attributes(whole)[names.CONVERSATION_ID] == "call_1"
    turns = named(spans, names.TURN)
    assert [attributes(turn)[names.TURN_NUMBER] for turn in turns] == [1, 2]
    assert {within(turn, spans) for turn in turns} == {names.CALL}
    for name in (names.USER_SPEECH, names.VOICE_TO_VOICE, names.AGENT_SPEECH):
        assert named(spans, name), name
        assert {within(span, spans) for span in named(spans, name)} == {names.TURN}


def test_responses_and_tools_follow_the_conventions(spans: tuple[ReadableSpan, ...]) -> None:
    chats = named(spans, "chat gpt-realtime-2.1")
    assert chats
    told = attributes(chats[-1])
    assert told[names.OPERATION] == "chat"
    assert told[names.PROVIDER] == "openai"
    assert told[names.MODEL] == "gpt-realtime-2.1"
    assert told[names.OUTPUT_TOKENS] > 0
    (tool,) = named(spans, "execute_tool get_weather")
    assert attributes(tool)[names.OPERATION] == "execute_tool"
    assert attributes(tool)[names.TOOL_NAME] == "get_weather"
    assert tool.end_time is not None
    assert tool.start_time is not None
    assert (tool.end_time - tool.start_time) / 1e9 == pytest.approx(0.6, abs=0.05)


def test_what_happened_to_the_session_stands_at_the_call(spans: tuple[ReadableSpan, ...]) -> None:
    (whole,) = named(spans, names.CALL)
    assert [event.name for event in whole.events] == [names.SESSION_LOST, names.SESSION_CONTINUED]


def test_words_are_told_only_where_they_are_wanted(
    spans: tuple[ReadableSpan, ...], tmp_path: Path
) -> None:
    def words(spans: tuple[ReadableSpan, ...]) -> str:
        return "".join(span.to_json() for span in spans).lower()

    assert "tokyo" not in words(spans)
    with_content = seen(tmp_path, content=True).spans
    assert "what is the weather in tokyo" in words(with_content)
    (tool,) = named(with_content, "execute_tool get_weather")
    assert json.loads(attributes(tool)[names.TOOL_ARGUMENTS]) == {"city": "Tokyo"}


def test_histograms_have_the_buckets_that_are_named(told: Seen) -> None:
    points = {metric.name: metric.data.data_points for metric in told.metrics}
    bounds = {
        name: tuple(found[0].explicit_bounds)  # type: ignore[union-attr]
        for name, found in points.items()
        if name in names.HISTOGRAMS
    }
    assert bounds == {name: names.HISTOGRAMS[name].buckets for name in bounds}
    assert len(bounds) >= 7
    (active,) = points[names.ACTIVE.name]
    assert active.value == 0  # type: ignore[union-attr]


def test_all_that_prometheus_reads_is_named_in_one_module(exposed: str) -> None:
    read = set(re.findall(r"^# TYPE (\w+)", exposed, re.MULTILINE)) - {"target_info"}
    declared = {*names.HISTOGRAMS, *names.COUNTERS, names.ACTIVE.name}
    for name in read:
        assert any(name.startswith(each.replace(".", "_")) for each in declared), name
    assert "Tokyo" not in exposed


def expressions(value: Any) -> Iterator[str]:
    """All queries of a dashboard."""
    if isinstance(value, dict):
        yield from (text for key, text in value.items() if key == "expr")
        for inner in value.values():
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def test_the_dashboard_asks_for_metrics_that_there_are(exposed: str) -> None:
    series = set(re.findall(r"^(\w+)(?:\{|\s)", exposed, re.MULTILINE))
    # What no call of this test did.
    series |= {
        "crossfade_audio_lost_seconds_total",
        "crossfade_calls_unrecorded_total",
        "crossfade_interruption_duration_seconds_bucket",
    }
    labels = set(re.findall(r"(\w+)=\"", exposed)) | {"le", "error_type"}
    queries = list(expressions(json.loads(DASHBOARD.read_text())))
    assert len(queries) > 10
    for query in queries:
        wanted = set(re.findall(r"\b(?:crossfade|gen_ai)_\w+", query))
        used = set(re.findall(r"\b(?:by|without) \(([\w, ]*)\)", query))
        grouped = {label.strip() for group in used for label in group.split(",")}
        matched = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query))
        assert wanted - series - labels == set(), query
        assert wanted & series, query
        assert (grouped | matched) - {""} <= labels, query


@pytest.mark.realtime
def test_metrics_are_served_to_prometheus() -> None:
    meters, registry = prometheus_metrics()
    telemetry = Telemetry(tracer_provider=TracerProvider(), meter_provider=meters)
    telemetry._active.add(1)
    port = serve_metrics(registry, 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"crossfade_calls_active" in answer.read()
    meters.shutdown()


def test_nothing_of_it_is_loaded_where_it_is_not_asked_for() -> None:
    # pipecat itself loads OpenTelemetry where it is installed.
    loads = """
import crossfade.pipelines.serve_calls, sys
print(any("observability.telemetry" in name for name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", loads], capture_output=True, text=True, check=True, timeout=50
    )
    assert done.stdout.strip().endswith("False")
