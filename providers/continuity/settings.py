"""How a session outlives its connections: what may be set."""

import math
from dataclasses import dataclass

from crossfade.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuity:
    """When a session reconnects, rotates and gives up. None of it costs anything on a good line.

    Raises:
        SettingsError: A number is none, too small, or does not fit another one.
    """

    attempts: int = 10
    """So many attempts to connect in a row may fail. Counted anew after `healthy_s` of service."""
    first_delay_s: float = 0.25
    """The first attempt is made at once; the second waits up to so long, each later one up to
    twice as long as the one before."""
    longest_delay_s: float = 8.0
    healthy_s: float = 30.0
    keep_s: float = 120.0
    """So much of the user's audio is kept for a new connection."""
    preroll_s: float = 2.0
    """So much is kept while nobody seems to speak."""
    silent_s: float = 6.0
    """A provider that tells nothing for so long, though it should, is taken for dead."""
    rotate_after_s: float | None = None
    """Begin to look for a moment to rotate after so long, also where the provider allows more."""
    rotate_before_s: float = 60.0
    """Begin to look for a moment to rotate so long before the provider ends the session."""
    force_before_s: float = 10.0
    """Rotate so long before that end, in whatever state the conversation is."""
    quiet_s: float = 0.3
    """Nobody must have spoken for so long, for the moment to be quiet."""
    seed_tokens: int = 12_000
    """A new session is told the conversation up to so many tokens, the latest part."""
    context_tokens: int | None = None
    """A conversation that is longer is summarised, and the session rotates onto the summary:
    in a call of `native_call`. A session by itself has nobody to write one, and passes it over."""
    return_after_s: float = 60.0
    """A provider earlier in the route is tried again after so long."""
    seed: int | None = None
    """Of the chance in the waits, for calls that are to repeat exactly."""

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None and name in _MAY_BE_NONE:
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not least <= value < math.inf:
                raise SettingsError(
                    f"Continuity.{name} is {value!r}; it must be a number, {least:g} or more."
                )
        for larger, smaller in _ORDER:
            if getattr(self, larger) < getattr(self, smaller):
                raise SettingsError(
                    f"Continuity.{larger} is {getattr(self, larger):g}, less than {smaller}, "
                    f"which is {getattr(self, smaller):g}. It must be as much or more."
                )


_LEAST = {
    "attempts": 1,
    "first_delay_s": 0,
    "longest_delay_s": 0,
    "healthy_s": 0,
    "keep_s": 1,
    "preroll_s": 0,
    "silent_s": 1,
    "rotate_after_s": 1,
    "rotate_before_s": 0,
    "force_before_s": 0,
    "quiet_s": 0,
    "seed_tokens": 1,
    "context_tokens": 1,
    "return_after_s": 1,
    "seed": 0,
}
_MAY_BE_NONE = ("rotate_after_s", "context_tokens", "seed")
_ORDER = (
    ("longest_delay_s", "first_delay_s"),
    ("keep_s", "preroll_s"),
    ("rotate_before_s", "force_before_s"),
)


__all__ = ["Continuity"]
