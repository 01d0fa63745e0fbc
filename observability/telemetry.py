"""Calls as OpenTelemetry sees them: metrics of all, and a trace of each. Needs extra `telemetry`.

Nothing of this runs on the audio path, and nothing of it at all where it is not asked for.
"""

from dataclasses import dataclass

from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from . import telemetry_names as names
from .call import CallRecord
from .call_summary import CallSummary
from .frame_log import FrameLog
from .telemetry_trace import CallTrace


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIdentity:
    """What all that is told of a call has in common."""

    provider: str
    """As the semantic conventions call it, where they do: openai, gcp.gemini, moshi."""
    model: str
    call_id: str = ""


class Telemetry:
    """The instruments of one process.

    Args:
        tracer_provider: Who takes the traces; None is the process's own.
        meter_provider: Who takes the metrics; None is the process's own.
        content: Whether traces may hold words, tool arguments and results.
        traces: Whether there are any. Without, a running call costs nothing.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        content: bool = False,
        traces: bool = True,
    ) -> None:
        self._traces = traces
        self._tracer = trace.get_tracer(names.SCOPE, tracer_provider=tracer_provider)
        self._content = content
        meter = metrics.get_meter(names.SCOPE, meter_provider=meter_provider)
        self._histograms = {
            each.name: meter.create_histogram(
                each.name,
                unit=each.unit,
                description=each.description,
                explicit_bucket_boundaries_advisory=each.buckets,
            )
            for each in names.HISTOGRAMS.values()
        }
        self._counters = {
            each.name: meter.create_counter(each.name, unit=each.unit, description=each.description)
            for each in names.COUNTERS.values()
        }
        active = names.ACTIVE
        self._active = meter.create_up_down_counter(
            active.name, unit=active.unit, description=active.description
        )

    def watch(self, record: CallRecord, identity: CallIdentity) -> None:
        """Tell of a call that begins now: before its chain is put together."""
        whose = {names.PROVIDER: identity.provider, names.MODEL: identity.model}
        if self._traces:
            self._trace(record, whose, identity.call_id)
        self._active.add(1, whose)
        if not record.written:
            self._count("crossfade.calls.unrecorded", 1, whose)

        def ended(summary: CallSummary) -> None:
            self._active.add(-1, whose)
            self._measure(summary, whose)

        record.at_end(ended)

    def _trace(self, record: CallRecord, whose: dict[str, str], call_id: str) -> None:
        call = CallTrace(self._tracer, whose, call_id=call_id, content=self._content)
        record.observers.append(FrameLog(lambda frame, _: call.frame(frame)))
        record.subscribe(call)
        record.at_end(lambda summary: call.end(failed=bool(summary.errors)))

    def _measure(self, summary: CallSummary, whose: dict[str, str]) -> None:
        outcome = "failed" if summary.errors else "completed"
        self._count("crossfade.calls", 1, {**whose, names.OUTCOME: outcome})
        self._count("crossfade.turns", summary.user_turns, whose)
        self._count("crossfade.interruptions", summary.interruptions, whose)
        self._count("crossfade.errors", len(summary.errors), whose)
        self._count("crossfade.audio.lost", summary.lost_audio_ms / 1000, whose)
        if summary.cost.usd is not None:
            self._count("crossfade.cost", float(summary.cost.usd), whose)
        self._record("crossfade.call.duration", summary.duration_s, whose)
        for name, values_ms in (
            ("crossfade.voice_to_voice.duration", summary.voice_to_voice_ms),
            ("crossfade.interruption.duration", summary.barge_in_ms),
            ("crossfade.response.time_to_first_byte", summary.ttfb_ms),
        ):
            for value_ms in values_ms:
                self._record(name, value_ms / 1000, whose)
        chat = {**whose, names.OPERATION: names.CHAT}
        for value_ms in summary.ttlb_ms:
            self._record("gen_ai.client.operation.duration", value_ms / 1000, chat)
        for kind, tokens in (
            ("input", summary.usage.input_tokens),
            ("output", summary.usage.output_tokens),
        ):
            if tokens:
                told = {**chat, names.TOKEN_TYPE: kind}
                self._record("gen_ai.client.token.usage", tokens, told)
        self._measure_rare(summary, whose)

    def _measure_rare(self, summary: CallSummary, whose: dict[str, str]) -> None:
        for tool in summary.tools:
            told = {**whose, names.TOOL_NAME: tool.name}
            if tool.is_error:
                told[names.ERROR_TYPE] = "tool_error"
            if tool.duration_ms is not None:
                self._record("crossfade.tool.duration", tool.duration_ms / 1000, told)
            if tool.acknowledged_ms is not None:
                self._record(
                    "crossfade.tool.time_to_acknowledge", tool.acknowledged_ms / 1000, told
                )
        for change in summary.session_changes:
            told = {**whose, names.WHY: change.why}
            self._count("crossfade.session.changes", 1, told)
            self._record("crossfade.session.gap", change.gap_ms / 1000, told)

    def _count(self, name: str, amount: float, told: dict[str, str]) -> None:
        self._counters[name].add(amount, told)

    def _record(self, name: str, value: float, told: dict[str, str]) -> None:
        self._histograms[name].record(value, told)


def identity_of(spec: str, call_id: str = "") -> CallIdentity:
    """Whom a call talks to, by PROVIDER:MODEL."""
    provider, _, model = spec.partition(":")
    conventional = {"gemini": "gcp.gemini"}.get(provider, provider)
    return CallIdentity(provider=conventional, model=model, call_id=call_id)


__all__ = ["CallIdentity", "Telemetry", "identity_of"]
