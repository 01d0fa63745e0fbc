"""What the user has said and nobody has answered yet, as positions in the audio."""

from collections import deque
from dataclasses import dataclass
from enum import Enum

# Providers begin a turn with the sound before it; some do not count it in.
_ONSET_S = 0.3
# No wire makes a turn of less.
_SHORTEST_S = 0.1
# So long after a turn was taken up the caller's own ear may still hear the end of it.
_TAIL_S = 1.0
# An answer that begins may have been made before the provider heard the latest so long.
_UNHEARD_S = 2.0


class _Teller(Enum):
    """Who says that the user speaks."""

    CALLER = "the marks of the caller"
    PROVIDER = "the provider"
    EAR = "the caller's own ear"


class _Stage(Enum):
    OPEN = "open"
    ENDED = "ended"
    COMMITTED = "taken up by the provider"


@dataclass(slots=True)
class _Turn:
    start: int
    by: _Teller
    stop: int = 0
    """Once it is not open."""
    stage: _Stage = _Stage.OPEN
    taken_up: bool = False
    """The provider takes it up already, while the caller says that it goes on."""
    doubt_from: int = 0
    """Where the session began that is to make something of it."""
    turn_id: str = ""
    """What the caller calls it."""
    tail_from: int | None = None
    """Where the turn was taken up or answered of which this may be the end."""

    def end(self, stage: _Stage, at: int) -> None:
        self.stage, self.stop = stage, max(self.start, at)


