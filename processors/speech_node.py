"""What every speech node is, beside its frames: it can take the place of another during a call."""

from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum

from crossfade.providers.continuity.serving import Serving
from crossfade.providers.profiles import Profile

from .base import Processor


class Wanted(Enum):
    """What a node owes the user when it takes over."""

    NOTHING = "nothing"
    ANSWER = "answer"
    """To what the conversation ends with."""
    REST = "rest"
    """Of the answer that the conversation ends with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardBefore:
    """A turn of the user that another node has told of, and that is heard again."""

    item_id: str
    """The name that it keeps."""
    committed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """What a node is told of the call when it takes over; the rest is in the conversation."""

    wanted: Wanted = Wanted.NOTHING
    turns: tuple[HeardBefore, ...] = ()
    """In the order in which they are heard again."""
    fresh: frozenset[str] = frozenset()
    """Calls whose results are to be spoken of."""


class SpeechNode(Processor):
    """A speech node (docs/speech-node.md).

    One that is to take over is started while another serves. It is given no frame of the call
    before `take_over`; from then on all of them.
    """

    @property
    def profile(self) -> Profile | None:
        """What its model can do; None for a node that takes everything."""
        return None

    @property
    def serving(self) -> Serving | None:
        """Which provider serves; None if that cannot be told."""
        return None

    @abstractmethod
    async def take_over(self, takeover: Takeover) -> None:
        """Serve from now on: read the conversation anew, and answer what is owed."""

    @abstractmethod
    def unfinished_audio(self) -> bytes:
        """What the user said that nobody has begun to answer, s16le mono at `heard_rate_hz`."""

    @property
    @abstractmethod
    def heard_rate_hz(self) -> int:
        """The rate of `unfinished_audio`."""


__all__ = ["HeardBefore", "SpeechNode", "Takeover", "Wanted"]
