"""Who serves a session now, for logs and for those who take the call over."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    provider: str
    """As in `connect`: PROVIDER:MODEL."""
    session_id: str
    """As the provider calls it; empty where it has no names."""
    handle: str = field(repr=False)
    """What a later connection can take the session up with, as it was told last; empty if nothing
    can."""
    expires_at: float | None
    """Unix time at which the provider will end it, where it says so."""


__all__ = ["Serving"]
