"""The child process that speaks: `python -m crossfade.offline.espeak_worker`.

espeak-ng is GPL-licensed; it is loaded in this program alone, or run as a program of its own.
Its interface: https://github.com/espeak-ng/espeak-ng, src/include/espeak-ng/speak_lib.h.

Asked {"voice": …, "text": …} it answers {"rate_hz": …, "words": [[word, at_ms], …]} and the PCM.
"""

import ctypes
import io
import re
import subprocess
import wave
from collections.abc import Callable
from importlib.util import find_spec

from .framing import Message, serve

_SYNCHRONOUS = 2
_NO_EXIT = 0x8000
_BUFFER_MS = 60
_UTF8 = 1
_FROM_CHARACTER = 1
_LIST_END, _WORD = 0, 1

Engine = Callable[[str, str], Message]


class _Event(ctypes.Structure):
    """espeak_EVENT."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Library:
    """espeak-ng's library as the package espeakng-loader brings it."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self._rate_hz = self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data, _NO_EXIT)
        if self._rate_hz <= 0:
            raise RuntimeError("espeak-ng's library did not start; reinstall espeakng-loader")
        self._pcm = bytearray()
        self._positions: list[tuple[int, float]] = []
        self._callback = _Callback(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)

    def __call__(self, voice: str, text: str) -> Message:
        """Speak."""
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"espeak-ng has no voice {voice!r}; `espeak-ng --voices` lists them")
        self._pcm.clear()
        self._positions.clear()
        content = text.encode()
        failed = self._library.espeak_Synth(
            content, len(content) + 1, 0, _FROM_CHARACTER, 0, _UTF8, None, None
        )
        if failed:
            raise RuntimeError(f"espeak-ng did not speak (its error {failed})")
        words = _words_at(text, self._positions)
        return Message({"rate_hz": self._rate_hz, "words": words}, bytes(self._pcm))

    def _collect(self, samples: object, count: int, events: object) -> int:
        """Called by espeak-ng with each piece of sound and what happens in it."""
        if samples and count > 0:
            self._pcm += ctypes.string_at(samples, 2 * count)  # type: ignore[arg-type]
        index = 0
        while (event := events[index]).type != _LIST_END:  # type: ignore[index]
            if event.type == _WORD:
                place = event.text_position - 1
                self._positions.append((place, float(event.audio_position_ms)))
            index += 1
        return 0


def run_program(voice: str, text: str) -> Message:
    """Speak with the system's `espeak-ng`; word times are guessed from the words' lengths."""
    command = ("espeak-ng", "--stdout", "-v", voice)
    spoken = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    if spoken.returncode:
        raise RuntimeError(spoken.stderr.decode(errors="replace").strip())
    # Written to a pipe, the header's length is a stand-in; the sound runs to the end.
    with wave.open(io.BytesIO(spoken.stdout)) as sound:
        rate_hz = sound.getframerate()
    pcm = spoken.stdout[44:]
    ms_per_character = len(pcm) * 500 / rate_hz / max(1, len(text))
    places = [(at, at * ms_per_character) for at in range(len(text))]
    return Message({"rate_hz": rate_hz, "words": _words_at(text, places)}, pcm)


def _words_at(text: str, places: list[tuple[int, float]]) -> list[tuple[str, float]]:
    """The text's words, each with the time of the first place at or after its beginning.

    espeak-ng has places for what it says: two in "it's", none in a dash.

    Args:
        text: What was spoken.
        places: Positions in it, in order, with the times in ms at which they were spoken.
    """
    words = []
    last_ms = places[-1][1] if places else 0.0
    for word in re.finditer(r"\S+", text):
        at_ms = next((at_ms for place, at_ms in places if place >= word.start()), last_ms)
        words.append((word.group(), at_ms))
    return words


def main() -> None:
    """Answer until stdin ends."""
    speak: Engine = Library() if find_spec("espeakng_loader") else run_program
    serve(lambda message: speak(message.head["voice"], message.head["text"]))


if __name__ == "__main__":
    main()
