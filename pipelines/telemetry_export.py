"""Sends traces and metrics of calls to the OpenTelemetry collector that the environment names."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

from crossfade.errors import SettingsError

from .telemetry_calls import Watch, watch_nothing

ENDPOINT_VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)


@contextlib.asynccontextmanager
async def telemetry_export(spec: str, announce: Callable[[str], None]) -> AsyncIterator[Watch]:
    """Tell a collector of calls by OTLP where one of the standard variables gives its address.

    Where the process has providers of its own, as under `opentelemetry-instrument`, which reads
    the same variables, they are told, and send. At the end what is left is sent, for which a
    collector that does not answer is waited for as long as the exporter does, usually 10 s.

    Args:
        spec: Whom the calls talk to, PROVIDER:MODEL.
        announce: Told in one line where it goes.

    Raises:
        SettingsError: Something is not installed, or a variable cannot be used.
    """
    if (collector := _collector()) is None:
        yield watch_nothing
        return
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.trace import TracerProvider

        from crossfade.observability.telemetry import Telemetry, identity_of
        from crossfade.observability.telemetry_otlp import otlp_metrics, otlp_traces
    except ImportError as error:
        raise SettingsError(
            f"telemetry needs {error.name}; run: pip install 'crossfade[telemetry]'"
        ) from error
    traced = isinstance(trace.get_tracer_provider(), TracerProvider)
    metered = isinstance(metrics.get_meter_provider(), MeterProvider)
    tracers = None if traced else otlp_traces()
    meters = None if metered else otlp_metrics()
    telemetry = Telemetry(tracer_provider=tracers, meter_provider=meters)
    announce(f"Traces and metrics go to {collector}.")
    try:
        yield lambda record, call_id: telemetry.watch(record, identity_of(spec, call_id))
    finally:
        for provider in (tracers, meters):
            if provider is not None:
                await asyncio.to_thread(provider.shutdown)


def _collector() -> str | None:
    """Host and port of the collector, if there is to be one.

    Raises:
        SettingsError: The address is none.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    name = next((name for name in ENDPOINT_VARIABLES if os.environ.get(name)), None)
    if name is None:
        return None
    given = os.environ[name]
    try:
        parts = urlsplit(given if "://" in given else f"//{given}")
    except ValueError:
        # What was found wrong is part of the address, which may hold a key.
        raise SettingsError(
            f"{name} is no address of a collector; set it to one such as http://localhost:4318"
        ) from None
    return parts.netloc.rpartition("@")[2]


__all__ = ["ENDPOINT_VARIABLES", "telemetry_export"]
