"""What goes wrong with the user's transcript, on every wire that tells one."""

from typing import Literal

from pydantic import PositiveFloat

from .script import Fault


class FailedTranscription(Fault):
    """The next transcript of the user fails; where a wire cannot tell so, it does not come."""

    marks = True
    fault: Literal["failed_transcription"] = "failed_transcription"


class EmptyTranscription(Fault):
    """The next transcript of the user has no words."""

    marks = True
    fault: Literal["empty_transcription"] = "empty_transcription"


class LateTranscription(Fault):
    """The next transcript of the user comes `ms` later."""

    marks = True
    fault: Literal["late_transcription"] = "late_transcription"
    ms: PositiveFloat = 5000
