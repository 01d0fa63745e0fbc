"""Traces and metrics for an OpenTelemetry collector, by OTLP. Needs an exporter of OpenTelemetry's.

Where it is, and how it is spoken to, say the standard variables, which the exporters read:
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import importlib
import os
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from crossfade.errors import SettingsError

from .telemetry_resource import own_resource

_PACKAGES = {"http/protobuf": "http", "grpc": "grpc"}


def otlp_traces() -> TracerProvider:
    """A tracer provider that sends spans in batches; `shutdown` sends what is left.

    Raises:
        SettingsError: There is no exporter for the protocol, or a variable cannot be used.
    """
    provider = TracerProvider(resource=own_resource())
    provider.add_span_processor(
        BatchSpanProcessor(_exporter("TRACES", "trace", "OTLPSpanExporter"))
    )
    return provider


def otlp_metrics() -> MeterProvider:
    """A meter provider that sends metrics every minute; `shutdown` sends the last ones.

    Raises:
        SettingsError: As `otlp_traces`.
    """
    exporter = _exporter("METRICS", "metric", "OTLPMetricExporter")
    reader = PeriodicExportingMetricReader(exporter)
    return MeterProvider(metric_readers=[reader], resource=own_resource())


def _exporter(signal: str, module: str, name: str) -> Any:
    variable, protocol = _variable(signal, "PROTOCOL", "http/protobuf")
    package = _PACKAGES.get(protocol)
    if package is None:
        raise SettingsError(
            f"{variable} is {protocol!r}, which is not spoken here; set it to "
            f"{' or '.join(_PACKAGES)}"
        )
    variable, address = _variable(signal, "ENDPOINT", "http://localhost")
    parts = urlsplit(address)
    bare = package == "grpc" and "://" not in address
    if not bare and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise SettingsError(
            f"{variable} is no address of a collector; set it to one such as http://localhost:4318"
        )
    try:
        found = importlib.import_module(
            f"opentelemetry.exporter.otlp.proto.{package}.{module}_exporter"
        )
    except ImportError as error:
        wanted = f"opentelemetry-exporter-otlp-proto-{package}"
        raise SettingsError(
            f"telemetry by OTLP needs {wanted}; run: pip install {wanted}; or unset the variables "
            "OTEL_EXPORTER_OTLP_*"
        ) from error
    return getattr(found, name)()


def _variable(signal: str, what: str, usual: str) -> tuple[str, str]:
    """The variable of a signal, or of all of them, and its value."""
    name = f"OTEL_EXPORTER_OTLP_{signal}_{what}"
    if not os.environ.get(name):
        name = f"OTEL_EXPORTER_OTLP_{what}"
    return name, os.environ.get(name) or usual


__all__ = ["otlp_metrics", "otlp_traces"]
