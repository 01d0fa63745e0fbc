"""What is written of a call when it is over, beside its log and its sound: JSON and subtitles.

A thread does it while an event loop runs other calls: everything goes by small pieces.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from crossfade.conversation.webvtt import Cue, webvtt_blocks

from .alignment import Heard, aligned, cues
from .disk import Breath
from .redaction import redact, without_secrets

TRANSCRIPT = "transcript.json"
CAPTIONS = "transcript.vtt"
_LATE_S = 0.1
"""Many calls may end at once, one behind the other."""
_INDENT = "\n    "
_NO_TURNS = "]\n}\n"


class CallFiles:
    """Writes them into a folder, each whole or not at all.

    Args:
        folder: The call's.
        content: Whether they may hold words; else they hold lengths.
    """

    def __init__(self, folder: Path, *, content: bool) -> None:
        self._folder = folder
        self._content = content
        self._breath = Breath(_LATE_S)
        self.failures: list[str] = []
        """What could not be written, and why."""

    def begin(self) -> None:
        """What is to be written begins to be prepared."""
        self._breath.begin()

    def breathe(self) -> None:
        """Called between small pieces of work by who prepares what is to be written."""
        self._breath.take()

    def transcript(self, transcript: Mapping[str, Any], heard: Heard) -> None:
        """As JSON and as subtitles, both with the times at which it sounded.

        Args:
            transcript: As `Conversation.snapshot` gives it, or `to_dict`.
            heard: When there was sound.
        """
        # The rest of the recording was waited for: that is nothing to catch up with.
        self.begin()
        said: list[Cue] = []
        self._write(TRANSCRIPT, self._aligned(transcript, heard, said))
        self._write(CAPTIONS, webvtt_blocks(said))

    def json(self, name: str, content: Mapping[str, Any]) -> None:
        """A file of this name."""
        self._write(name, [_json(self._kept(dict(content)))])

    def _aligned(
        self, transcript: Mapping[str, Any], heard: Heard, said: list[Cue]
    ) -> Iterator[str]:
        """The transcript's JSON, turn by turn; what is to be a subtitle is added to `said`."""
        kept = self._kept({part: each for part, each in transcript.items() if part != "turns"})
        turns = transcript.get("turns")
        if turns is None:
            yield _json(kept)
            return
        yield _json({**kept, "turns": []}).removesuffix(_NO_TURNS)
        between = ""
        for turn in turns:
            placed = aligned({"turns": [turn]}, heard)
            placed["turns"] = [self._kept(each) for each in placed["turns"]]
            said += cues(placed)
            yield between + _INDENT + _json(placed["turns"][0]).rstrip().replace("\n", _INDENT)
            between = ","
        yield f"\n  {_NO_TURNS}" if between else _NO_TURNS

    def _kept(self, value: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = redact(value, content=self._content, rest=self.breathe)
        return kept

    def _write(self, name: str, blocks: Iterable[str]) -> None:
        path = self._folder / name
        part = path.with_suffix(".part")
        cleaned = [self._clean(block) for block in blocks]
        try:
            with part.open("w", encoding="utf-8", errors="replace") as file:
                for block in cleaned:
                    file.write(block)
                    self.breathe()
            os.replace(part, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            self.failures.append(f"{name}: {error}")

    def _clean(self, block: str) -> str:
        """Once more, whatever it is that came this far. A string is in one line."""
        lines = []
        for line in block.splitlines(keepends=True):
            lines.append(without_secrets(line))
            self.breathe()
        return "".join(lines)


def _json(value: dict[str, Any]) -> str:
    try:
        return orjson.dumps(
            value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        ).decode()
    except TypeError:
        # Lone surrogates, keys that are no strings, integers over 64 bits.
        return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


__all__ = ["CAPTIONS", "TRANSCRIPT", "CallFiles"]
