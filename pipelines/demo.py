"""The demo's caller: greets, asks for the weather, interrupts the answer, says goodbye."""

from importlib.resources import as_file, files

from crossfade.audio.sound_file import read_sound
from crossfade.transports.script import AfterSilence, Cue, IntoAnswer, Line, Script, WhenAnswered

_LINES: tuple[tuple[str, Cue], ...] = (
    ("greeting", AfterSilence(after_s=0.5)),
    ("weather_tokyo", WhenAnswered()),
    ("enough", IntoAnswer(after_s=0.8)),
    ("goodbye", WhenAnswered()),
)


def demo_line(name: str, cue: Cue) -> Line:
    """One of the caller's utterances in examples/audio, to be spoken on a cue."""
    with as_file(files("crossfade.examples") / "audio" / f"{name}.wav") as path:
        return Line(name=name, sound=read_sound(path), cue=cue)


def demo_script() -> Script:
    """The scripted call."""
    return Script([demo_line(name, cue) for name, cue in _LINES])
