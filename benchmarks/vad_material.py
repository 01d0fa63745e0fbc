"""Sound to try voice activity on: human prompts in five surroundings, and what is no speech.

The prompts are Asterisk's (package asterisk-core-sounds-en-wav), 8 kHz, one woman's voice. What is
no speech is synthetic: it has the envelopes and spectra of what it is named after, and no more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossfade.audio.pcm import to_float
from crossfade.audio.resample import resample
from crossfade.audio.sound_file import read_sound
from crossfade.errors import SettingsError

RATE_HZ = 16000
PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
LEAD_MS = 1500
TAIL_MS = 2000
NOT_SPEECH_S = 60
_SNR_DB = 10.0
_ROOM_SNR_DB = 35.0
_FRAME = RATE_HZ // 100
# A frame of 10 ms counts as speech down to so far below the loudest one.
_SPEECH_RANGE_DB = 35.0
_BABBLERS = 8
_BEEP_S = 0.7
_BEEP_DB = 10.0
_BEEP_BEFORE_MS = 200

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A spoken prompt in some surroundings."""

    name: str
    sound: Sound
    start_ms: float
    end_ms: float


def prompts(count: int) -> list[Prompt]:
    """So many prompts of a second or more, evenly from the whole set, between digital silence.

    Raises:
        SettingsError: The package is not installed.
    """
    paths = [path for path in sorted(PROMPTS.glob("*.wav")) if path.stat().st_size > 16000]
    if not paths:
        raise SettingsError(
            f"no prompts in {PROMPTS}; install the package asterisk-core-sounds-en-wav"
        )
    return [_prompt(path) for path in paths[:: max(1, len(paths) // count)][:count]]


def surroundings(clean: Sequence[Prompt]) -> dict[str, list[Prompt]]:
    """The prompts as recorded, in a quiet room, there behind a beep, and 10 dB above white noise
    and other voices."""
    rng = np.random.default_rng(2)
    others = np.concatenate([_spoken(prompt) for prompt in clean])

    def babble(size: int) -> Sound:
        voices = np.zeros(size, np.float32)
        for at in rng.integers(max(1, others.size - size), size=_BABBLERS):
            voices += np.resize(others[at:], size)
        return voices

    def white(size: int) -> Sound:
        return rng.standard_normal(size).astype(np.float32)

    quiet = [_amid(prompt, pink(rng, prompt.sound.size), _ROOM_SNR_DB) for prompt in clean]
    return {
        "clean": list(clean),
        "quiet room": quiet,
        "after a beep": [_after_a_beep(prompt) for prompt in quiet],
        "white, 10 dB": [_amid(prompt, white(prompt.sound.size), _SNR_DB) for prompt in clean],
        "babble, 10 dB": [_amid(prompt, babble(prompt.sound.size), _SNR_DB) for prompt in clean],
    }


def not_speech(seconds: int = NOT_SPEECH_S) -> dict[str, Sound]:
    """A stretch of each kind of sound that is no speech."""
    rng = np.random.default_rng(3)
    size = seconds * RATE_HZ
    return {
        "coughs": _scattered(rng, size, 1.5, _cough),
        "keyboard": _scattered(rng, size, 0.13, _keystroke),
        "music": _music(rng, size),
        "room tone": pink(rng, size) * np.float32(10 ** (-50 / 20)),
        "digital silence": np.zeros(size, np.float32),
    }


def pink(rng: np.random.Generator, size: int) -> Sound:
    """Noise that falls by 3 dB an octave, at an RMS of 1."""
    whole = 2 ** ceil(log2(size))
    hz = np.fft.rfftfreq(whole, 1 / RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(whole)) / np.sqrt(np.maximum(hz, 20))
    noise = np.fft.irfft(spectrum, whole)[:size]
    leveled: Sound = (noise / noise.std()).astype(np.float32)
    return leveled


def _prompt(path: Path) -> Prompt:
    recorded = read_sound(path)
    spoken = to_float(resample(recorded.pcm, recorded.rate_hz, RATE_HZ))
    sound = np.concatenate(
        (np.zeros(LEAD_MS * RATE_HZ // 1000), spoken, np.zeros(TAIL_MS * RATE_HZ // 1000))
    )
    frames = sound[: sound.size - sound.size % _FRAME].reshape(-1, _FRAME)
    power = np.square(frames).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-_SPEECH_RANGE_DB / 10))
    return Prompt(
        name=path.stem,
        sound=sound.astype(np.float32),
        start_ms=float(loud[0] * 10),
        end_ms=float(loud[-1] * 10 + 10),
    )


def _spoken(prompt: Prompt) -> Sound:
    spoken: Sound = prompt.sound[int(prompt.start_ms * 16) : int(prompt.end_ms * 16)]
    return spoken


def _amid(prompt: Prompt, noise: Sound, snr_db: float) -> Prompt:
    """The prompt in noise, its speech so far above it in RMS."""
    level = np.sqrt(np.square(_spoken(prompt)).mean() / np.square(noise).mean())
    sound = prompt.sound + noise * np.float32(level * 10 ** (-snr_db / 20))
    return Prompt(
        name=prompt.name,
        sound=np.clip(sound, -1, 1).astype(np.float32),
        start_ms=prompt.start_ms,
        end_ms=prompt.end_ms,
    )


def _after_a_beep(prompt: Prompt) -> Prompt:
    """The prompt 0.2 s behind a beep that is 10 dB louder than its speech."""
    at_s = np.arange(int(_BEEP_S * RATE_HZ)) / RATE_HZ
    level = np.sqrt(2 * np.square(_spoken(prompt)).mean()) * 10 ** (_BEEP_DB / 20)
    end = int((prompt.start_ms - _BEEP_BEFORE_MS) * RATE_HZ / 1000)
    sound = prompt.sound.copy()
    sound[end - at_s.size : end] += np.clip(level * np.sin(2 * np.pi * 1000 * at_s), -0.9, 0.9)
    return replace(prompt, sound=np.clip(sound, -1, 1).astype(np.float32))


def _scattered(
    rng: np.random.Generator,
    size: int,
    every_s: float,
    make: Callable[[np.random.Generator], Sound],
) -> Sound:
    """Sounds of a kind, at uneven distances, in a quiet room."""
    sound = pink(rng, size) * np.float32(10 ** (-60 / 20))
    at = RATE_HZ
    while True:
        one = make(rng)
        if at + one.size > size:
            return sound
        sound[at : at + one.size] += one
        at += one.size + int(rng.exponential(every_s) * RATE_HZ)


def _resonant(
    rng: np.random.Generator, size: int, centres_hz: Sequence[float], width_hz: float
) -> Sound:
    """Noise around some frequencies, at a peak of 1."""
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    shape = sum(
        (np.exp(-(((hz - centre) / width_hz) ** 2)) for centre in centres_hz),
        np.full_like(hz, 0.05),
    )
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(size)) * shape, size)
    leveled: Sound = (noise / np.abs(noise).max()).astype(np.float32)
    return leveled


def _cough(rng: np.random.Generator) -> Sound:
    """A burst that opens within 10 ms, a breathy fall, and for one in two a short voiced end."""
    seconds = rng.uniform(0.25, 0.45)
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    burst = np.minimum(at / 0.01, 1) * np.exp(-at / 0.04)
    breath = 0.35 * np.exp(-at / 0.12)
    sound = (burst + breath) * _resonant(rng, at.size, (450, 1300, 2600, 4500), 500)
    if rng.random() < 0.5:
        end = np.clip((at - 0.6 * seconds) / 0.02, 0, 1) * np.clip((seconds - at) / 0.03, 0, 1)
        pitch_hz = rng.uniform(150, 280)
        voice = sum(np.sin(2 * np.pi * pitch_hz * k * at) / k for k in range(1, 12))
        sound = sound + 0.15 * end * voice
    return (rng.uniform(0.1, 0.5) * sound).astype(np.float32)


def _keystroke(rng: np.random.Generator) -> Sound:
    """A key goes down and comes up: two clicks of a few milliseconds."""
    at = np.arange(int(0.09 * RATE_HZ)) / RATE_HZ
    up = rng.uniform(0.05, 0.08)
    envelope = np.exp(-at / 0.003) + 0.4 * np.where(at >= up, np.exp(-(at - up) / 0.002), 0)
    sound = envelope * _resonant(rng, at.size, (1800, rng.uniform(2500, 4500)), 900)
    return (rng.uniform(0.05, 0.25) * sound).astype(np.float32)


def _music(rng: np.random.Generator, size: int) -> Sound:
    """Chords in a rhythm under a melody, drums, and a sweep in every eighth bar."""
    sound = np.zeros(size)
    beat = RATE_HZ // 2
    for number, start in enumerate(range(0, size - 2 * beat, beat)):
        root = 110 * 2 ** ([0, 5, 7, 3][number // 4 % 4] / 12)
        at = np.arange(2 * beat) / RATE_HZ
        melody = root * 4 * 2 ** (rng.choice([0, 2, 4, 7, 9]) / 12)
        notes = [root, root * 2 ** (4 / 12), root * 2 ** (7 / 12), melody]
        tones = sum(
            np.sin(2 * np.pi * note * k * at) / k**1.5 for note in notes for k in range(1, 8)
        )
        sound[start : start + at.size] += tones * np.minimum(at / 0.01, 1) * np.exp(-at / 0.25)
        hit = at[: beat // 2]
        sound[start : start + hit.size] += rng.standard_normal(hit.size) * np.exp(-hit / 0.03)
        if number % 32 == 31:
            sound[start : start + at.size] += np.sin(2 * np.pi * (200 * at + 1500 * at**2)) * 2
    leveled: Sound = (0.3 * sound / np.abs(sound).max()).astype(np.float32)
    return leveled
