"""What is written of a call when it is over, beside its log and its sound: JSON and subtitles.

A thread does it while an event loop runs other calls: everything goes by small pieces.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from crossfade.conversation.webvtt import webvtt

from .alignment import Heard, aligned, cues
from .disk import Breath
from .redaction import redact, without_secrets

TRANSCRIPT = "transcript.json"
CAPTIONS = "transcript.vtt"


class CallFiles:
    """Writes them into a folder, each whole or not at all.

    Args:
        folder: The call's.
        content: Whether they may hold words; else they hold lengths.
    """

    def __init__(self, folder: Path, *, content: bool) -> None:
        self._folder = folder
        self._content = content
        self._breath = Breath()
        self.failures: list[str] = []
        """What could not be written, and why."""

    def transcript(self, transcript: Mapping[str, Any], heard: Heard) -> None:
        """As JSON and as subtitles, both with the times at which it sounded."""
        self._breath.begin()
        kept = self._kept({part: each for part, each in transcript.items() if part != "turns"})
        turns = transcript.get("turns")
        if turns is not None:
            kept["turns"] = [self._turn(turn, heard) for turn in turns]
        self._write_json(TRANSCRIPT, kept)
        self._write(CAPTIONS, webvtt(cues(kept)))

    def json(self, name: str, content: Mapping[str, Any]) -> None:
        """A file of this name."""
        self._write_json(name, self._kept(dict(content)))

    def _turn(self, turn: dict[str, Any], heard: Heard) -> Any:
        self._breath.take()
        (placed,) = aligned({"turns": [turn]}, heard)["turns"]
        return self._kept(placed)

    def _kept(self, value: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = redact(value, content=self._content)
        return kept

    def _write_json(self, name: str, kept: dict[str, Any]) -> None:
        try:
            text = orjson.dumps(kept, default=str, option=orjson.OPT_INDENT_2).decode()
        except TypeError:
            # Lone surrogates, keys that are no strings, integers over 64 bits.
            text = json.dumps(kept, indent=2, ensure_ascii=False, default=str)
        self._write(name, text + "\n")

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        part = path.with_suffix(".part")
        try:
            part.write_text(self._clean(text), encoding="utf-8", errors="replace")
            os.replace(part, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            self.failures.append(f"{name}: {error}")

    def _clean(self, text: str) -> str:
        """Once more, whatever it is that came this far. A string is in one line."""
        lines = []
        for line in text.splitlines(keepends=True):
            lines.append(without_secrets(line))
            self._breath.take()
        return "".join(lines)


__all__ = ["CAPTIONS", "TRANSCRIPT", "CallFiles"]
