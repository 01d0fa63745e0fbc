"""The events of a session on their way to its client."""

from collections.abc import Iterable

from ..line import Line
from ..message import Message, json_message
from .conversation import Event
from .dialect import Dialect
from .identifiers import Identifiers


class Outbox:
    """Gives events their ids and sends them, in the session's dialect.

    Args:
        line: The session's line.
        identifiers: Makes the ids.
        dialect: What the client speaks.
    """

    def __init__(self, line: Line, identifiers: Identifiers, dialect: Dialect) -> None:
        self.line = line
        self.dialect = dialect
        self._identifiers = identifiers

    def send(self, events: Iterable[Event | Message]) -> None:
        """Send events, which get their ids here, and messages that are encoded already."""
        self.line.send(*(message for event in events for message in self._messages(event)))

    def _messages(self, event: Event | Message) -> list[Message]:
        if isinstance(event, Message):
            return [event]
        translated = self.dialect.outgoing(event)
        if translated is None:
            return []
        translated["event_id"] = self._identifiers.new("event")
        return [json_message(translated["type"], translated)]
