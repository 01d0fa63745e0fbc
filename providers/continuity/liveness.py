"""Whether a provider tells what it should, or its line is dead without a word."""

# Who asks in vain again and again waits up to so many times as long.
_MOST_PATIENCE = 8


class Liveness:
    """What should have arrived, by what was asked and said.

    | told here                           | something must arrive               |
    | ----------------------------------- | ----------------------------------- |
    | an answer was asked for             | until it begins, again and again;   |
    |                                     | later, if one before is spoken yet  |
    | the user has spoken, by his own ear | once: it may have been a noise      |
    | an answer has begun                 | again and again until it ends       |
    | it rests: it is spoken, or a tool   | nothing, until more of it comes     |
    | is awaited                          |                                     |

    Args:
        silent_s: Nothing may be missing for longer.
    """

    def __init__(self, silent_s: float) -> None:
        self._silent_s = silent_s
        self._patience = 1
        self._asked_s: float | None = None
        self._spoke_s: float | None = None
        self._running = False
        self._open = False
        self._told_s = 0.0

    @property
    def due_s(self) -> float | None:
        """When the line becomes suspicious, if nothing arrives; None: nothing must arrive."""
        wait_s = self._silent_s * self._patience
        due_s = [] if self._spoke_s is None else [self._spoke_s + wait_s]
        if self._asked_s is not None:
            spoken = self._open and not self._running
            waits_s = self._silent_s * _MOST_PATIENCE if spoken else wait_s
            due_s.append(max(self._asked_s, self._told_s) + waits_s)
        if self._running:
            due_s.append(self._told_s + wait_s)
        return min(due_s, default=None)

    def suspicious(self, now_s: float) -> bool:
        due_s = self.due_s
        return due_s is not None and now_s >= due_s

    def asked(self, now_s: float) -> None:
        """Note that an answer was asked for: a turn was ended, a text or a result was sent."""
        self._asked_s = now_s

    def spoke(self, now_s: float) -> None:
        """Note that the caller's own ear heard the user stop to speak."""
        self._spoke_s = now_s

    def told(self, now_s: float) -> None:
        """Note that anything at all has arrived."""
        self._told_s = now_s
        self._spoke_s = None

    def began(self, now_s: float) -> None:
        """Note that an answer has begun, or that more of it has arrived."""
        self.told(now_s)
        self._asked_s = None
        self._running = self._open = True
        self._patience = 1

    def rests(self, now_s: float) -> None:
        """Note that all of its speech has arrived, or that it waits for a tool."""
        self.told(now_s)
        self._running = False

    def ended(self, now_s: float) -> None:
        """Note that the answer has ended."""
        self.rests(now_s)
        self._open = False

    def doubted(self, now_s: float) -> None:
        """Note that another connection is tried for its silence: its own may be as silent."""
        self._patience = min(_MOST_PATIENCE, 2 * self._patience)
        self.renewed(now_s)

    def renewed(self, now_s: float) -> None:
        """Note that another connection serves, of which nothing was asked yet."""
        self._told_s = now_s
        self._asked_s = self._spoke_s = None
        self._running = self._open = False


__all__ = ["Liveness"]
