"""A call's folder, read back: what happened, what was said, and what it sounded like."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from crossfade.errors import SettingsError

from .alignment import Heard, PlayedItems, aligned
from .call import EVENTS, RECORDING, RECORDING_FLAC
from .call_files import TRANSCRIPT
from .call_summary import CallSummary, summarise
from .cost_log import reprice
from .json_file import read_json
from .latency_budget import Mark, Moment, Waterfall, mark_of, waterfall
from .prices_file import standard_prices
from .run_frames import tally_of
from .run_log import RunLog, read_log
from .run_sound import RunSound, read_recording
from .run_transcript import read_transcript
from .summary_file import SUMMARY
from .tally import Tally
from .turns import RecordedTurns

_NOTHING = RecordedTurns(duration_s=0, caller=(), agent=(), answers=(), barge_ins=())


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call. What is missing or broken is None; what is there is told."""

    folder: Path
    log: RunLog
    transcript: Mapping[str, Any] | None
    """With the times at which each turn sounded."""
    recording: Path | None
    sound: RunSound | None
    summary: Mapping[str, Any] | None
    """As another program reads it, costs included."""

    @property
    def started_at(self) -> str | None:
        """Wall clock, ISO 8601."""
        line = self.log.first("call.started")
        return None if line is None else str(line.fields.get("started_at", "")) or None

    @property
    def details(self) -> Mapping[str, Any]:
        """What the log says about the call, such as the model."""
        line = self.log.first("call.started")
        told = {} if line is None else line.fields.get("details")
        return told if isinstance(told, Mapping) else {}

    @property
    def duration_s(self) -> float:
        """Up to the end of the log, or of the recording."""
        ended = self.log.lines[-1].at_s if self.log.lines else 0.0
        return max(ended, self.sound.turns.duration_s if self.sound else 0.0)

    @cached_property
    def tally(self) -> Tally:
        """Responses, tools, interruptions, sessions and errors."""
        return tally_of(self.log)

    @cached_property
    def measured(self) -> CallSummary:
        """The figures of the call, by the functions of the running one; without its cost."""
        ended = self.log.first("call.ended")
        told = ended.fields.get("dropped") if ended else None
        dropped = told if isinstance(told, Mapping) else {}
        turns = self.sound.turns if self.sound else _NOTHING
        found = summarise(self.tally, turns, duration_s=self.duration_s, dropped=dropped)
        if self.sound is not None:
            return found
        # What the running call measured, where no sound is kept to measure again.
        return dataclasses.replace(
            found,
            voice_to_voice_ms=self._kept_ms("voice_to_voice_ms"),
            barge_in_ms=self._kept_ms("barge_in_ms"),
        )

    def _kept_ms(self, name: str) -> tuple[float, ...]:
        """Figures of the summary."""
        kept = (self.summary or {}).get(name)
        told = kept if isinstance(kept, list) else []
        return tuple(each for each in told if isinstance(each, int | float))

    @cached_property
    def cost(self) -> Mapping[str, Any]:
        """As in summary.json. Of a call that has none, what its log tells of was used, priced now;
        empty if it tells nothing."""
        kept = (self.summary or {}).get("cost")
        if isinstance(kept, Mapping):
            return kept
        try:
            priced = reprice(self.log, standard_prices()).cost
        except SettingsError:
            return {}
        return priced.to_dict() if priced.lines else {}

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """The moments that make up the way of an answer."""
        frames = [
            mark
            for line in self.log.lines
            if line.direction == "frame"
            and (mark := mark_of(line.type, line.fields, line.at_s)) is not None
        ]
        bytes_ = [
            Mark(moment=Moment.FIRST_BYTE, at_s=response.first_audio_s)
            for response in self.tally.responses.values()
            if response.first_audio_s is not None
        ]
        return tuple(sorted([*frames, *bytes_], key=lambda mark: mark.at_s))

    @cached_property
    def waterfalls(self) -> tuple[Waterfall, ...]:
        """Where the time of each answer went."""
        answers = self.sound.turns.answers if self.sound else ()
        return tuple(waterfall(answer, self.marks) for answer in answers)


def read_run(folder: Path) -> Run:
    """Read a call's folder.

    Raises:
        SettingsError: It is no folder of a call: there is no event log in it.
    """
    if not (folder / EVENTS).is_file():
        raise SettingsError(
            f"{folder}: holds no {EVENTS}; give the folder of a call, as under runs/"
        )
    log = read_log(folder / EVENTS)
    recording = next(
        (folder / name for name in (RECORDING, RECORDING_FLAC) if (folder / name).is_file()), None
    )
    sound = None if recording is None else _sound(recording)
    return Run(
        folder=folder,
        log=log,
        transcript=_transcript(folder, log, sound),
        recording=recording if sound else None,
        sound=sound,
        summary=read_json(folder / SUMMARY),
    )


def _sound(path: Path) -> RunSound | None:
    try:
        sound = read_recording(path)
    except SettingsError:
        return None
    return sound if sound.turns.duration_s else None


def _transcript(folder: Path, log: RunLog, sound: RunSound | None) -> Mapping[str, Any] | None:
    transcript = read_transcript(folder / TRANSCRIPT)
    if transcript is None or sound is None:
        return transcript
    played = PlayedItems()
    for line in log.lines:
        played.frame(line.type, line.fields, line.at_s)
    heard = Heard(caller=sound.turns.caller, agent=sound.turns.agent, played=played.spans)
    return aligned(transcript, heard)


__all__ = ["Run", "read_run"]
