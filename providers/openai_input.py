"""What the user says: reads the messages about the user's turns and their transcripts."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.events import (
    Event,
    Interruption,
    Severity,
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.openai_errors import classify
from crossfade.providers.openai_playout import Playout
from crossfade.providers.openai_responses import Responses
from crossfade.providers.openai_retold import Retold
from crossfade.providers.openai_sent_items import SentItems
from crossfade.providers.openai_transcripts import Transcripts
from crossfade.providers.openai_usage import read_transcription
from crossfade.providers.transcript_order import TranscriptOrder
from crossfade.providers.wire_json import JsonObject, child, string, whole


class Input:
    """Reads turns and transcripts, and keeps the floor of the session's responses.

    Args:
        responses: Those of the session; told who has the floor, and cut when the user speaks.
        sent_items: Told what became part of the conversation.
        playout: Of the answers, stopped when the user speaks.
        retold: Turns of an earlier session, of which only the words are told.
    """

    def __init__(
        self, responses: Responses, sent_items: SentItems, playout: Playout, retold: Retold
    ) -> None:
        self._responses = responses
        self._sent_items = sent_items
        self._playout = playout
        self._retold = retold
        self._config = SessionConfig()
        self._recogniser = ""
        self._transcripts = Transcripts()
        self._order = TranscriptOrder()
        self._silent_item = ""

    def configure(self, config: SessionConfig, recogniser: str = "") -> None:
        self._config = config
        self._recogniser = recogniser

    def receive(self, kind: str, fields: JsonObject) -> list[Event] | None:
        """Understand a message of type `kind`; None for those that are not about the user."""
        read = _READERS.get(kind)
        return None if read is None else read(self, fields)

    def ended(self) -> list[Event]:
        """Give the transcripts that waited for others, when no others will come."""
        return [*self._order.flush()]

    @property
    def _service_finds_turns(self) -> bool:
        return self._config.turn_detection is not TurnDetection.CALLER

    @property
    def _service_answers(self) -> bool:
        """A service that shall not interrupt itself fails to answer while it speaks: we ask."""
        return self._service_finds_turns and self._config.interruptible

    def _on_speech_started(self, fields: JsonObject) -> list[Event]:
        events: list[Event] = [
            SpeechStarted(
                item_id=string(fields, "item_id"), at_ms=self._at_ms(fields, "audio_start_ms")
            )
        ]
        if self._service_finds_turns:
            self._responses.user_speaks()
        if self._service_answers:
            events += self._cut_answers()
        return events

    def _cut_answers(self) -> list[Event]:
        # The service cuts what belongs to the conversation, and nothing else.
        running = [one for one in self._responses if not (one.cut or one.injected)]
        for response in running:
            response.cut = True
        still_playing = self._playout.stop()
        names = [response.id for response in running] or [still_playing]
        return [Interruption(response_id=name) for name in names if name]

    def _on_speech_stopped(self, fields: JsonObject) -> list[Event]:
        if self._service_answers:
            self._responses.answer_due()
        return [
            SpeechStopped(
                item_id=string(fields, "item_id"), at_ms=self._at_ms(fields, "audio_end_ms")
            )
        ]

    def _at_ms(self, fields: JsonObject, field: str) -> int:
        """A position in what the user says in this session."""
        return max(0, whole(fields, field) - self._retold.heard_ms)

    def _on_timeout(self, fields: JsonObject) -> list[Event]:
        """The user was silent for long: the service commits the silence and speaks up."""
        self._silent_item = string(fields, "item_id")
        self._responses.answer_due()
        return []

    def _on_committed(self, fields: JsonObject) -> list[Event]:
        if self._retold.committed(string(fields, "item_id")):
            return []
        if self._service_answers:
            self._responses.answer_due()
        elif self._service_finds_turns:
            self._responses.floor_free()
            self._responses.ask(of_turn=True)
        item_id = string(fields, "item_id")
        if item_id and item_id == self._silent_item:
            return []
        events: list[Event] = [UserTurnCommitted(item_id=item_id)]
        if self._config.transcribe:
            events += self._order.announce(item_id, string(fields, "previous_item_id") or None)
        return events

    def _on_cleared(self, fields: JsonObject) -> list[Event]:
        if self._service_finds_turns:
            self._responses.floor_free()
        return []

    def _on_item_added(self, fields: JsonObject) -> list[Event]:
        self._sent_items.arrive(child(fields, "item"))
        return []

    def _on_item_deleted(self, fields: JsonObject) -> list[Event]:
        return [*self._order.forget(string(fields, "item_id"))]

    def _on_delta(self, fields: JsonObject) -> list[Event]:
        item_id = string(fields, "item_id")
        return self._partial(item_id, self._transcripts.add(item_id, string(fields, "delta")))

    def _on_updated(self, fields: JsonObject) -> list[Event]:
        return self._partial(string(fields, "item_id"), string(fields, "transcript").strip())

    def _on_completed(self, fields: JsonObject) -> list[Event]:
        used = read_transcription(fields, self._recogniser)
        return [*self._final(fields, string(fields, "transcript").strip()), *used]

    def _on_failed(self, fields: JsonObject) -> list[Event]:
        error = classify(child(fields, "error"))
        if error.severity is not Severity.HARMLESS:
            # The recogniser failed, a model of its own: the conversation goes on without the words.
            error = replace(error, severity=Severity.REQUEST)
        return [*self._final(fields, ""), error]

    def _partial(self, item_id: str, text: str) -> list[Event]:
        if not text or item_id == self._silent_item:
            return []
        if (known := self._retold.words(item_id, text, final=False)) is not None:
            return [*known]
        return [*self._order.put(UserTranscript(item_id=item_id, text=text, final=False))]

    def _final(self, fields: JsonObject, text: str) -> list[Event]:
        item_id = string(fields, "item_id")
        self._transcripts.forget(item_id)
        if item_id and item_id == self._silent_item:
            return []
        if (known := self._retold.words(item_id, text, final=True)) is not None:
            return [*known]
        return [*self._order.put(UserTranscript(item_id=item_id, text=text, final=True))]


_BUFFER = "input_audio_buffer"
_TRANSCRIPTION = "conversation.item.input_audio_transcription"
_READERS: Mapping[str, Callable[[Input, JsonObject], list[Event]]] = {
    f"{_BUFFER}.speech_started": Input._on_speech_started,
    f"{_BUFFER}.speech_stopped": Input._on_speech_stopped,
    f"{_BUFFER}.timeout_triggered": Input._on_timeout,
    f"{_BUFFER}.committed": Input._on_committed,
    f"{_BUFFER}.cleared": Input._on_cleared,
    "conversation.item.added": Input._on_item_added,
    "conversation.item.deleted": Input._on_item_deleted,
    f"{_TRANSCRIPTION}.delta": Input._on_delta,
    f"{_TRANSCRIPTION}.updated": Input._on_updated,
    f"{_TRANSCRIPTION}.completed": Input._on_completed,
    f"{_TRANSCRIPTION}.failed": Input._on_failed,
}

__all__ = ["Input"]
