"""Whether a provider tells what it should, or its line is dead without a word."""

from collections.abc import Mapping

from crossfade.providers.config import Eagerness, SessionConfig, TurnDetection

# Who asks in vain again and again waits up to so many times as long.
_MOST_PATIENCE = 8
# Speech that only the caller's own ear heard is kept no longer than such waits take.
_PATIENCE_WITH_AN_EAR = 2
# After so long a pause a provider has taken up what was said before it.
TURN_OVER_S = 2.0
# So long a provider that goes by what is said waits for the rest of an unfinished sentence, as
# OpenAI documents it.
_UNFINISHED_S: Mapping[Eagerness, float] = {
    Eagerness.LOW: 8.0,
    Eagerness.AUTO: 4.0,
    Eagerness.HIGH: 2.0,
}
# While the user speaks it is looked again so often whether he still does.
_LOOK_AGAIN_S = 1.0


class Liveness:
    """What should have arrived, by what was asked and said.

    | told here                           | something must arrive               |
    | ----------------------------------- | ----------------------------------- |
    | an answer was asked for             | until it begins, again and again,   |
    |                                     | once the one before it has ended    |
    | the user has spoken, by his own ear | once: it may have been a noise;     |
    |                                     | later, if it was short              |
    | an answer has begun                 | again and again until it ends       |
    | it rests: all of its speech came    | its end, once that can be played    |
    | it has ended, or awaits a tool      | nothing, until more of it comes     |

    Args:
        silent_s: Nothing may be missing for longer.
    """

    def __init__(self, silent_s: float) -> None:
        self._silent_s = silent_s
        self._patience = 1
        self._asked_s: float | None = None
        self._spoke_s: float | None = None
        self._spoke_last_s = 0.0
        self._brief = False
        self._running = False
        self._open = False
        self._began_s = self._told_s = self._rests_s = 0.0
        self._not_before_s = 0.0
        self._turn_over_s = TURN_OVER_S

    @property
    def due_s(self) -> float | None:
        """When the line becomes suspicious, if nothing arrives; None: nothing must arrive."""
        wait_s = self._silent_s * self._patience
        due_s: list[float] = []
        if self._spoke_s is not None:
            patience = self._patience * (_PATIENCE_WITH_AN_EAR if self._brief else 1)
            patience = min(patience, _MOST_PATIENCE)
            # What several connections in a row make nothing of is hardly speech.
            if self._patience < _MOST_PATIENCE:
                patience = min(patience, _PATIENCE_WITH_AN_EAR)
            answer_s = self._spoke_last_s + self._turn_over_s
            # What is usual is part of the time that nothing may be missing.
            spoke_s = self._spoke_s + self._turn_over_s - TURN_OVER_S
            due_s.append(max(spoke_s + self._silent_s * patience, answer_s))
        if self._running:
            due_s.append(self._told_s + wait_s)
        elif self._open:
            due_s.append(max(self._rests_s, self._told_s) + wait_s)
        elif self._asked_s is not None:
            due_s.append(max(self._asked_s, self._told_s) + wait_s)
        return max(min(due_s), self._not_before_s) if due_s else None

    def suspicious(self, now_s: float) -> bool:
        due_s = self.due_s
        return due_s is not None and now_s >= due_s

    def asked(self, now_s: float) -> None:
        """Note that an answer was asked for: a turn was ended, a text or a result was sent."""
        self._asked_s = now_s

    def speaks(self, now_s: float) -> None:
        """Note that the caller's own ear hears the user begin to speak, or go on."""
        if now_s - self._spoke_last_s < self._turn_over_s:
            self._spoke_s = None

    def spoke(self, now_s: float, *, brief: bool = False) -> None:
        """Note that it heard him stop. Who asks a second time waits for what he said first.

        Args:
            now_s: When.
            brief: Whether it was so short that it is as likely a noise.
        """
        if self._spoke_s is None or self._patience == _MOST_PATIENCE:
            self._spoke_s = now_s
        self._spoke_last_s = now_s
        self._brief = brief

    def held(self, now_s: float) -> None:
        """Note that the user speaks: nobody answers him before he has finished."""
        self._told_s = now_s
        self._not_before_s = now_s + _LOOK_AGAIN_S

    def told(self, now_s: float) -> None:
        """Note that anything at all has arrived."""
        self._told_s = now_s
        self._spoke_s = None

    def began(self, now_s: float) -> None:
        """Note that an answer has begun, or that more of it has arrived."""
        self.told(now_s)
        if not self._open:
            self._began_s = now_s
        self._asked_s = None
        self._running = self._open = True
        self._patience = 1

    def rests(self, now_s: float, sound_s: float = 0.0) -> None:
        """Note that all of its speech has arrived, of this length; a provider may tell its end
        when that can have been played."""
        self.told(now_s)
        self._rests_s = self._began_s + sound_s
        self._running = False

    def ended(self, now_s: float) -> None:
        """Note that the answer has ended, or waits for a tool."""
        self.told(now_s)
        self._running = self._open = False

    def postponed(self, until_s: float) -> None:
        """Note that no other connection can be tried before then."""
        self._not_before_s = until_s

    def doubted(self, now_s: float) -> None:
        """Note that another connection is tried for its silence: its own may be as silent."""
        self._patience = min(_MOST_PATIENCE, 2 * self._patience)
        self.renewed(now_s, pause_s=self._turn_over_s)

    def renewed(self, now_s: float, *, pause_s: float = 0.0) -> None:
        """Note that another connection serves, of which nothing was asked yet.

        Args:
            now_s: When.
            pause_s: So long a pause it may take for one within a turn of the user.
        """
        self._turn_over_s = max(TURN_OVER_S, pause_s)
        self._told_s = now_s
        self._asked_s = self._spoke_s = None
        self._running = self._open = False


def longest_pause_s(config: SessionConfig) -> float:
    """How long a pause a provider may take for one within a turn of the user."""
    match config.turn_detection:
        case TurnDetection.SERVER:
            return config.silence_ms / 1000
        case TurnDetection.SEMANTIC:
            return max(config.silence_ms / 1000, _UNFINISHED_S[config.eagerness])
    return 0.0


__all__ = ["TURN_OVER_S", "Liveness", "longest_pause_s"]
