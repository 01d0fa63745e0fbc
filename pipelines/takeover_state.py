"""What the store keeps of a served call besides its ledger: where both sides' sound stood. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from crossfade.audio.pcm import SAMPLE_BYTES

PLAYED_STEP_MS = 500
"""How exactly the store knows what was played; a client that re-attaches knows it better."""
_WITHHELD_SAMPLES = 16
"""Of the lower rate: so much of what was received a StreamResampler has not passed on yet."""
_FORM = "serve-1"
UNBORN = '["serve-unborn"]'
"""Kept of a call whose client has not yet said a word; its name is anybody's when it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPosition:
    """How far an item of the agent's speech was, in ms."""

    received_ms: float
    played_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """Where a call stood, as its last process wrote it down; beside its unfinished audio."""

    start_sample: int = 0
    """The number of the caller's sample with which the unfinished audio begins."""
    attachments: int = 0
    """Clients that attached before; older tokens than that are worth nothing."""
    speech: Mapping[str, SpeechPosition] = field(default_factory=dict)
    """The agent's items that were being played, by id."""
    node: str = ""
    """Which of several nodes served; empty where the call has but one."""

    def encoded(self) -> str:
        """As the store keeps it."""
        speech = {
            item: [round(at.received_ms), round(at.played_ms)] for item, at in self.speech.items()
        }
        kept = [_FORM, self.start_sample, self.attachments, speech]
        return json.dumps([*kept, self.node] if self.node else kept)

    @classmethod
    def decoded(cls, stored: str) -> "CallState":
        """Read it; nothing that was not written here is understood, and gives an empty state."""
        try:
            form, start_sample, attachments, speech, *more = json.loads(stored)
        except (ValueError, TypeError):
            return cls()
        if form != _FORM:
            return cls()
        return cls(
            start_sample=start_sample,
            attachments=attachments,
            speech={
                item: SpeechPosition(received_ms=received, played_ms=played)
                for item, (received, played) in speech.items()
            },
            node=str(more[0]) if more else "",
        )


class StateKeeper:
    """Puts a call's state together such that it changes as seldom as it may.

    The start of an utterance stays as it was first reckoned, while the samples behind it are
    added to; and what was played is told by steps.

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
        node: str = "",
    ) -> CallState:
        """The state now.

        Args:
            received_samples: Of the caller, so far.
            unfinished: The audio as it is now, s16le mono.
            attachments: So far.
            speech: The agent's items that are being played.
            node: Which of several nodes serves.
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
            node=node,
        )


def end_sample(start_sample: int, unfinished: bytes, *, in_rate_hz: int, audio_rate_hz: int) -> int:
    """The number of the caller's sample behind the last one of the unfinished audio."""
    samples = len(unfinished) // SAMPLE_BYTES
    return start_sample + round(samples * in_rate_hz / audio_rate_hz)


def _in_steps(at: SpeechPosition) -> SpeechPosition:
    played_ms = at.played_ms // PLAYED_STEP_MS * PLAYED_STEP_MS
    return SpeechPosition(received_ms=at.received_ms, played_ms=played_ms)


__all__ = ["UNBORN", "CallState", "SpeechPosition", "StateKeeper", "end_sample"]
