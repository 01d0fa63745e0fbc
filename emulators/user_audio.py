"""The user's sound as one session took it, and what answered each turn: for tests to look at."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

LIMIT_BYTES = 32 * 1024 * 1024
"""Of the stream and of the turns so much is kept, each the newest."""
_SAMPLE_BYTES = 2


@dataclass(slots=True, kw_only=True)
class UserTurn:
    """One turn of the user, as the session found it."""

    name: str
    """The item's id, where the wire has items; else its number, from 1."""
    begin: int
    """Where it begins, in samples of everything that the session was given."""
    end: int
    pcm: bytes
    """Its samples, s16le mono; empty where they were let go."""
    answers: list[str] = field(default_factory=list)
    """The responses that have begun to answer it: their ids, else their numbers, from 1."""


class UserAudio:
    """What the user said in one session.

    Args:
        rate_hz: Of the sound.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.turns: list[UserTurn] = []
        self.forgotten = 0
        """Samples of the stream that were let go, from its beginning."""
        self._pcm = bytearray()
        self._with_sound: deque[UserTurn] = deque()
        self._turns_bytes = 0

    @property
    def pcm(self) -> bytes:
        """Everything that the session was given, from `forgotten` on."""
        return bytes(self._pcm)

    @property
    def size_bytes(self) -> int:
        return len(self._pcm) + self._turns_bytes

    def hear(self, pcm: bytes) -> None:
        """Take whole samples."""
        self._pcm += pcm
        surplus = len(self._pcm) - LIMIT_BYTES
        if surplus > 0:
            del self._pcm[:surplus]
            self.forgotten += surplus // _SAMPLE_BYTES

    def turn(self, begin: int, end: int, name: str = "") -> UserTurn:
        """A turn has ended that reaches from one sample to before another."""
        places = (max(0, at - self.forgotten) * _SAMPLE_BYTES for at in (begin, end))
        turn = UserTurn(
            name=name or str(len(self.turns) + 1),
            begin=begin,
            end=end,
            pcm=bytes(self._pcm[slice(*places)]),
        )
        self.turns.append(turn)
        self._with_sound.append(turn)
        self._turns_bytes += len(turn.pcm)
        while self._turns_bytes > LIMIT_BYTES:
            oldest = self._with_sound.popleft()
            self._turns_bytes -= len(oldest.pcm)
            oldest.pcm = b""
        return turn

    def let_go(self, before: int) -> None:
        """Forget the sound before a sample; where turns were, and what answered them, is kept."""
        surplus = min(before - self.forgotten, len(self._pcm) // _SAMPLE_BYTES)
        if surplus > 0:
            del self._pcm[: surplus * _SAMPLE_BYTES]
            self.forgotten += surplus
        while self._with_sound and self._with_sound[0].end <= before:
            oldest = self._with_sound.popleft()
            self._turns_bytes -= len(oldest.pcm)
            oldest.pcm = b""

    @property
    def samples(self) -> int:
        """How many the session was given."""
        return self.forgotten + len(self._pcm) // _SAMPLE_BYTES

    def answered(self, name: str, answer: str) -> None:
        """A response has begun to answer a turn."""
        for turn in self.turns:
            if turn.name == name:
                turn.answers.append(answer)


Answered = Callable[[str, str], None]
"""Told the name of a turn and of the response that answers it."""
