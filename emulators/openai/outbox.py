"""The events of a session on their way to its client."""

from collections.abc import Iterable

from ..line import Line
from ..message import Message, json_message
from .conversation import Event
from .identifiers import Identifiers


class Outbox:
    """Gives events their ids and sends them.

    Args:
        line: The session's line.
        identifiers: Makes the ids.
    """

    def __init__(self, line: Line, identifiers: Identifiers) -> None:
        self.line = line
        self._identifiers = identifiers

    def send(self, events: Iterable[Event | Message]) -> None:
        """Send events, which get their ids here, and messages that are encoded already."""
        self.line.send(*(self._message(event) for event in events))

    def _message(self, event: Event | Message) -> Message:
        if isinstance(event, Message):
            return event
        event["event_id"] = self._identifiers.new("event")
        return json_message(event["type"], event)
