"""Turns of a full-duplex model, which has none: it speaks, or streams silence, all the time.

Its responses are found by the energy of its sound, with hysteresis, and nowhere else. What it
says to itself in the silence between them is not passed on.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from crossfade.audio.energy import rms_dbfs
from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SpeechDone,
    TextDelta,
)

_WINDOW_MS = 20
# Words that wait for their sound; of more than these the oldest are dropped.
_MOST_WORDS_WAITING = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """When sound counts as speech. Levels are RMS over 20 ms, against full scale."""

    onset_dbfs: float = -42.0
    """Speech begins at or above this level …"""
    onset_ms: int = 40
    """… held for so long."""
    offset_dbfs: float = -50.0
    """What stays below this level is silence."""
    silence_ms: int = 600
    """Silence that ends a response. It is passed on: pauses between words keep their length."""
    cut_silence_ms: int = 300
    """Silence after which what sounds is a new response, where the last one was cut."""
    pre_roll_ms: int = 160
    """Sound before the onset that belongs to the response: soft consonants."""


class _State(Enum):
    SILENT = "silent"
    SOUNDING = "sounding"
    CUT = "cut"
    """The caller interrupted; what still sounds of the response is dropped."""


class DuplexTurns:
    """Finds responses in the sound that a full-duplex model streams.

    Args:
        rate_hz: Sample rate of the sound, a multiple of 50.
        gate: When it counts as speech.
        mark: Stands in the names of responses and items, to tell them from other sessions'.
    """

    def __init__(self, rate_hz: int, gate: Gate | None = None, *, mark: str = "") -> None:
        self._gate = gate or Gate()
        self._mark = f"_{mark}" if mark else ""
        self._window_bytes = rate_hz * _WINDOW_MS // 1000 * SAMPLE_BYTES
        self._state = _State.SILENT
        self._rest = b""
        self._before: deque[bytes] = deque(
            maxlen=max(1, (self._gate.pre_roll_ms + self._gate.onset_ms) // _WINDOW_MS)
        )
        self._loud_ms = 0
        self._quiet_ms = 0
        self._words: deque[str] = deque(maxlen=_MOST_WORDS_WAITING)
        self._number = 0
        self._said = False
        self._cut_to_tell = False

    def hear(self, pcm: bytes) -> list[Event]:
        """Understand the next sound of the model: s16le mono, whole samples."""
        events = self._tell_cut()
        heard = self._rest + pcm
        whole = len(heard) - len(heard) % self._window_bytes
        self._rest = heard[whole:]
        speech = bytearray()
        for at in range(0, whole, self._window_bytes):
            window = heard[at : at + self._window_bytes]
            self._measure(window)
            if self._state is _State.SOUNDING:
                speech += window
                if self._quiet_ms >= self._gate.silence_ms:
                    events += [*self._chunk(speech), *self._end()]
            elif self._state is _State.CUT:
                if self._quiet_ms >= self._gate.cut_silence_ms:
                    self._state = _State.SILENT
            else:
                self._before.append(window)
                if self._loud_ms >= self._gate.onset_ms:
                    events += self._begin()
                    speech += b"".join(self._before)
                    self._before.clear()
        return events + self._chunk(speech)

    def read(self, text: str) -> list[Event]:
        """Understand the next words of the model. They come a little ahead of their sound."""
        events = self._tell_cut()
        if self._state is _State.SILENT:
            self._words.append(text)
        elif self._state is _State.SOUNDING:
            events += self._say(text)
        return events

    def cut(self) -> None:
        """End the response that sounds; its end is told with the next sound or words."""
        if self._state is _State.SOUNDING:
            self._state = _State.CUT
            self._cut_to_tell = True

    def _measure(self, window: bytes) -> None:
        level_dbfs = rms_dbfs(window)
        self._loud_ms = self._loud_ms + _WINDOW_MS if level_dbfs >= self._gate.onset_dbfs else 0
        self._quiet_ms = self._quiet_ms + _WINDOW_MS if level_dbfs < self._gate.offset_dbfs else 0

    def _begin(self) -> list[Event]:
        self._state = _State.SOUNDING
        self._number += 1
        self._said = False
        words = "".join(self._words)
        self._words.clear()
        return [ResponseStarted(response_id=self._response_id), *self._say(words)]

    def _say(self, text: str) -> list[Event]:
        if not self._said:
            # Each word brings the space before it along.
            text = text.lstrip()
        if not text:
            return []
        self._said = True
        return [
            TextDelta(response_id=self._response_id, item_id=self._item_id, text=text, spoken=True)
        ]

    def _chunk(self, speech: bytearray) -> list[Event]:
        if not speech:
            return []
        pcm = bytes(speech)
        speech.clear()
        return [AudioChunk(response_id=self._response_id, item_id=self._item_id, pcm=pcm)]

    def _end(self) -> list[Event]:
        self._state = _State.SILENT
        return [
            SpeechDone(response_id=self._response_id, item_id=self._item_id),
            ResponseDone(response_id=self._response_id, status=ResponseStatus.COMPLETED),
        ]

    def _tell_cut(self) -> list[Event]:
        if not self._cut_to_tell:
            return []
        self._cut_to_tell = False
        return [ResponseDone(response_id=self._response_id, status=ResponseStatus.INTERRUPTED)]

    @property
    def _response_id(self) -> str:
        return f"response{self._mark}_{self._number}"

    @property
    def _item_id(self) -> str:
        return f"item{self._mark}_{self._number}"


__all__ = ["DuplexTurns", "Gate"]
