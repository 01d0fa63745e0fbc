"""The user's sound as one session took it, and what answered each turn: for tests to look at."""

from collections.abc import Callable
from dataclasses import dataclass, field

LIMIT_BYTES = 32 * 1024 * 1024
"""So much of the stream is kept, the newest; turns are parts of it."""
_TURNS_KEPT = 10_000
_SAMPLE_BYTES = 2


@dataclass(slots=True, kw_only=True)
class UserTurn:
    """One turn of the user, as the session found it."""

    name: str
    """The item's id, where the wire has items; else its number, from 1."""
    begin: int
    """Where it begins, in samples of everything that the session was given."""
    end: int
    stream: "UserAudio" = field(repr=False)
    answers: list[str] = field(default_factory=list)
    """The responses that have begun to answer it: their ids, else their numbers, from 1."""

    @property
    def pcm(self) -> bytes:
        """Its samples, s16le mono; empty once its beginning was let go."""
        return self.stream.between(self.begin, self.end)


class UserAudio:
    """What the user said in one session.

    Args:
        rate_hz: Of the sound.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.turns: list[UserTurn] = []
        """The newest."""
        self.forgotten = 0
        """Samples of the stream that were let go, from its beginning."""
        self._pcm = bytearray()
        self._counted = 0

    @property
    def pcm(self) -> bytes:
        """Everything that the session was given, from `forgotten` on."""
        return bytes(self._pcm)

    @property
    def size_bytes(self) -> int:
        return len(self._pcm)

    @property
    def samples(self) -> int:
        """How many the session was given."""
        return self.forgotten + len(self._pcm) // _SAMPLE_BYTES

    def between(self, begin: int, end: int) -> bytes:
        """The samples from `begin` to before `end`; nothing once the first was let go."""
        if begin < self.forgotten:
            return b""
        return bytes(
            self._pcm[slice(*((at - self.forgotten) * _SAMPLE_BYTES for at in (begin, end)))]
        )

    def hear(self, pcm: bytes) -> None:
        """Take whole samples."""
        self._pcm += pcm
        if len(self._pcm) > LIMIT_BYTES:
            self.let_go(self.samples - LIMIT_BYTES // _SAMPLE_BYTES)

    def turn(self, begin: int, end: int, name: str = "") -> UserTurn:
        """A turn has ended that reaches from one sample to before another."""
        self._counted += 1
        turn = UserTurn(name=name or str(self._counted), begin=begin, end=end, stream=self)
        self.turns.append(turn)
        del self.turns[:-_TURNS_KEPT]
        return turn

    def let_go(self, before: int) -> None:
        """Forget the sound before a sample; where turns were, and what answered them, is kept."""
        surplus = min(before - self.forgotten, len(self._pcm) // _SAMPLE_BYTES)
        if surplus > 0:
            del self._pcm[: surplus * _SAMPLE_BYTES]
            self.forgotten += surplus

    def answered(self, name: str, answer: str) -> None:
        """A response has begun to answer a turn."""
        for turn in self.turns:
            if turn.name == name:
                turn.answers.append(answer)


Answered = Callable[[str, str], None]
"""Told the name of a turn and of the response that answers it."""
