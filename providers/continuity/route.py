"""The providers that may serve a session, in the order of preference."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crossfade.providers.api_key import ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One provider of a route: what `connect` takes to reach it."""

    spec: str
    """PROVIDER:MODEL."""
    base_url: str | None = field(default=None, repr=False)
    api_key: ApiKey | None = field(default=None, repr=False)
    dialect: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of SessionConfig that differ here, such as the voice."""


__all__ = ["Endpoint"]
