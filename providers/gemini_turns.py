"""The agent's turns: Gemini names neither responses nor items, so they are named here.

A response begins with its first sound and ends with the turn, or with the tools it calls: what
follows their results is the next one. Source: https://ai.google.dev/api/live, and the orders of
messages that the service was seen to send.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from crossfade.conversation.tools import ToolCall
from crossfade.conversation.usage import Usage
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    LateUsage,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SpeechDone,
    TextDelta,
)
from crossfade.providers.gemini_hearing import Hearing
from crossfade.providers.gemini_rounds import Rounds
from crossfade.providers.session_ids import Ids
from crossfade.providers.sound_format import WholeSamples

_SAMPLE_BYTES = 2
_MOST_EARLY_CHARACTERS = 20_000
_REASONS = {
    "TURN_COMPLETE_REASON_UNSPECIFIED": ResponseStatus.COMPLETED,
    "NEED_MORE_INPUT": ResponseStatus.COMPLETED,
    "MALFORMED_FUNCTION_CALL": ResponseStatus.FAILED,
    "RESPONSE_REJECTED": ResponseStatus.FAILED,
}


@dataclass(slots=True)
class _Item:
    """One stretch of speech, up to where its generation ends."""

    id: str
    samples: WholeSamples = field(default_factory=WholeSamples)
    sounds: bool = False
    done: bool = False


@dataclass(slots=True)
class _Response:
    id: str
    item: _Item | None = None
    usage: Usage | None = None
    cut: bool = False
    """The user or the caller interrupted it."""
    generated: bool = False
    """Nothing more of it comes; what comes belongs to the next."""


class Turns:
    """Makes responses of what the model sends. Each has one ResponseStarted and one ResponseDone.

    Args:
        ids: Names of this session.
        hearing: The user's turns; a response answers the last one.
        rounds: Told of what begins and is cut.
    """

    def __init__(self, ids: Ids, hearing: Hearing, rounds: Rounds) -> None:
        self._ids = ids
        self._hearing = hearing
        self._rounds = rounds
        self._response: _Response | None = None
        # Of the last response some may still be playing, so it can be interrupted, once.
        self._last_id = ""
        # What the last response cost may be told until something new is to be answered.
        self._paid_id = ""
        self._early_text = ""
        # Words may run ahead of the answer that is awaited; else they trail the last one.
        self._answer_awaited = True
        self._loose_usage: Usage | None = None

    @property
    def busy(self) -> bool:
        """Whether a response is on its way that nobody has interrupted."""
        return self._response is not None and not self._response.cut

    @property
    def running(self) -> bool:
        """Whether a response is on its way, interrupted or not."""
        return self._response is not None

    def prompted(self) -> None:
        """Something new is to be answered: words without sound until here belong to the past."""
        self._early_text = ""
        self._answer_awaited = True
        # Of the turn that called a tool, the end may be still to come.
        if not self._rounds.calling:
            self._paid_id = ""

    def cut(self) -> None:
        """The caller interrupts: what still comes of this response is dropped."""
        if self._response is not None:
            self._response.cut = True
        self._last_id = ""
        self._early_text = ""

    def spend(self, usage: Usage | None, *, ahead: bool = False) -> list[Event]:
        """Add tokens to the response that runs, else to the last one, else to the next.

        Args:
            usage: None for no tokens.
            ahead: They belong to what the same message begins.
        """
        if usage is None:
            return []
        if self._response is not None:
            self._response.usage = _sum(self._response.usage, usage)
        elif self._paid_id and not ahead:
            return [LateUsage(response_id=self._paid_id, usage=usage)]
        else:
            self._loose_usage = _sum(self._loose_usage, usage)
        return []

    def sound(self, audio: bytes) -> list[Event]:
        """The agent speaks: s16le, of which the last sample may be half."""
        events: list[Event] = []
        response = self._response
        if response is None or response.cut:
            events, response = self._current()
            if response.cut:
                return events
        item = response.item
        if item is None or item.done:
            item = response.item = _Item(id=self._ids.next("item"))
        pcm = item.samples.join(audio, _SAMPLE_BYTES)
        if pcm:
            item.sounds = True
            events.append(AudioChunk(response_id=response.id, item_id=item.id, pcm=pcm))
        if self._early_text:
            events += self._give_early_text()
        return events

    def spoken_text(self, text: str) -> list[Event]:
        """The words of the speech, which run ahead of it or trail it.

        They begin no response: some come alone, long after the speech. Those that come when the
        turn is over, and before anything new is to be answered, are its own, and are dropped.
        """
        response = self._response
        if not self._answer_awaited if response is None else response.cut:
            return []
        room = _MOST_EARLY_CHARACTERS - len(self._early_text)
        self._early_text += text[:room]
        return self._give_early_text()

    def written_text(self, text: str) -> list[Event]:
        events, response = self._current()
        if response.cut or not text:
            return events
        if response.item is None:
            response.item = _Item(id=self._ids.next("item"))
        delta = TextDelta(
            response_id=response.id, item_id=response.item.id, text=text, spoken=False
        )
        return [*events, delta]

    def calls(self, calls: Sequence[ToolCall]) -> list[Event]:
        """The model calls tools. What a cut response calls must be answered all the same."""
        events = self._end(ResponseStatus.INTERRUPTED) if self._is_cut() else []
        begun, response = self._current()
        events += begun
        events += [replace(call, response_id=response.id) for call in calls]
        events += self._end(ResponseStatus.COMPLETED)
        self._answer_awaited = True
        return events

    def generated(self) -> list[Event]:
        """All that the model had to say has arrived."""
        if self._response is not None and self._response.cut:
            self._response.generated = True
        return self._finish_item()

    def part_completed(self) -> list[Event]:
        """A part of the model's turn is over; more of the same response comes."""
        if self._response is not None:
            self._response.generated = False
        return self._finish_item()

    def interrupted(self, *, spoken: bool) -> list[Event]:
        """The service cut the response, or what is still playing of the last one.

        Args:
            spoken: The user's words came along. Else a result may have done it.
        """
        self._early_text = ""
        by_user = not self._rounds.take_cut() or spoken
        self._rounds.turn_over()
        cut_id, self._last_id = self._last_id, ""
        if self._response is not None:
            cut_id = "" if self._response.cut else self._response.id
            self._response.cut = self._response.generated = True
        return [Interruption(response_id=cut_id)] if cut_id and by_user else []

    def completed(self, reason: str) -> list[Event]:
        """The model's turn is over."""
        status = ResponseStatus.COMPLETED
        if reason:
            status = _REASONS.get(reason, ResponseStatus.INCOMPLETE)
        events: list[Event] = []
        if self._response is None:
            if status is ResponseStatus.COMPLETED and not self._early_text:
                return []
            begun, response = self._current()
            response.item = _Item(id=self._ids.next("item"))
            events = begun + self._give_early_text()
        if self._is_cut():
            return self._end(ResponseStatus.INTERRUPTED)
        why = None if status is ResponseStatus.COMPLETED else reason
        return events + self._end(status, why)

    def _is_cut(self) -> bool:
        return self._response is not None and self._response.cut

    def _current(self) -> tuple[list[Event], _Response]:
        """The response that goes on, or the next one, begun."""
        events: list[Event] = []
        if self._response is not None and self._response.cut and self._response.generated:
            events += self._end(ResponseStatus.INTERRUPTED)
        if self._response is None:
            events += self._hearing.answered()
            self._response = _Response(id=self._ids.next("response"), usage=self._loose_usage)
            self._loose_usage = None
            self._answer_awaited = False
            self._rounds.response_begins()
            events.append(ResponseStarted(response_id=self._response.id))
        return events, self._response

    def _give_early_text(self) -> list[Event]:
        response, text = self._response, self._early_text
        if response is None or response.item is None or not text:
            return []
        self._early_text = ""
        return [
            TextDelta(response_id=response.id, item_id=response.item.id, text=text, spoken=True)
        ]

    def _finish_item(self) -> list[Event]:
        response = self._response
        if response is None or response.item is None or response.item.done:
            return []
        response.item.done = True
        if response.cut or not response.item.sounds:
            return []
        return [SpeechDone(response_id=response.id, item_id=response.item.id)]

    def _end(self, status: ResponseStatus, reason: str | None = None) -> list[Event]:
        events = self._finish_item()
        response, self._response = self._response, None
        if response is None:
            return events
        self._last_id = "" if response.cut else response.id
        self._paid_id = response.id
        self._early_text = ""
        done = ResponseDone(
            response_id=response.id,
            status=status,
            usage=response.usage,
            reason=reason,
            awaits_tools=self._rounds.pending,
        )
        return [*events, done]


def _sum(one: Usage | None, other: Usage) -> Usage:
    return other if one is None else one + other


__all__ = ["Turns"]
