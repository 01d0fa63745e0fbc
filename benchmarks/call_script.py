"""How the measured calls go: what the caller's microphone hears and when the service hears it.

Both sides of the loopback go by the caller's sound, so the same happens at the same place of every
call, whoever the client is.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossfade.audio.pcm import to_float, to_pcm
from crossfade.audio.resample import resample
from crossfade.audio.sound_file import read_sound

MICROPHONE_HZ = 16000
FRAME_MS = 20
FRAME_BYTES = MICROPHONE_HZ * FRAME_MS // 1000 * 2
ROOM_DBFS = -50.0
_SPEECH = Path(__file__).parents[1] / "examples" / "audio" / "enough.wav"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """A stretch of a call that repeats: the caller speaks into the answer and is answered anew.

    All times in ms of the caller's sound since the cycle's start.
    """

    length_ms: int
    speech_ms: int
    """Where the caller's speech begins; its length is that of the recording."""
    started_ms: int
    """Where the service notices the speech, and cuts its answer."""
    stopped_ms: int
    """Where it notices the end, and answers after the transcript."""
    answer_ms: int | None = None
    """How long its answers are; they go on until they are cut, if it is None."""


TALK = Cycle(length_ms=10_000, speech_ms=500, started_ms=740, stopped_ms=2_300)
"""A caller who says a sentence of 1.4 s every ten seconds."""
BARGE_INS = Cycle(length_ms=1_000, speech_ms=0, started_ms=100, stopped_ms=300)
"""Interruptions in quick succession; only the service's word for them counts."""
CONVERSATION = replace(TALK, answer_ms=5_000)
"""The same caller, who hears each answer to its end: the agent speaks half of the time."""
CYCLES = {"talk": TALK, "conversation": CONVERSATION, "barge-ins": BARGE_INS}


@lru_cache(maxsize=4)
def microphone(cycle: Cycle) -> bytes:
    """One cycle of s16le mono: a person's voice where the cycle says so, else a quiet room.

    The room is pink noise at −50 dBFS, louder than the silence that would spare anybody the work.
    """
    length = cycle.length_ms * MICROPHONE_HZ // 1000
    sound = room(length)
    spoken = read_sound(_SPEECH)
    speech = to_float(resample(spoken.pcm, spoken.rate_hz, MICROPHONE_HZ))
    begin = cycle.speech_ms * MICROPHONE_HZ // 1000
    speech = speech[: length - begin]
    sound[begin : begin + speech.size] += speech
    return to_pcm(np.clip(sound, -1, 1))


def room(samples: int) -> NDArray[np.float32]:
    """So much noise of a quiet room, the same each time."""
    white = np.fft.rfft(np.random.default_rng(1).normal(size=samples))
    white[1:] /= np.sqrt(np.arange(1, white.size))
    noise = np.fft.irfft(white, samples)
    noise *= 10 ** (ROOM_DBFS / 20) / np.sqrt(np.square(noise).mean())
    return noise.astype(np.float32)


def offset_ms(call: int, calls: int, cycle: Cycle) -> int:
    """Where in the cycle a call begins, so that not all callers speak at once."""
    return call * cycle.length_ms // calls // FRAME_MS * FRAME_MS
