"""Twilio Media Streams in terms of our own WebSocket protocol. Pure.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import binascii
from collections.abc import Mapping
from typing import Any

import orjson
import pybase64

from crossfade.audio.g711 import RATE_HZ, decode_mu_law, encode_mu_law
from crossfade.errors import CallerError

from .phone_messages import Message, PhoneDialect, StreamStart, name_of, object_of, part_of
from .websocket_messages import KEYS, write_message

MOST_PARAMETERS = 32


class TwilioDialect(PhoneDialect):
    """One Media Stream."""

    def receive(self, text: bytes | str) -> Message | None:
        content = object_of(text)
        match content.get("event"):
            case "media":
                return _media(part_of(content, "media"))
            case "mark":
                return self.played(part_of(content, "mark").get("name", ""))
            case "dtmf":
                key = part_of(content, "dtmf").get("digit")
                known = isinstance(key, str) and key in KEYS
                return (write_message("key", key=key), True) if known else None
            case "start":
                self._started(part_of(content, "start"), content)
            case "stop":
                self.stop()
        return None

    def speech(self, pcm: bytes) -> bytes:
        payload = pybase64.b64encode(encode_mu_law(pcm)).decode()
        return self._event("media", media={"payload": payload})

    def mark(self, name: str) -> bytes:
        return self._event("mark", mark={"name": name})

    def clear(self) -> bytes:
        return self._event("clear")

    def _started(self, start: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        sound = start.get("mediaFormat", {})
        if isinstance(sound, dict) and (
            sound.get("encoding", "audio/x-mulaw") != "audio/x-mulaw"
            or sound.get("sampleRate", RATE_HZ) != RATE_HZ
        ):
            raise CallerError(
                f"the stream's sound is {repr(sound)[:80]}, but Twilio's is µ-law of 8 kHz"
            )
        self.start = StreamStart(
            stream_id=name_of(start.get("streamSid") or content.get("streamSid"), "streamSid"),
            call_id=name_of(start.get("callSid"), "callSid"),
            parameters=parameters_of(start.get("customParameters") or {}, "customParameters"),
        )

    def _event(self, event: str, **fields: Any) -> bytes:
        assert self.start is not None
        return orjson.dumps({"event": event, "streamSid": self.start.stream_id, **fields})


def parameters_of(given: Any, what: str) -> Mapping[str, str]:
    """Those of the document that began a stream.

    Raises:
        CallerError: They are no object, or too many.
    """
    if not isinstance(given, dict) or len(given) > MOST_PARAMETERS:
        raise CallerError(f"{what} is no object, or too large")
    return {str(name): str(value) for name, value in given.items()}


def _media(media: Mapping[str, Any]) -> Message | None:
    if media.get("track", "inbound") != "inbound":
        return None
    try:
        return decode_mu_law(pybase64.b64decode(media.get("payload", ""), validate=True)), False
    except (binascii.Error, TypeError, ValueError) as error:
        raise CallerError("the sound of a media message is not base64") from error


__all__ = ["TwilioDialect", "parameters_of"]
