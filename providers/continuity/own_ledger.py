"""Writes the conversation of a session that nobody else writes: from its commands and events.

What was played is not known here: all that came counts as heard, but what `interrupt` says.
"""

from collections import OrderedDict

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall
from crossfade.providers.commands import Command, Interrupt, SendImage, SendText, SendToolResult
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ResponseDone,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    UserTranscript,
    UserTurnCommitted,
)

# Items that may still be playing; the oldest are taken for heard.
_MOST_ITEMS = 256


class OwnLedger:
    """Files what was said, called and answered.

    Args:
        conversation: Where to.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._received_ms: OrderedDict[str, float] = OrderedDict()
        self._items: dict[str, list[str]] = {}

    def asked(self, command: Command, now_s: float) -> None:
        match command:
            case SendText(text=text):
                self.conversation.user_text(text, now_s)
            case SendImage(data=data, media_type=media_type):
                self.conversation.user_image(data, media_type, now_s)
            case SendToolResult(result=result, final=True):
                self.conversation.tool_answered(result, now_s)
            case Interrupt(played_ms=played_ms):
                for item_id, played in played_ms.items():
                    received = self._received_ms.get(item_id, 0.0)
                    self.conversation.agent_played(item_id, played, received, interrupted=True)

    def user_speaks(self, speaks: bool, now_s: float) -> None:
        """The caller's own ear hears the user begin or stop to speak."""
        heard = self.conversation.speech_heard if speaks else self.conversation.speech_over
        heard(now_s)

    def speech(self, chunk: AudioChunk, duration_ms: float) -> None:
        received_ms = self._received_ms
        if chunk.item_id not in received_ms:
            self._items.setdefault(chunk.response_id, []).append(chunk.item_id)
            if len(received_ms) >= _MOST_ITEMS:
                received_ms.popitem(last=False)
            received_ms[chunk.item_id] = 0.0
        received_ms[chunk.item_id] += duration_ms

    def told(self, event: Event, now_s: float) -> None:
        """File any other event."""
        ledger = self.conversation
        match event:
            case TextDelta():
                ledger.agent_text(event.response_id, event.item_id, event.text, spoken=event.spoken)
            case ToolCall():
                ledger.tool_called(event, now_s)
            case ResponseStarted():
                ledger.response_started(event.response_id, event.injected, now_s)
            case ResponseDone():
                self._ended(event)
            case SpeechStarted(item_id=item_id):
                ledger.user_started(item_id, now_s)
            case SpeechStopped():
                ledger.user_stopped(now_s)
            case UserTurnCommitted(item_id=item_id):
                ledger.user_committed(item_id)
            case UserTranscript():
                ledger.user_transcript(event.item_id, event.text, event.final)

    def _ended(self, event: ResponseDone) -> None:
        received_ms = {
            item_id: self._received_ms.get(item_id, 0.0)
            for item_id in self._items.pop(event.response_id, ())
        }
        self.conversation.response_ended(
            event.response_id, event.status.value, event.usage, received_ms=received_ms
        )
        for item_id, received in received_ms.items():
            self.conversation.agent_played(
                item_id, received, received, response_id=event.response_id
            )


__all__ = ["OwnLedger"]
