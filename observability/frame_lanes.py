"""Which frames of a call run in one lane: there their order counts, between lanes it does not."""

LANES: dict[str, frozenset[str]] = {
    "the user's speech": frozenset(
        {
            "VADUserStartedSpeakingFrame",
            "VADUserStoppedSpeakingFrame",
            "SpeechConfirmedFrame",
            "SpeechDroppedFrame",
        }
    ),
    "turn": frozenset(
        {
            "UserTurnStartProposedFrame",
            "UserTurnStopProposedFrame",
            "UserStartedSpeakingFrame",
            "UserStoppedSpeakingFrame",
            "UserTurnCommittedFrame",
            "InterruptionFrame",
        }
    ),
    "hold": frozenset({"PlayoutHoldFrame", "PlayoutResumeFrame"}),
    "the user's words": frozenset(
        {
            "TranscriptionFrame",
            "InterimTranscriptionFrame",
            "UserTranscriptFrame",
            "UserPartialTranscriptFrame",
            "InputTextRawFrame",
        }
    ),
    "answer": frozenset(
        {
            "ResponseStartFrame",
            "ResponseEndFrame",
            "SpokenTextFrame",
            "TTSTextFrame",
            "AcknowledgeFrame",
        }
    ),
    "tool call": frozenset(
        {
            "ToolCallsFrame",
            "FunctionCallsStartedFrame",
            "FunctionCallInProgressFrame",
            "FunctionCallResultFrame",
            "ToolCancelFrame",
        }
    ),
    "playout": frozenset(
        {"BotStartedSpeakingFrame", "BotStoppedSpeakingFrame", "SpeechPlayedFrame"}
    ),
    "session": frozenset({"SessionLostFrame", "SessionContinuedFrame", "AudioLostFrame"}),
    "node": frozenset({"NodeSwitchedFrame", "NodeFailedFrame"}),
    "call": frozenset({"StartFrame", "EndFrame", "CancelFrame", "ErrorFrame"}),
}
__all__ = ["LANES"]
