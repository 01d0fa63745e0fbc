"""Telnyx's media streaming in terms of our own WebSocket protocol.

Source: https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
"""

from collections.abc import Mapping
from typing import Any

import orjson
from pipecat.serializers.telnyx import TelnyxFrameSerializer

from crossfade.audio.g711 import RATE_HZ
from crossfade.errors import CallerError

from .phone_messages import Message, StreamStart, name_of, object_of, part_of
from .phone_serializer import SerializerDialect
from .twilio_messages import parameters_of

CODEC = "PCMU"


class TelnyxDialect(SerializerDialect):
    """One stream. Telnyx does not promise the order of its sound: it is taken as it comes."""

    def receive(self, text: bytes | str) -> Message | None:
        content = object_of(text)
        match content.get("event"):
            case "media":
                return self.heard(text, part_of(content, "media"))
            case "mark":
                return self.played(part_of(content, "mark").get("name", ""))
            case "dtmf":
                return self.pressed(text, part_of(content, "dtmf"))
            case "start":
                self._started(part_of(content, "start"), content)
            case "stop":
                self.stop()
        return None

    def mark(self, name: str) -> bytes:
        return orjson.dumps({"event": "mark", "mark": {"name": name}})

    def _started(self, start: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        sound = start.get("media_format", {})
        if isinstance(sound, dict) and (
            sound.get("encoding", CODEC) != CODEC or sound.get("sample_rate", RATE_HZ) != RATE_HZ
        ):
            raise CallerError(
                f"the stream's sound is {repr(sound)[:80]}, but {CODEC} of 8 kHz was asked for"
            )
        self.start = StreamStart(
            stream_id=name_of(content.get("stream_id"), "stream_id"),
            call_id=name_of(start.get("call_control_id"), "call_control_id"),
            parameters=parameters_of(start.get("custom_parameters") or {}, "custom_parameters"),
        )
        self.speak_by(
            TelnyxFrameSerializer(
                self.start.stream_id,
                outbound_encoding=CODEC,
                inbound_encoding=CODEC,
                params=TelnyxFrameSerializer.InputParams(sample_rate=RATE_HZ, auto_hang_up=False),
            )
        )


__all__ = ["CODEC", "TelnyxDialect"]
