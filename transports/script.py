"""What a scripted caller says, and when. Pure: told what happens and what time it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.audio.sound_file import Sound


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenAnswered:
    """Speak when the agent has finished and stays silent for a moment."""

    pause_s: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class IntoAnswer:
    """Speak while the agent answers, so long after its answer began to sound."""

    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterSilence:
    """Speak so long after the line before, or after the start of the call."""

    after_s: float


Cue = WhenAnswered | IntoAnswer | AfterSilence


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One utterance of the caller."""

    name: str
    sound: Sound
    cue: Cue


class Script:
    """Follows a call and says which line is due.

    An acknowledgement is no answer: while a tool runs, the caller waits on. A cue that never comes
    is given up after `patience_s`, so that every script ends.

    Args:
        lines: What the caller says, in order.
        patience_s: How long the caller waits for one cue.
        pause_s: Silence after the last answer that ends the call.
    """

    def __init__(
        self, lines: Sequence[Line], *, patience_s: float = 20, pause_s: float = 1.0
    ) -> None:
        self.lines = tuple(lines)
        self._patience_s = patience_s
        self._hang_up_cue = WhenAnswered(pause_s=pause_s)
        self._next = 0
        self._spoken_until_s = 0.0
        self._agent_until_s = 0.0
        self._answering_since_s: float | None = None
        self._answered_at_s: float | None = None
        self._open_calls: set[str] = set()
        self.missed: list[str] = []
        """Names of the lines whose cue never came, and "(hanging up)" for the last answer."""

    def started(self, now_s: float) -> None:
        """The call began."""
        self._spoken_until_s = now_s

    def agent_started(self, now_s: float) -> None:
        """The agent began to sound."""
        if not self._open_calls:
            self._answering_since_s = now_s
        self._answered_at_s = None

    def agent_stopped(self, now_s: float) -> None:
        """The agent fell silent."""
        self._agent_until_s = now_s
        if self._answering_since_s is not None:
            self._answered_at_s = now_s
        self._answering_since_s = None

    def tool_called(self, call_id: str) -> None:
        self._open_calls.add(call_id)
        self._answered_at_s = None

    def tool_answered(self, call_id: str) -> None:
        self._open_calls.discard(call_id)

    def due(self, now_s: float) -> Line | None:
        """The line to speak now, if one is due; it is over at the time its sound ends."""
        if self._next == len(self.lines):
            return None
        line = self.lines[self._next]
        if not self._cued(line.cue, now_s):
            if not self._impatient(now_s):
                return None
            self.missed.append(line.name)
        self._next += 1
        self._spoken_until_s = now_s + line.sound.duration_ms / 1000
        # What the agent was saying until now does not answer this line.
        self._answering_since_s = self._answered_at_s = None
        return line

    def over(self, now_s: float) -> bool:
        """Whether all is said and answered."""
        if self._next < len(self.lines) or now_s < self._spoken_until_s:
            return False
        if self._cued(self._hang_up_cue, now_s):
            return True
        if self._impatient(now_s):
            self.missed.append("(hanging up)")
            return True
        return False

    def _cued(self, cue: Cue, now_s: float) -> bool:
        if now_s < self._spoken_until_s:
            return False
        match cue:
            case AfterSilence():
                return now_s >= self._spoken_until_s + cue.after_s
            case IntoAnswer():
                since_s = self._answering_since_s
                return since_s is not None and now_s >= since_s + cue.after_s
            case WhenAnswered():
                at_s = self._answered_at_s
                return not self._open_calls and at_s is not None and now_s >= at_s + cue.pause_s

    def _impatient(self, now_s: float) -> bool:
        silent_since_s = max(self._spoken_until_s, self._agent_until_s)
        speaking = self._answering_since_s is not None
        return not speaking and now_s >= silent_since_s + self._patience_s
