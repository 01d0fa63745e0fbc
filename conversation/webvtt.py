"""Subtitles in WebVTT (W3C). Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cue:
    """What somebody said, in seconds from the start."""

    start_s: float
    end_s: float
    speaker: str
    text: str


def webvtt(cues: Iterable[Cue]) -> str:
    """A file of numbered cues in order of time, each with its speaker's voice."""
    return "".join(webvtt_blocks(cues))


def webvtt_blocks(cues: Iterable[Cue]) -> Iterator[str]:
    """The same, cue by cue."""
    yield "WEBVTT\n"
    for number, cue in enumerate(sorted(cues), 1):
        times = f"{_time(cue.start_s)} --> {_time(cue.end_s)}"
        yield f"\n{number}\n{times}\n<v {cue.speaker}>{_text(cue.text)}\n"


def _time(at_s: float) -> str:
    minutes, ms = divmod(round(at_s * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{ms // 1000:02}.{ms % 1000:03}"


def _text(text: str) -> str:
    """In one line, without what WebVTT takes for markup; an arrow would end the cue."""
    plain = " ".join(text.split()).replace("\0", "")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


__all__ = ["Cue", "webvtt", "webvtt_blocks"]
