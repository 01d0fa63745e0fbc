"""Which of the service's endpoints a client came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint."""

    vertex: bool = False
    version: str = "v1beta"
