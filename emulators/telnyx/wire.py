"""The messages of Telnyx's media streaming. Pure.

Source: https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..phone.playback import Playback
from ..phone.stream import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class TelnyxWire:
    """One stream's, both ways PCMU of 8 kHz."""

    user_id: str
    call_control_id: str
    stream_id: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def begin(self) -> list[Content]:
        start = {
            "user_id": self.user_id,
            "call_control_id": self.call_control_id,
            "call_session_id": "ff55a038-6f5d-11ef-9692-02420aeffb1f",
            "from": "+15550100",
            "to": "+15550199",
            "client_state": None,
            "custom_parameters": dict(self.parameters),
            "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
        }
        return [{"event": "connected", "version": "1.0.0"}, {"event": "start", "start": start}]

    def media(self, number: int, at_ms: int, sound: bytes) -> Content:
        media = {
            "track": "inbound",
            "chunk": str(number),
            "timestamp": str(at_ms),
            "payload": base64.b64encode(sound).decode(),
        }
        return {"event": "media", "media": media}

    def key(self, digit: str) -> Content:
        return {
            "event": "dtmf",
            "occurred_at": "2026-11-20T10:00:00.000000Z",
            "dtmf": {"digit": digit},
        }

    def played(self, name: str) -> Content:
        return {"event": "mark", "mark": {"name": name}}

    def stop(self) -> Content | None:
        names = {"user_id": self.user_id, "call_control_id": self.call_control_id}
        return {"event": "stop", "stop": names}

    def numbered(self, content: Content, number: int) -> Content:
        if content["event"] == "connected":
            return content
        return {**content, "sequence_number": str(number), "stream_id": self.stream_id}

    def take(self, content: Content, playback: Playback) -> list[Content]:
        match content["event"]:
            case "media":
                playback.add(base64.b64decode(content["media"]["payload"], validate=True))
            case "mark":
                playback.mark(content["mark"]["name"])
            case "clear":
                # Queued marks are sent back.
                return [self.played(name) for name in playback.clear()]
        return []


__all__ = ["TelnyxWire"]
