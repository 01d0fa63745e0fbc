"""What the service of the measured calls says: prepared bytes of OpenAI's realtime protocol."""

import base64
import struct
from typing import Any

import numpy as np
import orjson

DELTA_MS = 20
DELTA_BYTES = 960
"""20 ms at 24 kHz."""
_STAMP = struct.Struct("<qHH")
_MAGIC = 0xC0DE
_WORDS = ("here ", "is ", "one ", "more ", "thing ", "about ", "the ", "weather, ")
WORD_EVERY_DELTAS = 16
"""A word of the transcript for so many pieces of sound: three a second."""


def stamp(sent_ns: int, response: int) -> bytes:
    """The first 12 bytes of a piece of sound: when it was sent, and in which response."""
    return _STAMP.pack(sent_ns, response & 0xFFFF, _MAGIC)


def read_stamp(pcm: bytes) -> tuple[int, int] | None:
    """When a piece of sound was sent (monotonic ns) and its response; None if it tells neither."""
    if len(pcm) < _STAMP.size:
        return None
    sent_ns, response, magic = _STAMP.unpack_from(pcm)
    return (sent_ns, response) if magic == _MAGIC else None


def _voice() -> bytes:
    """Something of the level and the entropy of speech."""
    time_s = np.arange(DELTA_BYTES // 2) / 24000
    sound = 3000 * np.sin(2 * np.pi * 200 * time_s) + 500 * np.random.default_rng(3).normal(
        size=time_s.size
    )
    return sound.astype("<i2").tobytes()


_REST = base64.b64encode(_voice()[_STAMP.size :])


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """A whole WebSocket message of a server."""
    length = len(payload)
    if length < 126:
        size = bytes([length])
    elif length < 65536:
        size = b"\x7e" + struct.pack("!H", length)
    else:
        size = b"\x7f" + struct.pack("!Q", length)
    return bytes([0x80 | opcode]) + size + payload


def message(kind: str, **fields: Any) -> bytes:
    """A message of the service, framed."""
    return frame(orjson.dumps({"type": kind, "event_id": "event_1", **fields}))


def session(kind: str) -> bytes:
    return message(kind, session={"type": "realtime", "id": "sess_1", "model": "gpt-realtime-2.1"})


class Answer:
    """One response of the service, in pieces.

    Args:
        number: Distinguishes it from the call's others.
        tool: The tool it calls instead of speaking.
        pieces: Of 20 ms, in a message.
    """

    def __init__(self, number: int, *, tool: str | None = None, pieces: int = 1) -> None:
        self.number = number
        self.calls_tool = tool is not None
        self._tool = tool
        self._pieces_a_message = pieces
        self._pieces = 0
        self._id = f"resp_{number}"
        self._item_id = f"item_{number}"
        place = {"response_id": self._id, "item_id": self._item_id, "output_index": 0}
        self._place = place
        delta = message(
            "response.output_audio.delta",
            **place,
            content_index=0,
            delta="@" * (DELTA_BYTES // 3 * 4 * pieces),
        )
        at = delta.index(b"@")
        self._before = delta[:at]
        self._after = delta[at:].lstrip(b"@")

    def begin(self) -> bytes:
        response = {"object": "realtime.response", "id": self._id}
        created = message(
            "response.created", response=response | {"status": "in_progress", "output": []}
        )
        added = {"response_id": self._id, "output_index": 0, "item": self._item("in_progress")}
        parts = [
            created,
            message("response.output_item.added", **added),
            message(
                "conversation.item.added", previous_item_id=None, item=self._item("in_progress")
            ),
        ]
        if self._tool is None:
            part = {"type": "audio", "transcript": ""}
            parts.append(
                message("response.content_part.added", **self._place, content_index=0, part=part)
            )
        return b"".join(parts)

    def speech(self, now_ns: int) -> bytes:
        """The next message of sound, at times with a word of the transcript."""
        stamped = base64.b64encode(stamp(now_ns, self.number)) + _REST
        sound = self._before + stamped * self._pieces_a_message + self._after
        before, self._pieces = self._pieces, self._pieces + self._pieces_a_message
        # A word belongs to the first of so many pieces.
        if -before % WORD_EVERY_DELTAS >= self._pieces_a_message:
            return sound
        word = _WORDS[self._pieces // WORD_EVERY_DELTAS % len(_WORDS)]
        return sound + message(
            "response.output_audio_transcript.delta", **self._place, content_index=0, delta=word
        )

    def call(self) -> bytes:
        """The whole call of a tool."""
        arguments = '{"city":"Tokyo"}'
        call_id = f"call_{self.number}"
        return message(
            "response.function_call_arguments.done",
            **self._place,
            call_id=call_id,
            name=self._tool,
            arguments=arguments,
        ) + self.end("completed")

    def end(self, status: str) -> bytes:
        item = self._item("completed" if status == "completed" else "incomplete")
        usage = {
            "total_tokens": 100,
            "input_tokens": 60,
            "output_tokens": 40,
            "input_token_details": {"text_tokens": 20, "audio_tokens": 40, "cached_tokens": 0},
            "output_token_details": {"text_tokens": 10, "audio_tokens": 30},
        }
        parts = [
            message("response.output_item.done", response_id=self._id, output_index=0, item=item),
            message("conversation.item.done", previous_item_id=None, item=item),
            message(
                "response.done",
                response={
                    "object": "realtime.response",
                    "id": self._id,
                    "status": status,
                    "status_details": None,
                    "output": [item],
                    "usage": usage,
                },
            ),
        ]
        if self._tool is None:
            done = message("response.output_audio.done", **self._place, content_index=0)
            parts.insert(0, done)
        return b"".join(parts)

    def _item(self, status: str) -> dict[str, Any]:
        base = {"object": "realtime.item", "id": self._item_id, "status": status}
        if self._tool is not None:
            call = {"call_id": f"call_{self.number}", "name": self._tool}
            arguments = "" if status == "in_progress" else '{"city":"Tokyo"}'
            return base | {"type": "function_call", **call, "arguments": arguments}
        content = [] if status == "in_progress" else [{"type": "output_audio", "transcript": ""}]
        return base | {"type": "message", "role": "assistant", "content": content}


def speech_started(turn: int, at_ms: float) -> bytes:
    return message(
        "input_audio_buffer.speech_started", audio_start_ms=int(at_ms), item_id=f"user_{turn}"
    )


def speech_stopped(turn: int, at_ms: float) -> bytes:
    """The end of the caller's turn, its commit and its transcript."""
    item_id = f"user_{turn}"
    item = {
        "object": "realtime.item",
        "id": item_id,
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    return (
        message("input_audio_buffer.speech_stopped", audio_end_ms=int(at_ms), item_id=item_id)
        + committed(turn)
        + message("conversation.item.added", previous_item_id=None, item=item)
        + message(
            "conversation.item.input_audio_transcription.delta",
            item_id=item_id,
            content_index=0,
            delta="That is enough, ",
        )
        + message(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript="That is enough, thank you.",
            usage={"type": "duration", "seconds": 2},
        )
    )


def committed(turn: int) -> bytes:
    return message("input_audio_buffer.committed", previous_item_id=None, item_id=f"user_{turn}")


def truncated(item_id: str, audio_end_ms: int) -> bytes:
    return message(
        "conversation.item.truncated",
        item_id=item_id,
        content_index=0,
        audio_end_ms=audio_end_ms,
    )
