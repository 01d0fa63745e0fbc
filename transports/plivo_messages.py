"""Plivo's audio streaming in terms of our own WebSocket protocol.

Source: https://plivo.com/docs/voice-agents/audio-streaming/concepts/audio-streaming-reference
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from pipecat.serializers.plivo import PlivoFrameSerializer

from crossfade.audio.g711 import RATE_HZ
from crossfade.errors import CallerError

from .phone_messages import Message, StreamStart, name_of, object_of, part_of
from .phone_serializer import SerializerDialect

ENCODING = "audio/x-mulaw"
LONGEST_HEADERS = 2048
# Told as `name=value` between commas or semicolons, or as an object; values are alphanumeric.
_HEADER = re.compile(r"(\w+)[\"']?\s*[=:]\s*[\"']?([A-Za-z0-9]+)")


class PlivoDialect(SerializerDialect):
    """One stream."""

    def receive(self, text: bytes | str) -> Message | None:
        content = object_of(text)
        match content.get("event"):
            case "media":
                return self.heard(text, part_of(content, "media"))
            case "playedStream":
                return self.played(content.get("name", ""))
            case "dtmf":
                return self.pressed(text, part_of(content, "dtmf"))
            case "start":
                self._started(part_of(content, "start"), content)
            case "stop":
                self.stop()
        return None

    def mark(self, name: str) -> bytes:
        assert self.start is not None
        checkpoint = {"event": "checkpoint", "streamId": self.start.stream_id, "name": name}
        return orjson.dumps(checkpoint)

    def _started(self, start: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        sound = start.get("mediaFormat", {})
        if isinstance(sound, dict) and (
            sound.get("encoding", ENCODING) != ENCODING
            or sound.get("sampleRate", RATE_HZ) != RATE_HZ
        ):
            raise CallerError(
                f"the stream's sound is {repr(sound)[:80]}, but µ-law of 8 kHz was asked for"
            )
        headers = str(content.get("extra_headers") or start.get("extra_headers") or "")
        self.start = StreamStart(
            stream_id=name_of(start.get("streamId") or content.get("streamId"), "streamId"),
            call_id=name_of(start.get("callId"), "callId"),
            parameters=dict(_HEADER.findall(headers[:LONGEST_HEADERS])),
        )
        self.speak_by(
            PlivoFrameSerializer(
                self.start.stream_id,
                params=PlivoFrameSerializer.InputParams(sample_rate=RATE_HZ, auto_hang_up=False),
            )
        )


__all__ = ["ENCODING", "PlivoDialect"]
