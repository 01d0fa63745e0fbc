"""Finds out what the user said in a turn, from a recogniser that tells it when it can. Pure.

QUIET      nobody speaks; what is recognised is noise of before
ONSET      somebody may be speaking
OPEN       the user's turn
WAITING    the turn is over, and its last words are not there yet
UNHEARD    they did not come in time, and there are none; when they come, they are the turn's
ANSWERED   the turn is told; words that come now belong to the next one

A turn that is told before its last final transcript has come is owed that one: the next to come is
taken for it, and settles no other turn.
"""

import itertools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto


class _State(Enum):
    QUIET = auto()
    ONSET = auto()
    OPEN = auto()
    WAITING = auto()
    UNHEARD = auto()
    ANSWERED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What has been made out so far."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The whole turn. Told once a turn."""

    item_id: str
    text: str
    """Empty if nothing was made out."""
    answer: bool = True
    """Whether it is to be answered; else the user speaks on already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What the whole turn will be, if the user says no more; `Said` or `Withdrawn` follows."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What was foreseen does not come: the user speaks on."""

    item_id: str


Heard = Partial | Said | Foreseen | Withdrawn


class HeardTurns:
    """The user's turns of one call, each with all its words.

    Every method gives what is to be told now.

    Args:
        prefix: What the turns are called, with a number behind.
        segments: Whether the recogniser gives one final transcript, or none, for each stretch that
            local voice activity hears; others may give one for several, or several for one.
    """

    def __init__(self, prefix: str = "user", *, segments: bool = False) -> None:
        self._segments = segments
        self._prefix = prefix
        self._numbers = itertools.count(1)
        self._expected: deque[str] = deque()
        self._state = _State.QUIET
        self._item_id = ""
        self._words: list[str] = []
        self._interim = ""
        self._silent = False
        self._settled = False
        self._foreseen = ""
        # Final transcripts to come: of the speech at hand, and of what was said before it
        self._due = 0
        self._owed = 0
        self._told_interim = ""

    @property
    def has_floor(self) -> bool:
        """Whether the user speaks, or was not understood yet."""
        return self._state in (_State.OPEN, _State.WAITING)

    @property
    def waiting(self) -> bool:
        """Whether the turn is over but for its last words."""
        return self._state is _State.WAITING

    @property
    def listening(self) -> bool:
        """Whether somebody may be speaking, or has spoken and the words are not there yet."""
        return self._state not in (_State.QUIET, _State.ANSWERED)

    def expect(self, names: Iterable[str]) -> None:
        """The next turns have names already."""
        self._expected = deque(names)

    def onset(self) -> list[Heard]:
        """Local voice activity hears speech begin, or go on."""
        self._silent = self._settled = False
        if self._state is not _State.WAITING:
            self._owed += self._due
            self._due = 0
        if self._state is _State.OPEN:
            return self.withdrawn()
        if self._state not in (_State.QUIET, _State.ANSWERED, _State.UNHEARD):
            return []
        told = self._tell_unheard()
        if self._state is not _State.ANSWERED:
            self._forget()
        self._state = _State.ONSET
        return told

    def dropped(self) -> list[Heard]:
        """It was no speech."""
        if self._state is _State.ONSET:
            self._state = _State.QUIET
            self._forget()
        return []

    def fell_silent(self) -> list[Heard]:
        """Local voice activity hears speech end; the turn may go on."""
        self._silent = True
        if self._segments and not self._settled:
            self._due += 1
        return []

    def began(self) -> list[Heard]:
        """The user's turn begins."""
        told = self._tell_unheard()
        if self._state is _State.WAITING:
            self._owe(self._owed + self._due if self._segments else int(not self._words))
            told.append(self._said(answer=False))
        if self._state is _State.QUIET:
            self._forget()
        self._state = _State.OPEN
        number = next(self._numbers)
        self._item_id = self._expected.popleft() if self._expected else f"{self._prefix}_{number}"
        return told + self._partial()

    def ended(self) -> list[Heard]:
        """The user's turn ends."""
        if self._state is not _State.OPEN:
            return []
        self._state = _State.WAITING
        return [self._said()] if self._settled else []

    def heard(self, text: str, *, final: bool, finalized: bool = False) -> list[Heard]:
        """The recogniser made words out.

        Args:
            text: The words since its last final ones.
            final: Whether they will not change.
            finalized: Whether they are all until the end of speech.
        """
        earlier = final and self._owed > 0 and self._state is not _State.UNHEARD
        if final:
            text = self._delivered(text)
        if self._state is _State.QUIET:
            return []
        self._interim = "" if final else text.strip()
        if final and text.strip():
            self._words.append(text.strip())
        if not earlier:
            self._settled |= finalized or (final and self._silent)
        match self._state:
            case _State.OPEN:
                return self._partial()
            case _State.WAITING if final and not earlier:
                return [self._said()]
            case _State.UNHEARD if final and self._text():
                return [self._said()]
        return []

    def foreseen(self, text: str) -> list[Heard]:
        """The recogniser takes the turn to be over, before it certainly is.

        Args:
            text: The words since its last final ones.
        """
        whole = " ".join([*self._words, text.strip()]).strip()
        if self._state is not _State.OPEN or whole in ("", self._foreseen):
            return []
        self._foreseen = whole
        return [Foreseen(item_id=self._item_id, text=whole)]

    def withdrawn(self) -> list[Heard]:
        """The turn goes on after all."""
        if self._state is not _State.OPEN or not self._foreseen:
            return []
        self._foreseen = ""
        return [Withdrawn(item_id=self._item_id)]

    def late(self) -> list[Heard]:
        """The recogniser had all the time that it needs."""
        if self._state is not _State.WAITING:
            return []
        # What has not come at all by then mostly never does.
        self._owe(min(self._owed + self._due, 1) if self._segments else int(bool(self._interim)))
        if self._text():
            return [self._said()]
        self._state = _State.UNHEARD
        return []

    def _delivered(self, text: str) -> str:
        """A final transcript has come; gives what of it was not told yet."""
        if not self._owed:
            self._due = max(0, self._due - 1)
            return text
        self._owed -= 1
        told, self._told_interim = self._told_interim, ""
        # Who says the same again has said it by then.
        again = self._silent and self._state in (_State.OPEN, _State.WAITING)
        return text if again else _beyond(text, told)

    def _owe(self, transcripts: int) -> None:
        """The turn is told without so many of its final transcripts."""
        self._owed, self._due = transcripts, 0
        self._told_interim = self._interim

    def _said(self, *, answer: bool = True) -> Said:
        said = Said(item_id=self._item_id, text=self._text(), answer=answer)
        self._state = _State.ANSWERED
        self._forget()
        return said

    def _tell_unheard(self) -> list[Heard]:
        return [self._said(answer=False)] if self._state is _State.UNHEARD else []

    def _partial(self) -> list[Heard]:
        text = self._text()
        return [Partial(item_id=self._item_id, text=text)] if text else []

    def _text(self) -> str:
        return " ".join([*self._words, self._interim]).strip()

    def _forget(self) -> None:
        self._words.clear()
        self._interim = self._foreseen = ""
        self._settled = False


def _beyond(text: str, told: str) -> str:
    """What a text says behind the words that were told already, if it begins with them."""
    words, known = text.split(), told.split()
    same = list(map(_plain, words[: len(known)])) == list(map(_plain, known))
    return " ".join(words[len(known) :]) if same else text


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word)).casefold()


__all__ = ["Foreseen", "Heard", "HeardTurns", "Partial", "Said", "Withdrawn"]
