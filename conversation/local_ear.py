"""When the user was heard to speak, for turns that a provider tells by their words alone."""

from dataclasses import dataclass

from crossfade.conversation.naming import one_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of the user's speech, with short pauses."""

    started_at_s: float
    stopped_at_s: float | None = None
    """None while he speaks."""


class LocalEar:
    """Keeps the last stretch of speech until it is known to be a turn."""

    def __init__(self) -> None:
        self._heard: Stretch | None = None
        self._before: Stretch | None = None

    def started(self, at_s: float) -> None:
        """Speech began."""
        self._before = before = self._heard
        if before is None or not one_turn(before.stopped_at_s, at_s):
            self._heard = Stretch(started_at_s=at_s)
        else:
            self._heard = Stretch(started_at_s=before.started_at_s)

    def stopped(self, at_s: float) -> None:
        """Speech ended."""
        if self._heard is not None and self._heard.stopped_at_s is None:
            self._heard = Stretch(started_at_s=self._heard.started_at_s, stopped_at_s=at_s)

    def dropped(self) -> None:
        """What began last was no speech."""
        self._heard = self._before

    def take(self) -> Stretch | None:
        """Give the last stretch of speech, once: it is a turn now."""
        heard, self._heard, self._before = self._heard, None, None
        return heard


__all__ = ["LocalEar", "Stretch"]
