"""The messages of a Media Stream. Pure.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..phone.playback import Playback
from ..phone.stream import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioWire:
    """One stream's."""

    account_sid: str
    call_sid: str
    stream_sid: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def begin(self) -> list[Content]:
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(self.parameters),
        }
        return [
            {"event": "connected", "protocol": "Call", "version": "1.0.0"},
            {"event": "start", "start": start},
        ]

    def media(self, number: int, at_ms: int, sound: bytes) -> Content:
        media = {
            "track": "inbound",
            "chunk": str(number),
            "timestamp": str(at_ms),
            "payload": base64.b64encode(sound).decode(),
        }
        return {"event": "media", "media": media}

    def key(self, digit: str) -> Content:
        return {"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": digit}}

    def played(self, name: str) -> Content:
        return {"event": "mark", "mark": {"name": name}}

    def stop(self) -> Content | None:
        names = {"accountSid": self.account_sid, "callSid": self.call_sid}
        return {"event": "stop", "stop": names}

    def numbered(self, content: Content, number: int) -> Content:
        if content["event"] == "connected":
            return content
        return {**content, "sequenceNumber": str(number), "streamSid": self.stream_sid}

    def take(self, content: Content, playback: Playback) -> list[Content]:
        if content["streamSid"] != self.stream_sid:
            return []
        match content["event"]:
            case "media":
                playback.add(base64.b64decode(content["media"]["payload"], validate=True))
            case "mark":
                playback.mark(content["mark"]["name"])
            case "clear":
                return [self.played(name) for name in playback.clear()]
        return []


__all__ = ["TwilioWire"]
