"""The child process that speaks with flite: `python -m crossfade.offline.flite_worker`.

flite 2.x as the system has it, with one of its voices at 16 kHz: http://www.festvox.org/flite, its
headers cst_audio.h and cst_synth.h. The voice's name is the program's argument. Asked {"number": …,
"text": …} it answers with PCM as it is made, in messages {"number": …}, and at the end {"number":
…, "last": true}, with an "error" if it failed.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from .framing import Message, pack, read

RATE_HZ = 16000
CHUNK_SAMPLES = 640
# The voice begins with 0.2 s of near silence, which nobody shall wait for.
_SOFTEST = 200
_KEPT_SAMPLES = 160


class _Wave(ctypes.Structure):
    """cst_wave."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.POINTER(_Wave),
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_void_p,
)


class _Streaming(ctypes.Structure):
    """cst_audio_streaming_info."""

    _fields_ = (
        ("min_buffsize", ctypes.c_int),
        ("callback", _Callback),
        ("text", ctypes.c_char_p),
        ("utterance", ctypes.c_void_p),
        ("item", ctypes.c_void_p),
        ("userdata", ctypes.c_void_p),
    )


class _Voice(ctypes.Structure):
    """cst_voice, as far as it is needed."""

    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class Library:
    """flite with one voice.

    Args:
        voice: Its name, such as slt.
        take: Given each piece of sound, s16le at 16 kHz.

    Raises:
        OSError: The system has no flite, or not this voice.
    """

    def __init__(self, voice: str, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._begun = False
        self._flite = flite = _load("flite")
        _load("flite_cmulex")
        _load("flite_usenglish")
        flite.flite_init()
        flite.new_audio_streaming_info.restype = ctypes.POINTER(_Streaming)
        flite.audio_streaming_info_val.restype = ctypes.c_void_p
        flite.audio_streaming_info_val.argtypes = [ctypes.POINTER(_Streaming)]
        flite.feat_set.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        flite.flite_text_to_speech.restype = ctypes.c_float
        flite.flite_text_to_speech.argtypes = [
            ctypes.c_char_p,
            ctypes.POINTER(_Voice),
            ctypes.c_char_p,
        ]
        register = getattr(_load(f"flite_cmu_us_{voice}"), f"register_cmu_us_{voice}")
        register.restype, register.argtypes = ctypes.POINTER(_Voice), [ctypes.c_char_p]
        self._voice = register(None)
        streaming = flite.new_audio_streaming_info()
        streaming.contents.min_buffsize = CHUNK_SAMPLES
        self._callback = streaming.contents.callback = _Callback(self._made)
        value = flite.audio_streaming_info_val(streaming)
        flite.feat_set(self._voice.contents.features, b"streaming_info", value)

    def speak(self, text: str) -> None:
        """Speak; the sound is given on while it is made."""
        self._begun = False
        words = text.replace("’", "'").encode("ascii", "ignore")
        self._flite.flite_text_to_speech(words, self._voice, b"none")

    def _made(self, wave: Any, start: int, size: int, _last: int, _info: object) -> int:
        """Called by flite with the samples that are new."""
        if size > 0:
            first = ctypes.addressof(wave.contents.samples.contents) + 2 * start
            self._give(ctypes.string_at(first, 2 * size))
        return 0

    def _give(self, pcm: bytes) -> None:
        """Give sound on, without the silence that it begins with."""
        if not self._begun:
            pcm = audible(pcm)
            self._begun = bool(pcm)
        if pcm:
            self._take(pcm)


def audible(pcm: bytes) -> bytes:
    """The sound from 10 ms before its first audible sample; empty where there is none."""
    samples = memoryview(pcm).cast("h")
    loud = next((at for at, sample in enumerate(samples) if abs(sample) > _SOFTEST), None)
    return b"" if loud is None else pcm[2 * max(0, loud - _KEPT_SAMPLES) :]


def _load(name: str) -> ctypes.CDLL:
    return ctypes.CDLL(f"lib{name}.so.1", ctypes.RTLD_GLOBAL)


def main() -> None:
    """Answer until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # flite may print; only messages go to the real stdout.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    number = 0

    def send(head: dict[str, Any], pcm: bytes = b"") -> None:
        replies.write(pack(Message({"number": number, **head}, pcm)))
        replies.flush()

    library: Library | None = None
    while message := read(sys.stdin.buffer):
        number = message.head["number"]
        try:
            library = library or Library(sys.argv[1], lambda pcm: send({}, pcm))
            library.speak(message.head["text"])
        except BrokenPipeError:
            return
        except Exception as error:
            send({"last": True, "error": f"{type(error).__name__}: {error}"})
        else:
            send({"last": True})


if __name__ == "__main__":
    main()
