"""What the agent says and calls: reads the messages of OpenAI's responses."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pybase64

from crossfade.conversation.tools import ToolCall
from crossfade.providers.awaited_tools import AwaitedTools
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    Severity,
    SpeechDone,
    TextDelta,
)
from crossfade.providers.malformed import malformed
from crossfade.providers.openai_errors import classify, why_not_completed
from crossfade.providers.openai_items import Item, Items
from crossfade.providers.openai_playout import Playout
from crossfade.providers.openai_requests import INJECTED_KEY, cancel_response, delete_item
from crossfade.providers.openai_responses import Response, Responses
from crossfade.providers.openai_usage import read_usage
from crossfade.providers.wire_json import JsonObject, child, children, decode, string

AUDIO_DELTA = "response.output_audio.delta"
_MOST_CALLS = 128
_STATUSES = {
    "completed": ResponseStatus.COMPLETED,
    "cancelled": ResponseStatus.INTERRUPTED,
    "incomplete": ResponseStatus.INCOMPLETE,
    "failed": ResponseStatus.FAILED,
}


class Output:
    """Reads responses. Each has one ResponseStarted, then one ResponseDone, announced or not.

    Args:
        responses: Those of the session; begun and ended here.
        items: Those of the session; filled here.
        playout: Told of all audio of the conversation.
        tools: Told of calls, and of responses that may speak of results.
        deletes: Whether items can be taken out of the conversation.
    """

    def __init__(
        self,
        responses: Responses,
        items: Items,
        playout: Playout,
        tools: AwaitedTools,
        *,
        deletes: bool = True,
    ) -> None:
        self._tools = tools
        self._deletes = deletes
        self._playout = playout
        self._responses = responses
        self._items = items
        self.due: list[bytes] = []
        """Messages that became due by what was received."""

    def receive(self, kind: str, fields: JsonObject) -> list[Event]:
        """Understand a message of type `kind`; those of other types say nothing."""
        read = _READERS.get(kind)
        if read is None:
            whole = _WHOLE.get(kind)
            return [] if whole is None else whole(self, fields)
        response_id = string(fields, "response_id")
        if not response_id:
            return [malformed(f"{kind} without a response_id")]
        response = self._responses.get(response_id)
        if response is not None:
            return read(self, response, fields)
        events = self._begin(response_id, announced=False)
        response = self._responses.get(response_id)
        # What trails behind the end of a response is late.
        return events if response is None else events + read(self, response, fields)

    def speak_on(self, response_id: str, item_id: str, sound: bytes) -> list[Event] | None:
        """Take more sound of a response that runs; None if it does not, or it is no base64."""
        response = self._responses.get(response_id)
        if response is None:
            return None
        try:
            return self._sound(response, item_id, sound)
        except ValueError:
            return None

    def end_cut(self, response_id: str = "") -> list[Event]:
        """End a response that was cut and runs no more, though its end was not told; or all."""
        lost = [one.id for one in self._responses if one.cut and response_id in ("", one.id)]
        # A response that nobody has seen runs no more, either.
        self._responses.end("")
        body = {"status": "cancelled"}
        return [
            event for name in lost for event in self._on_done({"response": {"id": name, **body}})
        ]

    def replies(self) -> list[bytes]:
        """Give what is due, once."""
        replies, self.due = self.due, []
        return replies

    def _on_created(self, fields: JsonObject) -> list[Event]:
        body = child(fields, "response")
        response_id = string(body, "id")
        if not response_id:
            return [malformed("a response without an id")]
        return self._begin(response_id, child(body, "metadata"))

    def _begin(
        self, response_id: str, metadata: JsonObject | None = None, *, announced: bool = True
    ) -> list[Event]:
        metadata = metadata or {}
        injected = INJECTED_KEY in metadata
        response = self._responses.begin(
            response_id,
            injected=injected,
            announced=announced,
            request_id=string(metadata, INJECTED_KEY),
        )
        if response is None:
            return []
        if self._responses.knows_all(response):
            self._tools.answer_begins()
        if response.cut:
            self.due.append(cancel_response(response_id))
        return [ResponseStarted(response_id=response_id, injected=injected, label=response.label)]

    def _on_done(self, fields: JsonObject) -> list[Event]:
        body = child(fields, "response")
        if not string(body, "id"):
            # Whichever it was, it is over.
            self._responses.end("")
        events = self._on_created(fields)
        response = self._responses.get(string(body, "id"))
        if response is None:
            return events
        complete = string(body, "status") == ResponseStatus.COMPLETED.value
        for item in children(body, "output"):
            # Of a response that was cut short, a call may be half written.
            if complete or not _is_call(item) or string(item, "status") == "completed":
                events += self._finish_item(response, item)
        if self._deletes and not response.injected:
            # What was cut before its first sound reached us was not heard at all.
            self.due += [delete_item(item_id) for item_id in response.unheard_items]
        self._responses.end(response.id)
        status = _STATUSES.get(string(body, "status"), ResponseStatus.FAILED)
        events.append(
            ResponseDone(
                response_id=response.id,
                status=ResponseStatus.INTERRUPTED if response.cut else status,
                usage=read_usage(child(body, "usage")),
                reason=why_not_completed(body),
                awaits_tools=self._tools.pending,
            )
        )
        return [*events, _failure(body)] if status is ResponseStatus.FAILED else events

    def _on_audio(self, response: Response, fields: JsonObject) -> list[Event]:
        try:
            return self._sound(response, string(fields, "item_id"), string(fields, "delta"))
        except ValueError:
            return [malformed("audio that is no base64")]

    def _sound(self, response: Response, item_id: str, sound: str | bytes) -> list[Event]:
        """Take sound in base64.

        Raises:
            ValueError: It is none.
        """
        item = self._items.get_or_add(item_id, injected=response.injected)
        self._items.spoken = True
        if response.cut:
            if not item.received_bytes and not item.settled:
                item.settled = True
                response.unheard_items.append(item_id)
            return []
        audio = pybase64.b64decode(sound, validate=True)
        pcm = item.whole_samples(audio, self._items.sound.sample_bytes)
        if not response.injected:
            self._playout.add(response.id, len(pcm))
        return [AudioChunk(response_id=response.id, item_id=item_id, pcm=pcm)] if pcm else []

    def _on_transcript(self, response: Response, fields: JsonObject) -> list[Event]:
        return self._text(response, fields, spoken=True)

    def _on_text(self, response: Response, fields: JsonObject) -> list[Event]:
        return self._text(response, fields, spoken=False)

    def _text(self, response: Response, fields: JsonObject, *, spoken: bool) -> list[Event]:
        text = string(fields, "delta")
        if response.cut or not text:
            return []
        item_id = string(fields, "item_id")
        item = self._items.get_or_add(item_id, injected=response.injected)
        item.text_length += len(text)
        return [TextDelta(response_id=response.id, item_id=item_id, text=text, spoken=spoken)]

    def _on_item_done(self, response: Response, fields: JsonObject) -> list[Event]:
        return self._finish_item(response, child(fields, "item"))

    def _finish_item(self, response: Response, fields: JsonObject) -> list[Event]:
        """Give what of a finished item did not come in pieces, once."""
        if _is_call(fields):
            complete = string(fields, "status") != "incomplete"
            return self._on_arguments(response, fields) if complete else []
        item_id = string(fields, "id")
        if response.cut or not item_id:
            return []
        item = self._items.get_or_add(item_id, injected=response.injected)
        if item.done:
            return []
        item.done = True
        events = _rest_of(children(fields, "content"), item, response.id, item_id)
        if item.received_bytes:
            events.append(SpeechDone(response_id=response.id, item_id=item_id))
        return events

    def _on_arguments(self, response: Response, fields: JsonObject) -> list[Event]:
        call_id, name = string(fields, "call_id"), string(fields, "name")
        # Some servers name the function only in the finished item, which follows.
        if response.cut or not call_id or not name or call_id in response.call_ids:
            return []
        if len(response.call_ids) >= _MOST_CALLS:
            return [malformed(f"more than {_MOST_CALLS} calls in one response")]
        response.call_ids.add(call_id)
        self._tools.call(call_id)
        text = string(fields, "arguments")
        arguments = decode(text or "{}")
        return [
            ToolCall(
                id=call_id,
                name=name,
                arguments={} if arguments is None else arguments,
                response_id=response.id,
                unparsed=text if arguments is None else None,
            )
        ]


_READERS: Mapping[str, Callable[[Output, Response, JsonObject], list[Event]]] = {
    AUDIO_DELTA: Output._on_audio,
    "response.output_audio_transcript.delta": Output._on_transcript,
    "response.output_text.delta": Output._on_text,
    "response.function_call_arguments.done": Output._on_arguments,
    "response.output_item.done": Output._on_item_done,
}
_WHOLE: Mapping[str, Callable[[Output, JsonObject], list[Event]]] = {
    "response.created": Output._on_created,
    "response.done": Output._on_done,
}


def _failure(response: JsonObject) -> ProviderError:
    """Why a response failed. Whatever it was, this line goes on until it is closed."""
    error = classify(child(child(response, "status_details"), "error"))
    fatal = error.severity is Severity.FATAL
    return replace(
        error,
        message=why_not_completed(response) or error.message,
        severity=Severity.FATAL if fatal else Severity.REQUEST,
        response_id=string(response, "id"),
    )


def _is_call(item: JsonObject) -> bool:
    return string(item, "type") == "function_call"


def _rest_of(parts: list[JsonObject], item: Item, response_id: str, item_id: str) -> list[Event]:
    """Give the text of a finished item that did not come in pieces."""
    events: list[Event] = []
    said = item.text_length
    for part in parts:
        spoken = string(part, "type") in ("output_audio", "audio")
        text = string(part, "transcript" if spoken else "text")
        if rest := text[said:]:
            events.append(
                TextDelta(response_id=response_id, item_id=item_id, text=rest, spoken=spoken)
            )
        said = max(0, said - len(text))
    return events


__all__ = ["AUDIO_DELTA", "Output"]
