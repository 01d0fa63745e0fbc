"""What went through all connections of a session."""

from dataclasses import replace

from crossfade.providers.connection import Statistics
from crossfade.providers.continuity.line import Line
from crossfade.providers.events import AudioLost, Event, Handover

# So much lost audio is told while no connection serves.
_TOLD_LOSS_MS = 1_000.0


class Counts:
    """Adds up what is counted, and gives what waits of the line that serves alone."""

    def __init__(self) -> None:
        self._lost_audio_ms = 0.0
        self._sent = 0
        self._received = 0
        self._dropped_ms = 0.0
        self._handovers = dict.fromkeys(Handover, 0)

    def lost(self, lost_ms: float, *, at_once: bool = False) -> list[Event]:
        """Give what of the user's audio was lost, and is to be told: a second and more at once.

        Args:
            lost_ms: All that no connection took in time, ever.
            at_once: Whether less is told, too.
        """
        untold_ms = lost_ms - self._lost_audio_ms
        if untold_ms <= 0.0 or (untold_ms < _TOLD_LOSS_MS and not at_once):
            return []
        self._lost_audio_ms = lost_ms
        return [AudioLost(lost_ms=untold_ms)]

    def handed_over(self, why: Handover) -> None:
        self._handovers[why] += 1

    def ended(self, line: Line) -> None:
        """A connection is given up; to be told once of each."""
        figures = line.connection.statistics()
        self._sent += figures.sent_messages
        self._received += figures.received_messages
        self._dropped_ms += figures.dropped_audio_ms

    def with_line(self, line: Line | None) -> Statistics:
        """Give all figures, with those of the line that serves."""
        now = _NOTHING if line is None else line.connection.statistics()
        count = self._handovers
        return replace(
            now,
            sent_messages=self._sent + now.sent_messages,
            received_messages=self._received + now.received_messages,
            dropped_audio_ms=self._dropped_ms + self._lost_audio_ms + now.dropped_audio_ms,
            reconnects=count[Handover.RECONNECT],
            rotations=count[Handover.ROTATION],
            failovers=count[Handover.FAILOVER] + count[Handover.RETURN],
        )


_NOTHING = Statistics(
    sent_messages=0,
    received_messages=0,
    waiting_messages=0,
    waiting_audio_ms=0.0,
    dropped_audio_ms=0.0,
    unread_bytes=0,
)

__all__ = ["Counts"]
