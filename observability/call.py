"""Everything that is recorded about one call, behind one object for the assembly."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pipecat.observers.base_observer import BaseObserver

from crossfade.audio.pcm import duration_ms
from crossfade.errors import SettingsError
from crossfade.frames.control import Frame
from crossfade.providers.tap import WireDirection, WireTap

from .call_summary import CallSummary, summarise
from .event_log import EventLog
from .frame_log import Fields, FrameLog
from .live_events import AnswerHeard, Listener, LiveEvent, live_events
from .recorder import Recorder
from .redaction import redact, without_secrets
from .tally import Tally
from .turns import Answer, TurnMeter

EVENTS = "events.jsonl"
RECORDING = "recording.wav"
TRANSCRIPT = "transcript.json"


class _Tap:
    """Listens to the wire for the log, and for the first sound of each response."""

    def __init__(self, log: EventLog, tally: Tally) -> None:
        self._log = log
        self._tally = tally
        self._heard = ""
        """The response whose sound came last."""

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        audio = self._log.read(direction, message)
        if audio is None or direction is not WireDirection.RECEIVED:
            return
        known = audio.response_id == self._heard
        if not known and self._tally.audio_received(audio.response_id, self._log.now_s):
            self._heard = audio.response_id


class CallRecord:
    """The record of one call: event log, recording, turn latencies, transcript, live events.

    Everything but `close` returns at once and may be called from audio handlers. Make it with
    `open` on the running loop, whose time is the call's. Whatever happens to the process, the
    log and the recording are valid up to the last half second.
    """

    tap: WireTap
    """For the provider's session."""
    observers: list[BaseObserver]
    """For the PipelineWorker."""

    def __init__(
        self, directory: Path, log: EventLog, recorder: Recorder, *, content: bool
    ) -> None:
        self.directory = directory
        self._log = log
        self._recorder = recorder
        self._content = content
        self._tally = Tally()
        self._meter = TurnMeter(self._answer_heard)
        self._listeners: list[Listener] = []
        self._dropped: dict[str, int] = {}
        self._ended_s: float | None = None
        self.tap = _Tap(log, self._tally)
        self.observers = [FrameLog(self._frame)]

    @classmethod
    def open(
        cls, directory: Path, *, content: bool = True, details: Mapping[str, Any] | None = None
    ) -> Self:
        """Begin the record of a call that starts now.

        Args:
            directory: Where events.jsonl, recording.wav and transcript.json go; created if need
                be.
            content: Whether the log and the transcript may hold words. Off, they hold lengths.
            details: What the log shall say about the call, such as provider and model.

        Raises:
            SettingsError: The directory or a file in it cannot be written.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{directory}: cannot be made a folder for the call's record ({error.strerror}); "
                "give a folder that is yours to write"
            ) from error
        clock: Callable[[], float] = asyncio.get_running_loop().time
        log = EventLog(directory / EVENTS, clock=clock, content=content)
        try:
            recorder = Recorder(directory / RECORDING)
        except SettingsError:
            log.close()
            raise
        started_at = datetime.fromtimestamp(time.time(), UTC).isoformat()
        log.call("call.started", {"started_at": started_at, "details": dict(details or {})})
        return cls(directory, log, recorder, content=content)

    def caller_audio(self, pcm: bytes, rate_hz: int) -> None:
        """Note what the caller said: s16le mono whose last sample came just now."""
        at_s = self._since(pcm, rate_hz)
        self._recorder.caller_audio(pcm, rate_hz, at_s)
        self._meter.caller_audio(pcm, rate_hz, at_s)

    def agent_audio(self, pcm: bytes, rate_hz: int) -> None:
        """Note what the caller heard: s16le mono whose last sample was played just now."""
        at_s = self._since(pcm, rate_hz)
        self._recorder.agent_audio(pcm, rate_hz, at_s)
        self._meter.agent_audio(pcm, rate_hz, at_s)

    def subscribe(self, listener: Listener) -> None:
        """Have `listener` told what happens, on the loop. One that raises is told nothing more."""
        self._listeners.append(listener)

    def hide_arguments(self, names: frozenset[str]) -> None:
        """Leave the values of these arguments of tools out of the log of the wire."""
        self._log.secret_arguments |= names

    def error(self, message: str) -> None:
        """Note an error that no frame told of, such as what ended the call."""
        self._tally.errors.append(message)
        self._log.call("call.error", {"error": message})

    def dropped(self, what: str, count: int) -> None:
        """Note how much of something was dropped, such as a processor's audio frames."""
        if count:
            self._dropped[what] = self._dropped.get(what, 0) + count

    def close(self, transcript: Mapping[str, Any]) -> None:
        """End the record and write the transcript. Blocks for the disk; a second call is nothing.

        A disk that fails is told of in the summary and raises nothing.
        """
        if self._ended_s is not None:
            return
        self._ended_s = self._log.now_s
        self._meter.flush()
        self._recorder.close()
        self._write_transcript(transcript)
        if self._recorder.failure:
            self.error(f"{RECORDING}: {self._recorder.failure}")
        if self._recorder.dropped_ms:
            self.dropped("recorded ms", round(self._recorder.dropped_ms))
        self._log.call("call.ended", {"duration_s": self._ended_s, "dropped": self._dropped})
        self._log.close()
        if self._log.failure:
            self._tally.errors.append(f"{EVENTS}: {self._log.failure}")
        self.dropped("log lines", self._log.dropped_audio_lines + self._log.dropped_lines)

    def summary(self) -> CallSummary:
        """What the call came to, so far or in the end."""
        self._meter.flush()
        duration_s = self._log.now_s if self._ended_s is None else self._ended_s
        return summarise(self._tally, self._meter, duration_s=duration_s, dropped=self._dropped)

    def _since(self, pcm: bytes, rate_hz: int) -> float:
        return max(0.0, self._log.now_s - duration_ms(pcm, rate_hz) / 1000)

    def _frame(self, frame: Frame, fields: Fields) -> None:
        at_s = self._log.now_s
        self._log.frame(type(frame).__name__, fields)
        self._tally.frame(frame, at_s)
        for event in live_events(frame, at_s):
            self._tell(event)

    def _answer_heard(self, answer: Answer) -> None:
        self._tell(
            AnswerHeard(at_s=answer.agent_start_s, voice_to_voice_ms=answer.voice_to_voice_ms)
        )

    def _tell(self, event: LiveEvent) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                self._listeners.remove(listener)
                self.error(f"a listener of the call failed and hears no more: {error!r}")

    def _write_transcript(self, transcript: Mapping[str, Any]) -> None:
        kept = redact(dict(transcript), content=self._content)
        text = json.dumps(kept, indent=2, ensure_ascii=False, default=str)
        path = self.directory / TRANSCRIPT
        part = path.with_suffix(".part")
        try:
            part.write_text(without_secrets(text) + "\n", encoding="utf-8", errors="replace")
            os.replace(part, path)
        except OSError as error:
            self.error(f"{TRANSCRIPT}: {error}")
