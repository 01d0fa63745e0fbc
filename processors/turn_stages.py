"""The two stages of an interruption, as a state machine. Pure: no frames, no clock, no tasks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto


class TurnOwner(Enum):
    """Who hears that the user's turn begins and ends."""

    PROVIDER = "provider"
    """The speech node proposes, from the provider's own voice activity detection."""
    LOCAL = "local"
    """VoiceActivity, on this machine; the provider is told."""


class Signal(Enum):
    """What is heard of the user."""

    ONSET = auto()
    """Local: speech may have begun."""
    CONFIRMED = auto()
    """Local: it is speech."""
    DROPPED = auto()
    """Local: it was none."""
    ENDED = auto()
    """Local: speech has ended."""
    PROPOSED = auto()
    """The provider hears a turn begin."""
    PROPOSED_END = auto()
    """The provider hears it end."""
    WORDS = auto()
    """Words of the user were made out while they speak."""
    LATE = auto()
    """A hold has lasted as long as one may."""


class Move(Enum):
    """What is to be done."""

    HOLD = auto()
    RESUME = auto()
    BEGIN = auto()
    """The user's turn begins, and what the agent says is interrupted."""
    END = auto()


class _State(Enum):
    FREE = auto()
    DOUBTFUL = auto()
    """Somebody may be speaking into the agent's silence."""
    HELD = auto()
    """Somebody may be speaking into an answer that was being heard."""
    USER = auto()


class _Sense(Enum):
    """What a signal means, depending on who owns the turns."""

    POSSIBLE = auto()
    """A turn may begin: holds an answer that is being heard; else it is nothing."""
    TENTATIVE = auto()
    """A turn may begin, in the agent's silence too: what comes is not heard before it is sure."""
    BEGINNING = auto()
    """A turn begins, but over an answer that is being heard only possibly."""
    CERTAIN = auto()
    """A turn begins, whatever is being heard."""
    SUPPORT = auto()
    """Makes certain what is held; alone it begins nothing."""
    DOUBT = auto()
    """What is held was nothing."""
    OVER = auto()
    """The turn is over; one that was only held for was a turn nevertheless."""


_LOCAL: Mapping[Signal, _Sense] = {
    Signal.ONSET: _Sense.TENTATIVE,
    Signal.CONFIRMED: _Sense.CERTAIN,
    Signal.WORDS: _Sense.SUPPORT,
    Signal.LATE: _Sense.SUPPORT,
    Signal.DROPPED: _Sense.DOUBT,
}
_PROVIDER: Mapping[Signal, _Sense] = {
    Signal.ONSET: _Sense.POSSIBLE,
    Signal.PROPOSED: _Sense.CERTAIN,
    Signal.WORDS: _Sense.SUPPORT,
    Signal.LATE: _Sense.SUPPORT,
    Signal.DROPPED: _Sense.DOUBT,
    Signal.PROPOSED_END: _Sense.OVER,
}
_PROVIDER_GOES_ON: Mapping[Signal, _Sense] = {
    **_PROVIDER,
    Signal.PROPOSED: _Sense.BEGINNING,
    Signal.CONFIRMED: _Sense.SUPPORT,
}


@dataclass(slots=True)
class TurnCounts:
    """How often the agent was held and interrupted, and how often for nothing."""

    holds: int = 0
    false_holds: int = 0
    """Holds after which the answer went on."""
    interruptions: int = 0
    """Turns of the user that began while the agent was heard."""
    false_interruptions: int = 0
    """Interruptions in which no word was said, by the provider's transcript."""


