"""The one writer of the conversation: it reads the frames that pass and files what was said."""

import asyncio
from collections.abc import Sequence
from enum import Enum

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolResult
from crossfade.frames.audio import PlayedSpeech, SpeechPlayedFrame
from crossfade.frames.control import (
    Frame,
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
    UserTurnStartProposedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import (
    InputTextRawFrame,
    SpokenTextFrame,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
    WordTimingsFrame,
)
from crossfade.frames.tools import (
    FunctionCallResultFrame,
    ToolCallsFrame,
    ToolCancelFrame,
    is_final,
)

from .base import DOWNSTREAM, FrameDirection, Processor


class TapSide(Enum):
    """Where the tap stands."""

    USER = "user"
    """Before the speech node: the user's turns and transcripts pass here."""
    AGENT = "agent"
    """Behind the dispatcher: the agent's words and tools pass here, and playout comes back."""


class ConversationTap(Processor):
    """Files what passes into the ledger. A chain has two, one on each side of the node.

    Both stand before the transport's output: a stock one drops words that wait in it when an
    interruption comes, and the ledger must have them.
    """

    hears = (
        # The user's side
        VADUserStartedSpeakingFrame,
        SpeechDroppedFrame,
        VADUserStoppedSpeakingFrame,
        UserTurnStartProposedFrame,
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
        UserTurnCommittedFrame,
        UserTranscriptFrame,
        UserPartialTranscriptFrame,
        InputTextRawFrame,
        UserImageFrame,
        # The agent's
        ResponseStartFrame,
        SpokenTextFrame,
        WordTimingsFrame,
        ResponseEndFrame,
        ToolCallsFrame,
        ToolCancelFrame,
        FunctionCallResultFrame,
        SpeechPlayedFrame,
    )

    def __init__(
        self, conversation: Conversation, side: TapSide, *, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self._conversation = conversation
        self._side = side
        self._proposed_item_id: str | None = None

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        if self._side is TapSide.USER:
            self._note_user(frame, direction)
        elif direction is DOWNSTREAM:
            self._note_agent(frame)
        elif isinstance(frame, SpeechPlayedFrame):
            self._note_played(frame)

    def _note_user(self, frame: Frame, direction: FrameDirection) -> None:
        ledger, now_s = self._conversation, asyncio.get_running_loop().time()
        match frame:
            case VADUserStartedSpeakingFrame():
                ledger.speech_heard(now_s - frame.start_secs)
            case SpeechDroppedFrame():
                ledger.speech_dropped()
            case VADUserStoppedSpeakingFrame():
                ledger.speech_over(now_s - frame.stop_secs)
            case UserTurnStartProposedFrame():
                self._proposed_item_id = frame.item_id
            case UserStartedSpeakingFrame() if direction is DOWNSTREAM:
                ledger.user_started(self._proposed_item_id, now_s, turn_id=str(frame.id))
                self._proposed_item_id = None
            case UserStoppedSpeakingFrame() if direction is DOWNSTREAM:
                ledger.user_stopped(now_s)
            case UserTurnCommittedFrame():
                ledger.user_committed(frame.item_id, turn_id=frame.turn_id)
            case UserTranscriptFrame():
                ledger.user_transcript(frame.item_id, frame.text, final=True)
            case UserPartialTranscriptFrame():
                ledger.user_transcript(frame.item_id, frame.text, final=False)
            case InputTextRawFrame():
                ledger.user_text(frame.text, now_s)
            case UserImageFrame():
                ledger.user_image(frame.data, frame.media_type, now_s)

    def _note_agent(self, frame: Frame) -> None:
        ledger, now_s = self._conversation, asyncio.get_running_loop().time()
        match frame:
            case ResponseStartFrame():
                ledger.response_started(frame.response_id, frame.injected, now_s)
            case SpokenTextFrame():
                ledger.agent_text(
                    frame.response_id,
                    frame.context_id or "",
                    frame.text,
                    injected=frame.injected,
                )
            case WordTimingsFrame():
                ledger.agent_timed(frame.item_id, frame.timings, response_id=frame.response_id)
            case ResponseEndFrame():
                ledger.response_ended(
                    frame.response_id, frame.status, frame.usage, received_ms=frame.received_ms
                )
            case ToolCallsFrame():
                for call in frame.shown:
                    ledger.tool_called(call, now_s)
            case ToolCancelFrame(tool_call_id=call_id, reason=reason):
                cancelled = ToolResult(call_id=call_id, output=reason, is_error=True)
                ledger.tool_answered(cancelled, now_s)
            case FunctionCallResultFrame() if is_final(frame):
                ledger.tool_answered(
                    ToolResult(
                        call_id=frame.tool_call_id,
                        output=frame.result,
                        is_error=frame.error is not None,
                    ),
                    now_s,
                )

    def settle(self, items: Sequence[PlayedSpeech]) -> None:
        """File what was being played when the call ended, of which no frame tells any more."""
        self._note_played(SpeechPlayedFrame(items=tuple(items), interrupted=True))

    def _note_played(self, frame: SpeechPlayedFrame) -> None:
        for item in frame.items:
            self._conversation.agent_played(
                item.origin.item_id,
                item.played_ms,
                item.received_ms,
                interrupted=frame.interrupted,
                response_id=item.origin.response_id,
            )
