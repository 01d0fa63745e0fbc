"""Metrics for Prometheus. Needs the extra `prometheus`."""

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, start_http_server

from crossfade.errors import SettingsError

from .telemetry_resource import own_resource


def prometheus_metrics(
    registry: CollectorRegistry | None = None,
) -> tuple[MeterProvider, CollectorRegistry]:
    """A meter provider whose metrics Prometheus reads from a registry.

    Args:
        registry: None is a new one.
    """
    registry = registry or CollectorRegistry()
    reader = PrometheusMetricReader(registry=registry, scope_info_enabled=False)
    return MeterProvider(metric_readers=[reader], resource=own_resource()), registry


def serve_metrics(registry: CollectorRegistry, port: int, host: str = "127.0.0.1") -> int:
    """Serve them at http://HOST:PORT/metrics, in a thread that ends with the process.

    Returns:
        The port, which 0 leaves to the system.

    Raises:
        SettingsError: The address cannot be listened on.
    """
    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise SettingsError(
            f"metrics cannot be served at {host}:{port} ({error.strerror}); name another port"
        ) from error
    return int(server.server_port)


__all__ = ["prometheus_metrics", "serve_metrics"]
