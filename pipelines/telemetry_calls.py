"""Tells OpenTelemetry of the calls of a server, where that is wanted."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from crossfade.errors import SettingsError

if TYPE_CHECKING:
    from crossfade.observability.call import CallRecord

Watch = Callable[["CallRecord", str], None]
"""Told of each call's record, and the call's name, when it begins."""


def watch_nothing(record: "CallRecord", call_id: str) -> None:
    """Telemetry is off, and nothing of it is loaded."""


def metrics_for_prometheus(port: int, spec: str, announce: Callable[[str], None]) -> Watch:
    """Serve metrics on this machine; traces go to the process's own tracer provider.

    Args:
        port: Where; 0 is any free one.
        spec: Whom the calls talk to, PROVIDER:MODEL.
        announce: Told in one line where.

    Raises:
        SettingsError: The extra is not installed, or the port is taken.
    """
    try:
        from crossfade.observability.telemetry import Telemetry, identity_of
        from crossfade.observability.telemetry_prometheus import prometheus_metrics, serve_metrics
    except ImportError as error:
        raise SettingsError(
            f"metrics need {error.name}; run: pip install 'crossfade[prometheus]'"
        ) from error
    meters, registry = prometheus_metrics()
    served_at = serve_metrics(registry, port)
    announce(f"metrics at http://127.0.0.1:{served_at}/metrics")
    telemetry = Telemetry(meter_provider=meters)
    return lambda record, call_id: telemetry.watch(record, identity_of(spec, call_id))


__all__ = ["Watch", "metrics_for_prometheus", "watch_nothing"]
