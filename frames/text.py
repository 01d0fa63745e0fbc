"""Words that flow through the chain: what the user said, what the agent says."""

from dataclasses import dataclass

from pipecat.frames.frames import (
    DataFrame,
    InputTextRawFrame,
    InterimTranscriptionFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSTextFrame,
)
from pipecat.utils.text.base_text_aggregator import TextType

from crossfade.conversation.heard import WordTiming


@dataclass
class UserTranscriptFrame(TranscriptionFrame):
    """What the user said in one turn. Flows upstream; may come late and out of order."""

    item_id: str = ""


@dataclass
class UserPartialTranscriptFrame(InterimTranscriptionFrame):
    """What the user has said so far in the turn that is still being spoken."""

    item_id: str = ""


@dataclass
class SpokenTextFrame(TTSTextFrame):
    """Words of the agent's speech as they were generated, spaces included.

    `context_id` is the item. Which of them the caller heard is the ledger's business.
    """

    response_id: str = ""
    injected: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.includes_inter_frame_spaces = True


@dataclass
class WordTimingsFrame(DataFrame):
    """Where words of the agent's speech end, from a synthesiser that knows. Flows downstream."""

    response_id: str = ""
    item_id: str = ""
    timings: tuple[WordTiming, ...] = ()


__all__ = [
    "InputTextRawFrame",
    "InterimTranscriptionFrame",
    "LLMTextFrame",
    "SpokenTextFrame",
    "TTSTextFrame",
    "TextType",
    "TranscriptionFrame",
    "UserPartialTranscriptFrame",
    "UserTranscriptFrame",
    "WordTimingsFrame",
]
