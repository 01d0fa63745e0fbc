"""One name for a turn of the user, whichever sessions hear it.

A turn that is sent again gets another name there. It keeps the one under which it was first told,
and what was told of it is told once.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from crossfade.providers.events import (
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
    UserTurnCommitted,
)

UserEvent = SpeechStarted | SpeechStopped | UserTurnCommitted | UserTranscript
"""What tells of a turn of the user."""

# Turns whose transcripts may still come; the oldest keep the name that the session gives them.
_MOST_TURNS = 64


@dataclass(slots=True)
class _Turn:
    item_id: str
    told: set[type[UserEvent]] = field(default_factory=set)
    """What is told once, and was."""


class ItemNames:
    """The names of the user's turns of a session."""

    def __init__(self) -> None:
        # By the name that the connection that serves has for them.
        self._turns: OrderedDict[str, _Turn] = OrderedDict()
        self._unanswered: deque[_Turn] = deque(maxlen=_MOST_TURNS)
        self._sent_again: deque[_Turn] = deque(maxlen=_MOST_TURNS)
        self._retold: frozenset[str] = frozenset()

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The turns whose answer has not begun, the oldest first."""
        return tuple(turn.item_id for turn in self._unanswered)

    @property
    def without_words(self) -> tuple[str | None, ...]:
        """Of the committed ones among them, the names of those whose words have not come; None
        stands for each of the others."""
        return tuple(
            None if UserTranscript in turn.told else turn.item_id
            for turn in self._unanswered
            if UserTurnCommitted in turn.told
        )

    def expect(self, name: str, *, committed: bool) -> None:
        """A turn is going to be heard that another session has told of under a name."""
        self._unanswered.append(_Turn(name, {UserTurnCommitted} if committed else set()))

    def answered(self) -> None:
        """The answer to all committed turns has begun."""
        self._keep(lambda turn: UserTurnCommitted not in turn.told)

    def hand_over(self, *, sent_again: bool, retold: Collection[str] = ()) -> None:
        """Another session serves.

        Args:
            sent_again: Whether it hears the turns that are unanswered.
            retold: Turns that it was told of as they sounded; it tells their words by these names.
        """
        self._retold = frozenset(retold)
        self._turns.clear()
        self._sent_again.clear()
        if sent_again:
            self._sent_again.extend(self._unanswered)
        else:
            self._unanswered.clear()

    def tell(self, event: UserEvent) -> UserEvent | None:
        """Give the event by the turn's first name; None if it was told before."""
        if event.item_id in self._retold:
            return event
        turn = self._turn(event.item_id)
        once = not isinstance(event, UserTranscript) or event.final
        if type(event) in turn.told:
            return None
        if once:
            turn.told.add(type(event))
        return event if event.item_id == turn.item_id else replace(event, item_id=turn.item_id)

    def _turn(self, name: str) -> _Turn:
        turn = self._turns.get(name)
        if turn is None:
            if self._sent_again:
                turn = self._sent_again.popleft()
            else:
                # Who speaks anew has ended what came to nothing, such as a noise.
                self._keep(lambda other: UserTurnCommitted in other.told)
                turn = _Turn(name)
                self._unanswered.append(turn)
            self._turns[name] = turn
            if len(self._turns) > _MOST_TURNS:
                self._turns.popitem(last=False)
        return turn

    def _keep(self, condition: Callable[[_Turn], bool]) -> None:
        self._unanswered = deque(filter(condition, self._unanswered), maxlen=_MOST_TURNS)


__all__ = ["ItemNames", "UserEvent"]
