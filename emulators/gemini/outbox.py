"""The messages of a session on their way to its client."""

from collections.abc import Mapping
from typing import Any

import pybase64

from ..line import Line
from ..message import Message, json_message

_CONTENT = "serverContent"
_PART_HEAD = b'{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"'
_PART_TAIL = b'"}}'


class Outbox:
    """Sends messages, JSON in binary WebSocket messages as the service does.

    Args:
        line: The session's line.
        binary: False sends text messages.
    """

    def __init__(self, line: Line, *, binary: bool) -> None:
        self.line = line
        self._binary = binary

    def send(self, body: Mapping[str, Any]) -> None:
        """Send a message; it is named after the field that it is about."""
        name = next(iter(body))
        if name == _CONTENT:
            name = f"{_CONTENT}.{next(iter(body[_CONTENT]))}"
        self.line.send(json_message(name, body, binary=self._binary))

    def content(self, **fields: Any) -> None:
        """Send a serverContent."""
        self.send({_CONTENT: fields})

    def speech(self, chunks: list[bytes], words: str = "") -> None:
        """Send speech, a part for each chunk, with the words that ride along.

        Sound is most of what a session sends; it is joined from bytes, not encoded as JSON.
        """
        parts = b",".join(
            b"".join((_PART_HEAD, pybase64.b64encode(chunk), _PART_TAIL)) for chunk in chunks
        )
        spoken = b""
        if words:
            spoken = json_message("", {"outputTranscription": {"text": words}}).data[1:-1] + b","
        data = b"".join((b'{"serverContent":{', spoken, b'"modelTurn":{"parts":[', parts, b"]}}}"))
        self.line.send(
            Message(
                type=f"{_CONTENT}.modelTurn",
                data=data,
                binary=self._binary,
                audio_bytes=sum(map(len, chunks)),
                body={},
            )
        )
