"""A phone company's stream through pipecat's serializer of it.

The serializer puts sound, keys and an interruption into the company's words and out of them. It
knows nothing of a stream's start and of marks: the subclass speaks those itself.
"""

from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar, cast

import pybase64
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
)
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.serializers.base_serializer import FrameSerializer

from crossfade.audio.g711 import RATE_HZ
from crossfade.errors import CallerError

from .phone_messages import Message, PhoneDialect
from .websocket_messages import KEYS, write_message

T = TypeVar("T")


class SerializerDialect(PhoneDialect):
    """One stream, told and heard by a serializer at 8 kHz, so that nothing is resampled in it."""

    def __init__(self) -> None:
        super().__init__()
        self._serializer: FrameSerializer | None = None

    # What a subclass calls

    def speak_by(self, serializer: FrameSerializer) -> None:
        """The stream has begun: this serializer is its own."""
        # A serializer asks for the rate alone, and there is no pipeline yet.
        nothing = cast(Any, None)
        setup = FrameProcessorSetup(
            clock=nothing,
            task_manager=nothing,
            pipeline_worker=nothing,
            audio_in_sample_rate=RATE_HZ,
            audio_out_sample_rate=RATE_HZ,
        )
        at_once(serializer.setup(setup))
        self._serializer = serializer

    def heard(self, text: bytes | str, media: Mapping[str, Any]) -> Message | None:
        """The caller's sound in a message whose `media` is this."""
        payload = media.get("payload")
        if media.get("track", "inbound") not in ("inbound", "inbound_track"):
            return None
        if not isinstance(payload, str) or not _is_base64(payload):
            raise CallerError("the sound of a media message is not base64")
        frame = self._frame(text)
        return (frame.audio, False) if isinstance(frame, InputAudioRawFrame) else None

    def pressed(self, text: bytes | str, dtmf: Mapping[str, Any]) -> Message | None:
        """The key in a message whose `dtmf` is this; None if it is none of a phone's."""
        digit = dtmf.get("digit")
        if not isinstance(digit, str) or digit not in KEYS:
            return None
        frame = self._frame(text)
        if not isinstance(frame, InputDTMFFrame):
            return None
        return write_message("key", key=frame.button.value), True

    def speech(self, pcm: bytes) -> bytes:
        return self._told(OutputAudioRawFrame(audio=pcm, sample_rate=RATE_HZ, num_channels=1))

    def clear(self) -> bytes:
        return self._told(InterruptionFrame())

    def _frame(self, text: bytes | str) -> Frame | None:
        if self._serializer is None:
            raise CallerError("the stream has not started")
        return at_once(self._serializer.deserialize(text))

    def _told(self, frame: Frame) -> bytes:
        assert self._serializer is not None
        told = at_once(self._serializer.serialize(frame)) or ""
        return told if isinstance(told, bytes) else told.encode()


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that waits for nothing, within this turn of the loop.

    Raises:
        RuntimeError: It waits.
    """
    try:
        work.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    work.close()
    raise RuntimeError(f"{work!r} waits, and cannot be part of the audio path")


def _is_base64(payload: str) -> bool:
    try:
        pybase64.b64decode(payload, validate=True)
    except ValueError:
        return False
    return bool(payload)


__all__ = ["SerializerDialect", "at_once"]
