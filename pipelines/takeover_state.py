"""What the store keeps of a served call besides its ledger: where both sides' sound stood. Pure."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from crossfade.audio.pcm import SAMPLE_BYTES

PLAYED_STEP_MS = 500
"""How exactly the store knows what was played; a client that re-attaches knows it better."""
_WITHHELD_SAMPLES = 16
"""Of the lower rate: so much of what was received a StreamResampler has not passed on yet."""
_MAGIC = b"CFS1"
_HEAD = struct.Struct("<4sI")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPosition:
    """How far an item of the agent's speech was, in ms."""

    received_ms: float
    played_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """Where a call stood, as its last process wrote it down."""

    start_sample: int = 0
    """The number of the caller's sample with which `unfinished` begins."""
    attachments: int = 0
    """Clients that attached before; older tokens than that are worth nothing."""
    speech: Mapping[str, SpeechPosition] = field(default_factory=dict)
    """The agent's items that were being played, by id."""
    unfinished: bytes = field(default=b"", repr=False)
    """What the caller said and nobody began to answer, s16le mono."""

    def encoded(self) -> bytes:
        """As the store keeps it, in place of the unfinished audio: a head, and the samples."""
        speech = {
            item: [round(at.received_ms), round(at.played_ms)] for item, at in self.speech.items()
        }
        head = json.dumps([self.start_sample, self.attachments, speech]).encode()
        head += b" " * (len(head) % SAMPLE_BYTES)
        return _HEAD.pack(_MAGIC, len(head)) + head + self.unfinished

    @classmethod
    def decoded(cls, stored: bytes) -> "CallState":
        """Read it; nothing that was not written here is understood, and gives an empty state."""
        if len(stored) < _HEAD.size:
            return cls()
        magic, length = _HEAD.unpack_from(stored)
        if magic != _MAGIC or len(stored) < _HEAD.size + length:
            return cls()
        body = _HEAD.size + length
        start_sample, attachments, speech = json.loads(stored[_HEAD.size : body])
        return cls(
            start_sample=start_sample,
            attachments=attachments,
            speech={
                item: SpeechPosition(received_ms=received, played_ms=played)
                for item, (received, played) in speech.items()
            },
            unfinished=stored[body : len(stored) - (len(stored) - body) % SAMPLE_BYTES],
        )


class StateKeeper:
    """Puts a call's state together such that it changes as seldom as it may.

    The store appends what is added to the samples; a new head makes it write all of them again.
    So the start of an utterance stays as it was first reckoned, and what was played is told by
    steps.

    Args:
        in_rate_hz: Rate of the caller's audio, in which samples are numbered.
        audio_rate_hz: Rate of the unfinished audio.
    """

    def __init__(self, *, in_rate_hz: int, audio_rate_hz: int) -> None:
        self._ratio = in_rate_hz / audio_rate_hz
        lower_hz = min(in_rate_hz, audio_rate_hz)
        same = in_rate_hz == audio_rate_hz
        self._withheld = 0 if same else _WITHHELD_SAMPLES * in_rate_hz // lower_hz
        self._before = b""
        self._start_sample: int | None = None

    def state(
        self,
        *,
        received_samples: int,
        unfinished: bytes,
        attachments: int,
        speech: Mapping[str, SpeechPosition],
    ) -> CallState:
        """The state now.

        Args:
            received_samples: Of the caller, so far.
            unfinished: As it is now.
            attachments: So far.
            speech: The agent's items that are being played.
        """
        grew = bool(self._before) and unfinished.startswith(self._before)
        emptied = not unfinished and not self._before
        if self._start_sample is None or not (grew or emptied):
            samples = len(unfinished) // SAMPLE_BYTES
            before = round(samples * self._ratio) + self._withheld if samples else 0
            self._start_sample = max(0, received_samples - before)
        self._before = unfinished
        return CallState(
            start_sample=self._start_sample,
            attachments=attachments,
            speech={item: _in_steps(at) for item, at in speech.items()},
            unfinished=unfinished,
        )


def end_sample(state: CallState, *, in_rate_hz: int, audio_rate_hz: int) -> int:
    """The number of the caller's sample behind the last one that the state has."""
    samples = len(state.unfinished) // SAMPLE_BYTES
    return state.start_sample + round(samples * in_rate_hz / audio_rate_hz)


def _in_steps(at: SpeechPosition) -> SpeechPosition:
    played_ms = at.played_ms // PLAYED_STEP_MS * PLAYED_STEP_MS
    return SpeechPosition(received_ms=at.received_ms, played_ms=played_ms)


__all__ = ["CallState", "SpeechPosition", "StateKeeper", "end_sample"]