class Spoken:
    """The turns that are not answered. Positions are bytes from the first one on.

    Args:
        bytes_per_s: Of the audio.
        doubt_s: Speech that only the caller's ear tells of is noise, if the provider makes
            nothing of it for so long.
        speech_events: Whether the provider tells when it hears speech.
    """

    def __init__(self, bytes_per_s: int, doubt_s: float, *, speech_events: bool) -> None:
        self.speech_events = speech_events
        self.done_to = 0
        """All before is answered, or was no speech."""
        self._second = bytes_per_s
        self._doubt = int(doubt_s * bytes_per_s)
        self._turns: deque[_Turn] = deque()
        self._ear = False
        self._hears = False

    @property
    def owed_from(self) -> int | None:
        """Where the oldest turn begins that is not answered; None if there is none."""
        return self._turns[0].start if self._turns else None

    @property
    def owes_turn(self) -> bool:
        """Whether a turn goes on, or is told of by others than the caller's ear."""
        ended = (_Teller.EAR, _Stage.ENDED)
        return any((turn.by, turn.stage) != ended for turn in self._turns)

    @property
    def wanted_from(self) -> int | None:
        """Where it is to be heard from: its onset may lie before what the provider told."""
        turn = self._turns[0] if self._turns else None
        if turn is None or turn.by is not _Teller.PROVIDER:
            return self.owed_from
        return max(self.done_to, turn.start - int(_ONSET_S * self._second))

    @property
    def taken_up(self) -> list[tuple[int, int]]:
        """Where each turn begins and stops that the provider took up, the oldest first."""
        spans = [(turn.start, turn.stop) for turn in self._turns if turn.stage is _Stage.COMMITTED]
        if spans and self.wanted_from is not None:
            spans[0] = self.wanted_from, spans[0][1]
        return spans

    @property
    def has_ear(self) -> bool:
        """Whether the caller's own ear tells who speaks: it has done so before."""
        return self._ear

    @property
    def nobody_tells(self) -> bool:
        """Whether any of the audio may be speech: neither the provider nor an ear tells of it."""
        return not self.speech_events and not self._ear

    @property
    def doubted_at(self) -> int | None:
        """Where the oldest speech is taken for noise; None if it is not in doubt.

        While the user speaks on, it may be a part of what is said.
        """
        if not self._turns or self._turns[0].by is not _Teller.EAR:
            return None
        first, last = self._turns[0], self._turns[-1]
        if first.stage is not _Stage.ENDED or last.stage is _Stage.OPEN:
            return None
        return max(last.stop, first.doubt_from) + self._doubt

    def start_turn(self, at: int, turn_id: str = "") -> None:
        """The caller begins a turn, or begins it anew."""
        if self._turns and self._turns[-1].stage is _Stage.OPEN:
            self._turns.pop()
        self._turns.append(_Turn(at, _Teller.CALLER, turn_id=turn_id))

    def end_turn(self, at: int, begun_at: int) -> None:
        """The caller ends a turn; if he has not begun it, it is all since `begun_at`."""
        if not self._turns or self._turns[-1].stage is not _Stage.OPEN:
            self._turns.append(_Turn(begun_at, _Teller.CALLER))
        turn = self._turns[-1]
        turn.by = _Teller.CALLER
        turn.end(_Stage.COMMITTED if turn.taken_up else _Stage.ENDED, at)

    def speech_started(self, at: int) -> None:
        """The provider hears speech; what it passed over was none."""
        index = self._uncommitted
        while index < len(self._turns) and self._passed_over(self._turns[index], at):
            self._drop(index)
        if index == len(self._turns):
            self._turns.append(_Turn(max(at, self._end_before(index)), _Teller.PROVIDER))
            return
        turn = self._turns[index]
        turn.start = max(min(turn.start, at), self._end_before(index))
        turn.tail_from = None
        if turn.by is _Teller.EAR:
            turn.by = _Teller.PROVIDER

    def speech_stopped(self, at: int) -> None:
        index = self._uncommitted
        if index < len(self._turns) and self._turns[index].by is _Teller.PROVIDER:
            self._turns[index].end(_Stage.ENDED, at)

    def hint_started(self, at: int) -> None:
        """The caller's ear hears speech, of which the first sound may be the one at `at`."""
        self._ear = self._hears = True
        if not self._turns or self._turns[-1].stage is not _Stage.OPEN:
            start = max(at, self.done_to, self._end_before(len(self._turns)))
            self._turns.append(_Turn(start, _Teller.EAR))

    def hint_stopped(self, now: int) -> None:
        self._ear, self._hears = True, False
        turn = self._turns[-1] if self._turns else None
        if turn is None or turn.by is not _Teller.EAR or turn.stage is not _Stage.OPEN:
            return
        turn.end(_Stage.ENDED, now)
        if turn.tail_from is not None and now - turn.tail_from <= _TAIL_S * self._second:
            self._drop(len(self._turns) - 1)

    def committed(self, now: int, begun_at: int) -> str:
        """The provider takes a turn up; if nobody told of it, it is all since `begun_at`.

        Returns:
            What the caller calls it; empty if it is none of the caller's, or has no name.
        """
        if self._uncommitted == len(self._turns):
            start = max(begun_at, self._end_before(len(self._turns)))
            self._turns.append(_Turn(start, _Teller.PROVIDER))
        index = self._to_commit()
        turn = self._turns[index]
        if turn.by is _Teller.CALLER and turn.stage is _Stage.OPEN:
            turn.taken_up = True
            return turn.turn_id
        told_end = turn.stage is _Stage.ENDED and turn.by is _Teller.PROVIDER
        for earlier in range(self._uncommitted, index + 1):
            taken = self._turns[earlier]
            taken.end(_Stage.COMMITTED, now if taken.stage is _Stage.OPEN else taken.stop)
        if self._hears and turn is self._turns[-1] and turn.by is not _Teller.CALLER:
            tail_from = now if told_end else None
            self._turns.append(_Turn(turn.stop, _Teller.EAR, tail_from=tail_from))
        return turn.turn_id

    def answered(self, now: int) -> None:
        """The answer to all that was taken up has begun."""
        while self._turns and self._turns[0].stage is _Stage.COMMITTED:
            self._drop(0)
        if self.speech_events:
            return
        # It began to answer, so it heard nobody speak: what had ended is answered, too.
        while self._turns and self._turns[0].by is not _Teller.CALLER:
            turn = self._turns[0]
            if turn.stage is _Stage.OPEN:
                turn.start = max(turn.start, now - int(_UNHEARD_S * self._second))
                turn.tail_from = now
                return
            self._drop(0)

    def begin_anew(self, now: int, kept_from: int) -> None:
        """Another session hears again what is kept: what was taken up is not any more."""
        while self._turns and self._turns[0].stage is not _Stage.OPEN:
            if self._turns[0].stop > kept_from:
                break
            self._drop(0)
        for turn in self._turns:
            turn.start = max(turn.start, kept_from)
            turn.taken_up, turn.doubt_from = False, now
            if turn.stage is _Stage.COMMITTED:
                turn.stage = _Stage.ENDED
                if turn.by is _Teller.EAR:
                    turn.by = _Teller.PROVIDER

    def doubt_anew(self, now: int) -> None:
        """Another session is tried for what nobody has made anything of."""
        for turn in self._turns:
            turn.doubt_from = now

    def forget_noise(self, now: int) -> None:
        """Take for noise what nobody has made anything of."""
        while (doubted_at := self.doubted_at) is not None and doubted_at <= now:
            self._drop(0)

    @property
    def _uncommitted(self) -> int:
        """Index of the first turn that was not taken up."""
        return sum(turn.stage is _Stage.COMMITTED for turn in self._turns)

    def _to_commit(self) -> int:
        """Index of the turn that is taken up now: in order, and the told before the heard."""
        waiting = range(self._uncommitted, len(self._turns))
        for teller in _Teller:
            for index in waiting:
                turn = self._turns[index]
                brief = (
                    turn.by is _Teller.CALLER
                    and turn.stage is _Stage.ENDED
                    and turn.stop - turn.start < _SHORTEST_S * self._second
                )
                if turn.by is teller and not brief:
                    return index
        return len(self._turns) - 1

    def _passed_over(self, turn: _Turn, at: int) -> bool:
        return turn.stage is _Stage.ENDED and turn.by is not _Teller.CALLER and turn.stop < at

    def _end_before(self, index: int) -> int:
        return self._turns[index - 1].stop if index else self.done_to

    def _drop(self, index: int) -> None:
        turn = self._turns[index]
        del self._turns[index]
        if index == 0:
            self.done_to = max(self.done_to, turn.stop)


__all__ = ["Spoken"]
