"""Traces and metrics of a command's call, at a collector of this machine."""

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.pipelines.telemetry_calls import watch_nothing
from crossfade.pipelines.telemetry_export import telemetry_export
from tests.clock import run

SAYS = Path(__file__).parents[2] / "examples" / "audio"


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what is sent to it."""

    came: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody wants to read it."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes]]]:
    Collector.came = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://planted-user:planted-key@127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        yield Collector.came
        server.shutdown()
        thread.join()


@pytest.mark.realtime
def test_a_call_of_a_command_is_told_to_the_collector_that_the_environment_names(
    collector: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    said = next(SAYS.glob("greeting*"))
    arguments = ["native", "--input", str(said), "--provider", "emulator", "--runs", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "Traces and metrics go to 127.0.0.1:" in result.output
    assert "planted" not in result.output
    spans, metrics, services = set(), set(), set()
    for path, body in collector:
        if path == "/v1/traces":
            for told in ExportTraceServiceRequest.FromString(body).resource_spans:
                services |= {a.value.string_value for a in told.resource.attributes}
                spans |= {span.name for scope in told.scope_spans for span in scope.spans}
        else:
            assert path == "/v1/metrics"
            for sent in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                metrics |= {each.name for scope in sent.scope_metrics for each in scope.metrics}
    assert {"call", "turn", "user speech", "agent speech"} <= spans
    assert {"crossfade.calls", "crossfade.call.duration"} <= metrics
    assert "crossfade" in services


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "http/protobuf or grpc"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "pip install opentelemetry-exporter-otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no"),
    ],
)
def test_what_cannot_be_used_is_told_in_words(
    variables: dict[str, str], told: str, tmp_path: Path
) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", **variables}
    arguments = ["cascaded", "--demo", "--runs", str(tmp_path)]
    result = CliRunner().invoke(app, arguments, env=variables)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("disabled", [True, False])
def test_without_the_variables_nothing_is_told(
    disabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    if disabled:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    async def scenario() -> None:
        async with telemetry_export("openai:m", pytest.fail) as watch:
            assert watch is watch_nothing

    run(scenario())
