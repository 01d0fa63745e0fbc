"""What a session remembers, over all its connections."""

from collections import deque
from dataclasses import dataclass, field, replace

from ..backends.backend import Dialogue, ToolOutput
from ..line import Line
from .closes import INVALID_ARGUMENT, Closed
from .configuration import Compression
from .models import INPUT_LIMIT_TOKENS
from .tokens import Tokens

# So much that was said and not answered is kept for the next answer.
_UNANSWERED_KEPT = 64
_UNANSWERED_CHARACTERS = 64 * 1024
# More contributions than this are counted with the newest.
_ENTRIES_KEPT = 1000
_ENTRY_BYTES = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """One contribution to a conversation."""

    role: str
    tokens: Tokens


class Context:
    """What the model is given to read. Sound is kept as its tokens alone."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.tokens = Tokens()
        """Of all entries."""
        self.last_role = ""
        self.dropped = 0
        """Entries that the sliding window has left behind."""
        self._unanswered: list[str] = []
        self._silent: list[ToolOutput] = []

    def add(self, role: str, tokens: Tokens, text: str = "") -> None:
        """Take a contribution; what the user typed waits to be answered.

        Args:
            role: Whose it is: `user`, `model` or `function`.
            tokens: How long it is.
            text: What was typed, if it was.
        """
        self.last_role = role
        if tokens.total:
            self.tokens += tokens
            if len(self.entries) == _ENTRIES_KEPT:
                tokens += self.entries.pop().tokens
            self.entries.append(Entry(role, tokens))
        if role == "user" and text.strip():
            self._unanswered.append(text.strip()[-_UNANSWERED_CHARACTERS:])
            del self._unanswered[:-_UNANSWERED_KEPT]
            while sum(map(len, self._unanswered)) > _UNANSWERED_CHARACTERS:
                del self._unanswered[0]

    @property
    def waits_for_answer(self) -> bool:
        """Whether the user typed something that nobody answered."""
        return bool(self._unanswered)

    def take_unanswered(self) -> str:
        """What the user typed since the last answer."""
        text, self._unanswered = " ".join(self._unanswered), []
        return text

    def put_back(self, text: str) -> None:
        """What was taken up was not answered after all."""
        if text:
            self._unanswered.insert(0, text[-_UNANSWERED_CHARACTERS:])

    def take_silent(self) -> list[ToolOutput]:
        """The results of tools that came without a wish to hear of them."""
        silent, self._silent = self._silent, []
        return silent

    def keep_silent(self, output: ToolOutput) -> None:
        """Take a result in without answering it."""
        self._silent.append(replace(output, output=output.output[-_UNANSWERED_CHARACTERS:]))
        del self._silent[:-_UNANSWERED_KEPT]
        while sum(len(each.output) for each in self._silent) > _UNANSWERED_CHARACTERS:
            del self._silent[0]

    def fit(self, fixed: Tokens, compression: Compression | None) -> None:
        """Bring the prompt within its limits.

        Args:
            fixed: What is always read: instructions and tools.
            compression: The sliding window, if there is one.

        Raises:
            Closed: There is none and the prompt is too long.
        """
        if compression is None:
            if self.tokens.total + fixed.total > INPUT_LIMIT_TOKENS:
                raise Closed(INVALID_ARGUMENT)
        elif self.tokens.total + fixed.total > compression.trigger_tokens:
            while self.entries and self.tokens.total + fixed.total > compression.target_tokens:
                self.tokens -= self.entries.popleft().tokens
                self.dropped += 1

    @property
    def size_bytes(self) -> int:
        """What it takes, about."""
        texts = (*self._unanswered, *(each.output for each in self._silent))
        return sum(map(len, texts)) + _ENTRY_BYTES * len(self.entries)

    def copy(self) -> "Context":
        """The same, as it is now."""
        twin = Context()
        twin.entries, twin.tokens = self.entries.copy(), self.tokens
        twin.last_role, twin.dropped = self.last_role, self.dropped
        twin._unanswered, twin._silent = list(self._unanswered), list(self._silent)
        return twin


@dataclass(slots=True)
class Conversation:
    """A session, over all its connections."""

    dialogue: Dialogue
    line: Line
    """The connection that has it now, or had it last."""
    context: Context = field(default_factory=Context)
    age_s: float = 0.0
    """How long it has been connected."""
    saw_video: bool = False
    dismissed: bool = False
    """Nobody can go on with it any more."""

    @property
    def connected(self) -> bool:
        return not self.line.finished
