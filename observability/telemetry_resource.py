"""What OpenTelemetry is told of the process."""

import os

from opentelemetry.sdk.resources import SERVICE_NAME, Resource


def own_resource() -> Resource:
    """The service is called crossfade, unless the standard variables name it otherwise."""
    named = os.environ.get("OTEL_SERVICE_NAME") or f"{SERVICE_NAME}=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource.create({} if named else {SERVICE_NAME: "crossfade"})


__all__ = ["own_resource"]
