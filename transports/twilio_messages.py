"""Twilio Media Streams in terms of our own WebSocket protocol, both ways. Pure.

A phone is a client like any other: it says hello, speaks, and tells what it has played. What it
cannot do is keep its microphone while nobody is attached.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pybase64

from crossfade.audio.g711 import RATE_HZ, decode_mu_law, encode_mu_law
from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.errors import CallerError

from .websocket_messages import KEYS, read_object, write_message

MARK_EVERY_MS = 100
"""How often the phone is asked to tell what it has played."""
MOST_PARAMETERS = 32

Message = tuple[bytes, bool]
"""A message of our own protocol, and whether it is text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStart:
    """Who calls, and on which stream."""

    stream_sid: str
    call_sid: str
    account_sid: str
    parameters: Mapping[str, str] = field(repr=False)
    """Those of the TwiML that began the stream; a token among them."""


class TwilioDialect:
    """One stream: what Twilio says in our words, and what we say in Twilio's.

    The stream begins with `start`; a call is attached with what `hello` gives then.
    """

    def __init__(self) -> None:
        self.start: StreamStart | None = None
        """None until Twilio told it."""
        self._stream = 0
        self._written = 0
        self._marked = 0

    def hello(self, *, token: str | None, call_id: str | None) -> bytes:
        """What the phone would say first, if it spoke our protocol."""
        return write_message(
            "hello",
            version=1,
            token=token,
            call_id=call_id,
            input_rate_hz=RATE_HZ,
            output_rate_hz=RATE_HZ,
            reports=True,
        )

    def receive(self, text: bytes | str) -> Message | None:
        """What a message of Twilio says in our protocol; None if it is nothing for the call.

        Raises:
            CallerError: It cannot be understood.
        """
        content = _object(text)
        match content.get("event"):
            case "media":
                return self._media(_part(content, "media"))
            case "mark":
                return self._mark(_part(content, "mark"))
            case "dtmf":
                key = _part(content, "dtmf").get("digit")
                return (write_message("key", key=key), True) if key in KEYS else None
            case "start":
                self._started(_part(content, "start"), content)
            case "stop":
                return write_message("bye"), True
        return None

    def send(self, message: bytes, text: bool) -> list[bytes]:
        """What one of our messages says in Twilio's protocol, which has no word for some."""
        if not text:
            return self._speech(message)
        content = read_object(message)
        match content.get("type"):
            case "ready":
                self._begin(content)
            case "clear":
                self._begin(content)
                return [self._event("clear")]
            case "response":
                return self._marks()
        return []

    def _media(self, media: Mapping[str, Any]) -> Message | None:
        if media.get("track", "inbound") != "inbound":
            return None
        try:
            return decode_mu_law(pybase64.b64decode(media.get("payload", ""), validate=True)), False
        except (binascii.Error, TypeError, ValueError) as error:
            raise CallerError("the sound of a media message is not base64") from error

    def _mark(self, mark: Mapping[str, Any]) -> Message | None:
        stream, dot, samples = str(mark.get("name", "")).partition(".")
        if not (dot and stream.isascii() and stream.isdigit() and samples.isascii()):
            return None
        if not samples.isdigit() or len(stream) > 15 or len(samples) > 15:
            return None
        return write_message("played", stream=int(stream), samples=int(samples)), True

    def _started(self, start: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        sound = start.get("mediaFormat", {})
        if isinstance(sound, dict) and (
            sound.get("encoding", "audio/x-mulaw") != "audio/x-mulaw"
            or sound.get("sampleRate", RATE_HZ) != RATE_HZ
        ):
            raise CallerError(f"the stream's sound is {sound!r}, but Twilio's is µ-law of 8 kHz")
        parameters = start.get("customParameters") or {}
        if not isinstance(parameters, dict) or len(parameters) > MOST_PARAMETERS:
            raise CallerError("customParameters is no object, or too large")
        self.start = StreamStart(
            stream_sid=_sid(start.get("streamSid") or content.get("streamSid"), "streamSid"),
            call_sid=_sid(start.get("callSid"), "callSid"),
            account_sid=str(start.get("accountSid", "")),
            parameters={str(name): str(value) for name, value in parameters.items()},
        )

    def _begin(self, content: Mapping[str, Any]) -> None:
        self._stream = int(content.get("stream", 0))
        self._written = self._marked = 0

    def _speech(self, pcm: bytes) -> list[bytes]:
        payload = pybase64.b64encode(encode_mu_law(pcm)).decode()
        self._written += len(pcm) // SAMPLE_BYTES
        told = [self._event("media", media={"payload": payload})]
        if self._written - self._marked >= RATE_HZ * MARK_EVERY_MS // 1000:
            told += self._marks()
        return told

    def _marks(self) -> list[bytes]:
        """Ask to be told when all that was written so far has been played."""
        if self._written == self._marked:
            return []
        self._marked = self._written
        return [self._event("mark", mark={"name": f"{self._stream}.{self._written}"})]

    def _event(self, event: str, **fields: Any) -> bytes:
        assert self.start is not None
        return orjson.dumps({"event": event, "streamSid": self.start.stream_sid, **fields})


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CallerError("a message is not JSON") from error
    if not isinstance(content, dict):
        raise CallerError("a message is no JSON object")
    return content


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = content.get(name)
    if not isinstance(part, dict):
        raise CallerError(f"a {name} message has no {name}")
    return part


def _sid(value: Any, name: str) -> str:
    if not isinstance(value, str) or not (0 < len(value) <= 64 and value.isalnum()):
        raise CallerError(f"{name} is no identifier")
    return value


__all__ = ["MARK_EVERY_MS", "StreamStart", "TwilioDialect"]