class TurnStages:
    """Decides whose turn it is.

    The first stage holds the answer that is being heard, and the second interrupts it or lets it
    go on. While the agent is silent, a provider's word begins the user's turn at once. Turns that
    are heard here have two stages in silence, too: a cough is no turn, and is not to be answered.

    Args:
        owner: Who hears the turns.
        holds: Whether an answer can be held; else the owner's first word interrupts it.
        provider_cuts: Whether the provider ends its answer by itself when it hears the user. Its
            word then is the second stage: there is nothing left to go on with.
    """

    def __init__(self, owner: TurnOwner, *, holds: bool = True, provider_cuts: bool = True) -> None:
        if owner is TurnOwner.LOCAL:
            self._senses = _LOCAL
        else:
            self._senses = _PROVIDER if provider_cuts else _PROVIDER_GOES_ON
        self._owner = owner
        self._holds = holds
        self._state = _State.FREE
        self._proposed = False
        self._wordless = False
        self.agent_heard = False
        """Whether the agent is being heard. To be kept up to date."""
        self.counts = TurnCounts()

    @property
    def held(self) -> bool:
        """Whether the playout is held."""
        return self._state is _State.HELD or (self._state is _State.DOUBTFUL and self._holds)

    def hear(self, signal: Signal) -> tuple[Move, ...]:
        """Take a signal; what is to be done now, in order."""
        if signal is Signal.PROPOSED:
            self._proposed = True
        match self._state:
            case _State.FREE:
                return self._when_free(signal)
            case _State.DOUBTFUL | _State.HELD:
                return self._when_unsure(signal)
            case _State.USER:
                return self._end() if self._ends_turn(signal) else ()

    def said(self, words: bool) -> None:
        """Take note of what the user's last turn brought, by its transcript."""
        if self._wordless and not words:
            self.counts.false_interruptions += 1
        self._wordless = False

    def interrupted(self) -> None:
        """Somebody else interrupted the agent: nothing is held any more."""
        if self.held:
            self._state = _State.FREE

    def call_ends(self) -> tuple[Move, ...]:
        """The call ends: what is held is to be heard to its end."""
        return self._resume() if self.held else ()

    def _when_free(self, signal: Signal) -> tuple[Move, ...]:
        match self._senses.get(signal):
            case _Sense.POSSIBLE | _Sense.TENTATIVE | _Sense.BEGINNING if (
                self.agent_heard and self._holds
            ):
                self._state = _State.HELD
                self.counts.holds += 1
                return (Move.HOLD,)
            case _Sense.TENTATIVE if not self.agent_heard:
                self._state = _State.DOUBTFUL
                return (Move.HOLD,) if self._holds else ()
            case _Sense.TENTATIVE | _Sense.BEGINNING | _Sense.CERTAIN:
                return self._begin()
        return ()

    def _when_unsure(self, signal: Signal) -> tuple[Move, ...]:
        match self._senses.get(signal):
            case _Sense.CERTAIN | _Sense.SUPPORT:
                return self._begin()
            case _Sense.DOUBT:
                return self._resume()
            case _Sense.OVER:
                return (*self._begin(), *self._end())
        if signal is not Signal.ENDED:
            return ()
        # Of a detector that confirms nothing. Into an answer it was too short to be sure of.
        whole_turn = self._state is _State.DOUBTFUL
        return (*self._begin(), *self._end()) if whole_turn else self._resume()

    def _ends_turn(self, signal: Signal) -> bool:
        if self._owner is TurnOwner.LOCAL:
            return signal is Signal.ENDED
        # A turn that the provider has not heard begin does not wait for it to hear the end.
        return signal is Signal.PROPOSED_END or (signal is Signal.ENDED and not self._proposed)

    def _begin(self) -> tuple[Move, ...]:
        # A hold may have outlasted the answer: it was heard when the user spoke into it.
        if self.agent_heard or self._state is _State.HELD:
            self.counts.interruptions += 1
            self._wordless = True
        self._state = _State.USER
        return (Move.BEGIN,)

    def _end(self) -> tuple[Move, ...]:
        self._state = _State.FREE
        self._proposed = False
        return (Move.END,)

    def _resume(self) -> tuple[Move, ...]:
        was_held = self.held
        if self._state is _State.HELD:
            self.counts.false_holds += 1
        self._state = _State.FREE
        self._proposed = False
        return (Move.RESUME,) if was_held else ()
