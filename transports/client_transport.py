"""What a served call needs of its transport, whatever its clients' lines are."""

from collections.abc import Callable, Sequence
from typing import Protocol

from pipecat.observers.base_observer import BaseObserver
from pipecat.processors.frame_processor import FrameProcessor

from crossfade.frames.audio import SpeechPlayedFrame

from .attachment import Attachment
from .websocket_messages import CloseCode, Hello


class ClientTransport(Protocol):
    """A transport to which clients attach, one after the other."""

    in_rate_hz: int
    """Of the caller's audio."""
    out_rate_hz: int
    """Of the agent's audio."""
    on_node: Callable[[str], None]
    """Told the name of the node that the caller wants to talk to."""

    def input(self) -> FrameProcessor:
        """Where audio comes in."""

    def output(self) -> FrameProcessor:
        """Where audio goes out."""

    @property
    def entry(self) -> Sequence[FrameProcessor]:
        """Processors of its own, to stand before what the caller says is filed."""

    @property
    def observers(self) -> Sequence[BaseObserver]:
        """Of the whole chain, to tell its client of it."""

    @property
    def received_samples(self) -> int:
        """How much of the caller's audio was heard, from the call's beginning."""

    @property
    def taken_samples(self) -> int:
        """How much of it has come: what of that was not heard yet will be."""

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks."""

    @property
    def client_spoke(self) -> bool:
        """Whether a client has been there for sure: then it knows its token."""

    @property
    def detached_since_s(self) -> float | None:
        """When the last client went, on the loop's clock; None while one is attached."""

    def attach(self, socket: Attachment, hello: Hello, *, ready: Callable[[int], bytes]) -> None:
        """Take this client in place of the one before. The chain runs.

        Args:
            socket: The client's line.
            hello: What it said.
            ready: Makes the message that it is attached, of the number of the first stream.
        """

    def hear_again(self) -> None:
        """Have the chain, which runs, hear what the caller said in another process."""

    def tell(self, message: bytes) -> None:
        """Send a control message, if a client is there."""

    def tell_detail(self, message: bytes) -> None:
        """Send a control message, if a client is there that asked for details."""

    def on_played(self, tell: Callable[[SpeechPlayedFrame], None]) -> None:
        """Have a function told what was heard of the agent, when the conversation has it."""

    def go_on(self) -> None:
        """The call is still this process's: what was held back sounds."""

    def detach(self, socket: Attachment) -> None:
        """This client's line is dead. One that was replaced is nothing."""

    def close(self, code: CloseCode, reason: str, last_message: bytes | None = None) -> None:
        """Send the client away."""

    async def hung_up(self) -> None:
        """Wait until the caller hangs up."""


__all__ = ["ClientTransport"]
