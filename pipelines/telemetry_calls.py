"""Tells OpenTelemetry of the calls of a server, and Prometheus of what it was told."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from crossfade.errors import SettingsError

if TYPE_CHECKING:
    from crossfade.observability.call import CallRecord

Watch = Callable[["CallRecord", str], None]
"""Told of each call's record, and the call's name, when it begins."""


def watch_nothing(record: "CallRecord", call_id: str) -> None:
    """Telemetry is off, and nothing of it is loaded."""


def watch_for_prometheus(spec: str) -> tuple[Watch, Callable[[], str]]:
    """Measure calls. There are traces if the process has a tracer provider, as
    `opentelemetry-instrument` sets one up.

    Args:
        spec: Whom the calls talk to, PROVIDER:MODEL.

    Returns:
        What is to be told of calls, and what gives the metrics in Prometheus's words.

    Raises:
        SettingsError: The extra is not installed.
    """
    try:
        from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider
        from prometheus_client import generate_latest

        from crossfade.observability.telemetry import Telemetry, identity_of
        from crossfade.observability.telemetry_prometheus import prometheus_metrics
    except ImportError as error:
        raise SettingsError(
            f"metrics need {error.name}; run: pip install 'crossfade[prometheus]'"
        ) from error
    meters, registry = prometheus_metrics()
    traces = not isinstance(get_tracer_provider(), ProxyTracerProvider)
    telemetry = Telemetry(meter_provider=meters, traces=traces)
    return (
        lambda record, call_id: telemetry.watch(record, identity_of(spec, call_id)),
        lambda: generate_latest(registry).decode(),
    )


__all__ = ["Watch", "watch_for_prometheus", "watch_nothing"]
