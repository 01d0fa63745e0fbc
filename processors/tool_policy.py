"""How a tool is run: how long, how often, and what happens when somebody interrupts. Data only."""

from dataclasses import dataclass
from enum import Enum
from typing import TypedDict

from crossfade.errors import SettingsError

PHRASES = ("One moment, please.", "I am still on it.", "Just a little longer.")
"""What is said while a tool runs, where nothing else is asked for."""


class OnInterruption(Enum):
    """What becomes of a running call when the user begins to speak."""

    FINISH = "finish"
    """It runs on, and its result is told."""
    CANCEL = "cancel"
    """It is cancelled, and the model knows."""


class OnDuplicate(Enum):
    """What becomes of a call while one with the same arguments still runs."""

    SHARE = "share"
    """The tool runs once, and both calls are answered with its result."""
    RUN = "run"
    """The tool runs twice."""
    REJECT = "reject"
    """The model is told that it runs already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPolicy:
    """How calls of one tool are treated. What each choice is good for: docs/tools.md.

    Raises:
        SettingsError: The values contradict each other.
    """

    timeout_ms: int = 1000
    """A call that takes longer is answered with the placeholder, and runs on."""
    placeholder: str | None = None
    """What the model is told then; None is a sentence with the tool's name."""
    deadline_ms: int = 30_000
    """A call that takes longer is cancelled, and the model is told. Waiting for a free place and
    all retries count."""
    acknowledge: str | tuple[str, ...] | None = PHRASES
    """What the caller may be told when it takes a moment. A tuple is all there is: its first is
    said first, the others in turn while it lasts. A single phrase is said first, and the others of
    `PHRASES` follow it. None is nothing."""
    acknowledge_after_ms: int = 300
    """How long a call may take before that is due. A second of silence makes it due in any case."""
    on_interruption: OnInterruption = OnInterruption.FINISH
    on_duplicate: OnDuplicate = OnDuplicate.SHARE
    max_concurrency: int = 8
    """Calls that run at once; 16 more wait for their turn, and what goes beyond is refused."""
    idempotent: bool = False
    """Whether running it twice does no more than running it once."""
    retries: int = 0
    """How often it is run again after it failed; for idempotent tools only."""
    max_result_characters: int = 8000
    """Length of the result as JSON; what is longer is cut, and says so."""
    blocking: bool = False
    """Whether the model shall be silent until it has the result, where it can talk on."""
    confirm: bool = False
    """Whether the caller must have spoken between the model's wish to call it and the call."""
    secrets: frozenset[str] = frozenset()
    """Names of arguments that no log and no transcript may hold. Arguments that are declared as
    pydantic's SecretStr are secret without it."""

    def __post_init__(self) -> None:
        if self.retries and not self.idempotent:
            raise SettingsError(
                "retries run a tool again that may have done its work already; say "
                "idempotent=True if that does no harm, or leave retries at 0"
            )
        positive = (
            self.timeout_ms,
            self.deadline_ms,
            self.max_concurrency,
            self.max_result_characters,
        )
        if min(positive) <= 0 or min(self.retries, self.acknowledge_after_ms) < 0:
            raise SettingsError("times, limits and numbers of a tool's policy must be positive")
        if self.deadline_ms < self.timeout_ms:
            raise SettingsError(
                f"the deadline of {self.deadline_ms} ms comes before the timeout of "
                f"{self.timeout_ms} ms; a call is answered at the timeout and given up at the "
                "deadline"
            )

    @property
    def phrases(self) -> tuple[str, ...]:
        """All that may be said while a call runs."""
        if self.acknowledge is None:
            return ()
        if isinstance(self.acknowledge, str):
            return (self.acknowledge, *(each for each in PHRASES[1:] if each != self.acknowledge))
        return self.acknowledge


class PolicyFields(TypedDict, total=False):
    """The fields of `ToolPolicy`, as keywords."""

    timeout_ms: int
    placeholder: str | None
    deadline_ms: int
    acknowledge: str | tuple[str, ...] | None
    acknowledge_after_ms: int
    on_interruption: OnInterruption
    on_duplicate: OnDuplicate
    max_concurrency: int
    idempotent: bool
    retries: int
    max_result_characters: int
    blocking: bool
    confirm: bool
    secrets: frozenset[str]


__all__ = ["PHRASES", "OnDuplicate", "OnInterruption", "PolicyFields", "ToolPolicy"]
