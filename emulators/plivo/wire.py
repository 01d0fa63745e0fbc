"""The messages of Plivo's audio streaming. Pure.

Source: https://plivo.com/docs/voice-agents/audio-streaming/concepts/audio-streaming-reference
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..phone.playback import Playback
from ..phone.stream import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class PlivoWire:
    """One stream's."""

    account_id: str
    call_id: str
    stream_id: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def begin(self) -> list[Content]:
        start = {
            "callId": self.call_id,
            "streamId": self.stream_id,
            "accountId": self.account_id,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
        }
        headers = ";".join(f"{name}={value}" for name, value in self.parameters.items())
        return [{"event": "start", "start": start, "extra_headers": headers}]

    def media(self, number: int, at_ms: int, sound: bytes) -> Content:
        media = {
            "track": "inbound",
            "timestamp": str(at_ms),
            "chunk": number,
            "payload": base64.b64encode(sound).decode(),
        }
        return {"event": "media", "streamId": self.stream_id, "media": media}

    def key(self, digit: str) -> Content:
        dtmf = {"track": "inbound", "digit": digit, "timestamp": "0"}
        return {"event": "dtmf", "streamId": self.stream_id, "dtmf": dtmf}

    def played(self, name: str) -> Content:
        return {"event": "playedStream", "streamId": self.stream_id, "name": name}

    def stop(self) -> Content | None:
        # The line is closed, and nothing is told.
        return None

    def numbered(self, content: Content, number: int) -> Content:
        return {"sequenceNumber": number, **content}

    def take(self, content: Content, playback: Playback) -> list[Content]:
        match content["event"]:
            case "playAudio":
                media = content["media"]
                if (media["contentType"], media["sampleRate"]) != ("audio/x-mulaw", 8000):
                    return []
                playback.add(base64.b64decode(media["payload"], validate=True))
            case "checkpoint" if content["streamId"] == self.stream_id:
                playback.mark(content["name"])
            case "clearAudio" if content["streamId"] == self.stream_id:
                # Checkpoints of what was not played are never told.
                playback.clear()
                return [{"event": "clearedAudio", "streamId": self.stream_id}]
        return []


__all__ = ["PlivoWire"]
