"""When a connection is to be replaced, though it is well."""

from dataclasses import dataclass

from crossfade.providers.continuity.settings import Continuity


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Times on the loop's clock; None is never."""

    look_s: float | None
    """From then on a quiet moment is looked for."""
    force_s: float | None
    """Then it is replaced in any state."""


# So long after one was replaced in time its successor is not, whatever end is foretold: a clock
# may be wrong.
SHORTEST_S = 30.0


def schedule(
    settings: Continuity,
    opened_s: float,
    ends_s: float | None,
    *,
    rotated_s: float | None = None,
) -> Schedule:
    """Plan the end of a connection.

    Args:
        settings: How long before the end, or after the beginning.
        opened_s: When it was opened.
        ends_s: When the provider will end it, as far as that is known.
        rotated_s: When it took the place of one that was well; None if it did not, or if its end
            is sure: the provider itself has told it to go, or no clock is in doubt.
    """
    looks = []
    if settings.rotate_after_s is not None:
        looks.append(opened_s + settings.rotate_after_s)
    if ends_s is None:
        return Schedule(look_s=min(looks, default=None), force_s=None)
    # One that lives shortly is not replaced at once.
    earliest_s = (opened_s + ends_s) / 2
    if rotated_s is not None:
        earliest_s = max(earliest_s, rotated_s + SHORTEST_S)
    looks.append(max(earliest_s, ends_s - settings.rotate_before_s))
    return Schedule(look_s=min(looks), force_s=max(earliest_s, ends_s - settings.force_before_s))


__all__ = ["SHORTEST_S", "Schedule", "schedule"]
