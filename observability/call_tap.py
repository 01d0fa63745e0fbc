"""Where the record of a call hears its wire."""

from crossfade.providers.tap import WireDirection

from .event_log import EventLog
from .latency_budget import LatencyWatch
from .tally import Tally


class CallTap:
    """Listens to the wire for the log, and for the first sound of each response."""

    def __init__(self, log: EventLog, tally: Tally, latency: LatencyWatch) -> None:
        self._log = log
        self._tally = tally
        self._latency = latency
        self._heard = ""
        """The response whose sound came last."""

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        audio = self._log.read(direction, message)
        if audio is None or direction is not WireDirection.RECEIVED:
            return
        known = audio.response_id == self._heard
        if not known and self._tally.audio_received(audio.response_id, self._log.now_s):
            self._heard = audio.response_id
            self._latency.first_byte(self._log.now_s)


__all__ = ["CallTap"]
