"""Everything that is recorded about one call, behind one object for the assembly."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pipecat.observers.base_observer import BaseObserver

from crossfade.audio.pcm import SAMPLE_BYTES, duration_ms
from crossfade.errors import SettingsError
from crossfade.frames.continuity import NodeSwitchedFrame, SessionContinuedFrame
from crossfade.frames.control import Frame, MetricsFrame
from crossfade.providers.tap import WireTap

from .alignment import Heard, PlayedItems
from .call_files import CallFiles
from .call_sound import CallSound, Placed
from .call_summary import CallSummary, summarise
from .call_tap import CallTap
from .calls_apart import first_s
from .capture import CAPTURE, Capture, CapturingTap
from .cost import CallCost
from .cost_frames import uses_of
from .cost_meter import Budget, BudgetCrossed, CostMeter
from .event_log import EventLog
from .frame_log import Fields, FrameLog
from .latency_budget import LatencyBudget, LatencyWatch
from .levels import Level
from .live_events import (
    AnswerHeard,
    AnswerOverdue,
    AnswerSlow,
    Listener,
    LiveEvent,
    RateMismatched,
    live_events,
)
from .prices import PriceBook
from .prices_file import standard_prices
from .rate_mismatch import RateMismatch, RateWatch
from .recorder import Recorder
from .summary_file import SUMMARY, summary_json
from .tally import Tally
from .timeline import Side
from .tool_secrets import SecretArguments
from .turns import Answer, TurnMeter

EVENTS = "events.jsonl"
RECORDING = "recording.wav"
RECORDING_FLAC = "recording.flac"

COST_EVERY_S = 1.0
"""So often it is looked whether the time alone has crossed a budget."""

_ends = ThreadPoolExecutor(1, "crossfade-ends")
"""Where records are closed, one after the other, while the loop runs other calls."""


class CallRecord:
    """The record of one call: event log, recording, turn latencies, transcript, live events.

    All but `close` and `aclose` return at once and may be called from audio handlers. Make it
    with `open` on the running loop, whose time is the call's. Whatever happens to the process,
    the log is valid up to the last second, and the recording up to the last two.
    """

    tap: WireTap
    """For the provider's session."""
    observers: list[BaseObserver]
    """For the PipelineWorker."""
    capture: Capture | None = None
    """Keeps what it takes to run the call again, if that is wanted."""
    written = True
    """Whether it leaves files behind."""

    def __init__(
        self,
        directory: Path,
        log: EventLog,
        recorder: Recorder | None,
        *,
        content: bool,
        started_at: datetime,
        details: Mapping[str, Any],
        costs: CostMeter,
        live: bool = True,
        latency: LatencyBudget | None = None,
        files: CallFiles | None = None,
    ) -> None:
        self.directory = directory
        self._started_at = started_at
        self._details = dict(details)
        self._costs = costs
        self._serving: Callable[[], str] = lambda: ""
        self._cost_due_s = 0.0
        self._blind = False
        """It was told that a model has no price."""
        self._log = log
        self._recorder = recorder
        self._files = files or CallFiles(directory, content=content)
        self._tally = Tally()
        self._sound = CallSound(self._placed, first_s(log))
        self._meter = TurnMeter(self._answer_heard)
        self._listeners: list[Listener] = []
        self._at_end: list[Callable[[CallSummary], None]] = []
        self._dropped: dict[str, int] = {}
        self._ended_s: float | None = None
        self._summary: CallSummary | None = None
        """Once all is told."""
        self._played = PlayedItems()
        self._caller_level, self._agent_level = Level(), Level()
        self._latency = LatencyWatch(latency)
        self._rates = RateWatch() if live else None
        self.tap = CallTap(log, self._tally, self._latency)
        self.observers = [FrameLog(self._frame, self._measured)]

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        content: bool = True,
        recording: bool | None = None,
        capture: bool = False,
        details: Mapping[str, Any] | None = None,
        prices: PriceBook | None = None,
        budgets: Sequence[Budget] = (),
        latency: LatencyBudget | None = None,
        live: bool = True,
        flac: bool = False,
    ) -> Self:
        """Begin the record of a call that starts now.

        Args:
            directory: Where events.jsonl, recording.wav, transcript.json and summary.json go;
                created if need be.
            content: Whether the log and the transcript may hold words. Off, they hold lengths.
            recording: Whether there is a recording, which holds every word as sound; None is as
                `content`.
            capture: Whether capture.jsonl is written, too, which holds all that is said.
            details: What the log shall say about the call, such as provider and model.
            prices: What models cost; None is what the library knows.
            budgets: What the call may cost; listeners are told when it costs more.
            latency: What an answer may take; listeners are told of each that takes longer.
            live: Whether the caller's sound comes as it is spoken, so that its rate can be
                checked; not so from files and in bursts.
            flac: Whether the recording is a FLAC file, which is smaller, not a WAV file.

        Raises:
            SettingsError: The directory or a file in it cannot be written; or there is to be a
                capture without words.
        """
        if capture and not content:
            raise SettingsError(
                "a capture holds what is said, and content is off; turn one of them round"
            )
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
            sound = directory / (RECORDING_FLAC if flac else RECORDING)
            recorder = Recorder(sound) if (content if recording is None else recording) else None
        except (SettingsError, OSError):
            log.close()
            raise
        started_at = datetime.fromtimestamp(time.time(), UTC)
        told = dict(details or {})
        log.call("call.started", {"started_at": started_at.isoformat(), "details": told})
        record = cls(
            directory,
            log,
            recorder,
            content=content,
            started_at=started_at,
            details=told,
            costs=CostMeter(prices or standard_prices(), started_at=started_at, budgets=budgets),
            live=live,
            latency=latency,
        )
        if capture:
            record._keep_all(Capture(directory / CAPTURE, now_s=lambda: log.now_s))
        return record

    def caller_audio(self, pcm: bytes, rate_hz: int) -> None:
        """Note what the caller said: s16le mono whose last sample came just now."""
        if self.capture is not None:
            self.capture.caller_audio(pcm, rate_hz)
        now_s = self._log.now_s
        self._sound.add(Side.CALLER, pcm, rate_hz, _begun_s(pcm, rate_hz, now_s))
        if self._rates is not None and (found := self._rates.hear(len(pcm), rate_hz, now_s)):
            self._rate_mismatched(found)

    def agent_audio(self, pcm: bytes, rate_hz: int) -> None:
        """Note what the caller heard: s16le mono whose last sample was played just now."""
        if self.capture is not None:
            self.capture.agent_audio(duration_ms(pcm, rate_hz))
        self._sound.add(Side.AGENT, pcm, rate_hz, _begun_s(pcm, rate_hz, self._log.now_s))

    def _placed(self, placed: Placed, now_s: float) -> None:
        if self._recorder is not None:
            self._recorder.take(placed, now_s)
        self._meter.take(placed)
        for side, piece in placed:
            level = self._caller_level if side is Side.CALLER else self._agent_level
            level.note(piece.pcm, now_s)
        if self._ended_s is None:
            self._look_for_overdue(now_s)
        if now_s >= self._cost_due_s and self._costs.has_budgets and self._ended_s is None:
            self._cost_due_s = now_s + COST_EVERY_S
            # Who is told may change the chain, which is no thing to do on the audio path.
            asyncio.get_running_loop().call_soon(self._watch_cost)

    def subscribe(self, listener: Listener) -> None:
        """Have `listener` told what happens, on the loop. One that raises is told nothing more."""
        self._listeners.append(listener)

    def at_end(self, tell: Callable[[CallSummary], None]) -> None:
        """Have `tell` called with the summary when the record is closed."""
        self._at_end.append(tell)

    def hide_arguments(self, secrets: SecretArguments) -> None:
        """Leave the values of these arguments of tools out of the log of the wire."""
        self._log.secret_arguments |= secrets
        if self.capture is not None:
            self.capture.secret_arguments |= secrets

    def routed(self, arm: str, reason: str, rejected: Mapping[str, str]) -> None:
        """Note which arm of a route the call was given, why, and why others were not."""
        self._details["arm"] = arm
        told = [{"arm": name, "reason": why} for name, why in rejected.items()]
        self._log.call("call.routed", {"arm": arm, "reason": reason, "rejected": told})

    def follow(self, serving: Callable[[], str]) -> None:
        """Note whose session is open now, and again whenever that may have changed.

        Args:
            serving: Tells PROVIDER:MODEL; empty where no provider's session is open.
        """
        self._serving = serving
        self.serves(serving())

    def serves(self, provider: str) -> None:
        """Note whose session is open from now on, which some are paid for by the hour.

        Args:
            provider: PROVIDER:MODEL; empty where none is, as in a cascade.
        """
        name, _, model = provider.partition(":")
        if (ended := self._costs.serves(name, model, self._log.now_s)) is not None:
            self._log.call("call.usage", ended.to_dict())

    @property
    def recording(self) -> Path | None:
        """The file with the sound of both sides, if there is one."""
        return None if self._recorder is None else self._recorder.path

    @property
    def spent_usd(self) -> Decimal:
        """What the call has cost so far, as far as it has a price."""
        return self._costs.spent_usd

    @property
    def levels_dbfs(self) -> tuple[float, float]:
        """How loud the caller and the agent are now."""
        self._sound.hand_on()
        now_s = self._log.now_s
        return self._caller_level.dbfs(now_s), self._agent_level.dbfs(now_s)

    @property
    def cost(self) -> CallCost:
        """The same, by what it was for."""
        return self._costs.cost(self._log.now_s if self._ended_s is None else self._ended_s)

    def error(self, message: str) -> None:
        """Note an error that no frame told of, such as what ended the call."""
        self._tally.errors.append(message)
        self._log.call("call.error", {"error": message})

    def dropped(self, what: str, count: int) -> None:
        """Note how much of something was dropped, such as a processor's audio frames."""
        if count:
            self._dropped[what] = self._dropped.get(what, 0) + count

    def close(self, transcript: Mapping[str, Any]) -> None:
        """End the record and write transcript and summary. Blocks for the disk, once.

        A disk that fails is told of in the summary and raises nothing.
        """
        if self._end():
            self._finish(transcript)
            self._tell_end()

    async def aclose(self, transcript: Mapping[str, Any]) -> None:
        """The same, where the loop has more to do than to wait: the disk is waited for in a thread.

        Who is cancelled meanwhile is so when the record is whole.

        Args:
            transcript: Its turns may be an iterator, which is asked for them in that thread.
        """
        if not self._end():
            return
        finishing = asyncio.get_running_loop().run_in_executor(_ends, self._finish, transcript)
        cancelled: asyncio.CancelledError | None = None
        while not finishing.done():
            try:
                await asyncio.wait([finishing])
            except asyncio.CancelledError as error:
                cancelled = error
        finishing.result()
        self._tell_end()
        if cancelled is not None:
            raise cancelled

    def _end(self) -> bool:
        """Take nothing more; False if that was so before."""
        if self._ended_s is not None:
            return False
        self._ended_s = self._log.now_s
        self._sound.finish()
        self._meter.flush()
        self.serves("")
        return True

    def _finish(self, transcript: Mapping[str, Any]) -> None:
        """Bring everything to the disk."""
        assert self._ended_s is not None
        self._files.begin()
        if self._recorder is not None:
            self._finish_recording(self._recorder)
        if self.capture is not None:
            self.capture.close()
            if self.capture.failure:
                self.error(self.capture.failure)
        heard = Heard(
            caller=self._meter.caller.spans,
            agent=self._meter.agent.spans,
            played=self._played.spans,
        )
        self._files.transcript(transcript, heard)
        for failure in self._files.failures:
            self.error(failure)
        cost = self._costs.cost(self._ended_s)
        self._log.call("call.cost", cost.to_dict(self._files.breathe))
        self._log.call("call.ended", {"duration_s": self._ended_s, "dropped": self._dropped})
        self._log.close()
        if self._log.failure:
            self._tally.errors.append(f"{EVENTS}: {self._log.failure}")
        self.dropped("log lines", self._log.dropped_audio_lines + self._log.dropped_lines)
        self._files.breathe()
        summary = self._summarise(self._ended_s, cost, self._files.breathe)
        self._files.breathe()
        told = summary_json(
            summary,
            started_at=self._started_at.isoformat(),
            details=self._details,
            rest=self._files.breathe,
        )
        self._files.failures.clear()
        self._files.json(SUMMARY, told)
        for failure in self._files.failures:
            self.error(failure)
        failed = bool(self._files.failures)
        self._summary = self._summarise(self._ended_s, cost) if failed else summary

    def _finish_recording(self, recorder: Recorder) -> None:
        recorder.close()
        if recorder.failure:
            self.error(f"{recorder.path.name}: {recorder.failure}")
        if recorder.dropped_ms:
            self.dropped("recorded ms", round(recorder.dropped_ms))

    def _tell_end(self) -> None:
        for tell in self._at_end:
            tell(self.summary())

    def summary(self) -> CallSummary:
        """What the call came to, so far or in the end."""
        if self._summary is not None:
            return self._summary
        if self._ended_s is not None:
            return self._summarise(self._ended_s, self.cost)
        self._sound.hand_on()
        return self._summarise(self._log.now_s, self.cost)

    def _summarise(
        self, duration_s: float, cost: CallCost, rest: Callable[[], None] = lambda: None
    ) -> CallSummary:
        turns = self._meter.turns(duration_s, rest)
        return summarise(
            self._tally,
            turns,
            duration_s=duration_s,
            dropped=self._dropped,
            cost=cost,
        )

    def _keep_all(self, capture: Capture) -> None:
        self.capture = capture
        self.tap = CapturingTap(capture, self.tap)

    def _frame(self, frame: Frame, fields: Fields) -> None:
        at_s = self._log.now_s
        kind = type(frame).__name__
        self._log.frame(kind, fields)
        if self.capture is not None:
            self.capture.frame(kind, fields)
        self._tally.frame(frame, at_s)
        self._latency.frame(kind, fields, at_s)
        self._played.frame(kind, fields, at_s)
        if isinstance(frame, SessionContinuedFrame | NodeSwitchedFrame):
            self.serves(self._serving())
        if self._costs.has_budgets:
            self._crossed(self._costs.tick(at_s))
        if self._listeners:
            for event in live_events(frame, at_s):
                self._tell(event)

    def _measured(self, frame: MetricsFrame) -> None:
        for use in uses_of(frame, turn=self._tally.user_turns):
            self._log.call("call.usage", use.to_dict())
            self._tally.used(use.usage)
            self._crossed(self._costs.add(use, self._log.now_s))

    def _crossed(self, budgets: Sequence[BudgetCrossed]) -> None:
        if (model := self._costs.blind_to) is not None and not self._blind:
            self._blind = True
            self.error(f"the budget cannot be kept: {model} has no price; give it one, or a file")
        for crossed in budgets:
            spent_usd, budget = float(crossed.spent_usd), crossed.budget
            told = {"usd": float(budget.usd), "then": budget.then.value, "spent_usd": spent_usd}
            self._log.call("call.budget", told)
            self._tell(crossed)

    def _watch_cost(self) -> None:
        """Some are paid for the time, whether anybody speaks or not."""
        if self._ended_s is None:
            self._crossed(self._costs.tick(self._log.now_s))

    def _answer_heard(self, answer: Answer) -> None:
        self._tell(
            AnswerHeard(at_s=answer.agent_start_s, voice_to_voice_ms=answer.voice_to_voice_ms)
        )
        if slow := self._latency.answered(answer):
            event = AnswerSlow(
                at_s=answer.agent_start_s,
                voice_to_voice_ms=round(answer.voice_to_voice_ms, 1),
                hop=slow.hop.value,
                took_ms=round(slow.took_ms, 1),
                budget_ms=slow.budget_ms,
            )
            self._log.call("call.slow_answer", _fields_of(event))
            self._tell(event)

    def _look_for_overdue(self, now_s: float) -> None:
        if overdue := self._latency.overdue(now_s, self._meter.waits_since):
            event = AnswerOverdue(
                at_s=now_s, waited_ms=round(overdue.waited_ms, 1), hop=overdue.hop.value
            )
            self._log.call("call.overdue_answer", _fields_of(event))
            self._tell(event)

    def _rate_mismatched(self, found: RateMismatch) -> None:
        event = RateMismatched(
            at_s=found.at_s, declared_hz=found.declared_hz, likely_hz=found.likely_hz
        )
        measured = {"measured_hz": round(found.measured_hz)}
        self._log.call("call.rate_mismatch", _fields_of(event) | measured)
        self._tell(event)

    def _tell(self, event: LiveEvent) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                self._listeners.remove(listener)
                self.error(f"a listener of the call failed and hears no more: {error!r}")


def _begun_s(pcm: bytes, rate_hz: int, now_s: float) -> float:
    """When s16le mono began whose last sample came now."""
    return max(0.0, now_s - len(pcm) / (SAMPLE_BYTES * rate_hz))


def _fields_of(event: AnswerOverdue | AnswerSlow | RateMismatched) -> dict[str, Any]:
    """The event as its line in the log, which has a time of its own."""
    return {name: value for name, value in dataclasses.asdict(event).items() if name != "at_s"}
