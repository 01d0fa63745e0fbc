"""Decides whose turn it is: the one place where turns begin and interruptions are made."""

from enum import Enum

from crossfade.frames.control import (
    Frame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from .base import FrameDirection, Processor


class TurnOwner(Enum):
    """Who hears that the user's turn begins and ends."""

    PROVIDER = "provider"
    """The speech node proposes, from the provider's own voice activity detection."""
    LOCAL = "local"
    """VoiceActivity, on this machine; the provider is told."""


class TurnTaking(Processor):
    """Turns the owner's word into UserStarted/StoppedSpeakingFrame and InterruptionFrame.

    Stands before the speech node. All three frames go both ways; the interruption follows the
    start of every user turn, as in pipecat.
    """

    def __init__(self, owner: TurnOwner, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self._owner = owner
        self._user_speaks = False

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        begins = isinstance(frame, self._starts) and not self._user_speaks
        ends = isinstance(frame, self._stops) and self._user_speaks
        self._user_speaks = (self._user_speaks or begins) and not ends
        await self.push_frame(frame, direction)
        if begins:
            await self.broadcast_frame(UserStartedSpeakingFrame)
            await self.broadcast_interruption()
        elif ends:
            await self.broadcast_frame(UserStoppedSpeakingFrame)

    @property
    def _starts(self) -> type[Frame]:
        local = self._owner is TurnOwner.LOCAL
        return VADUserStartedSpeakingFrame if local else ProposedUserStartedSpeakingFrame

    @property
    def _stops(self) -> type[Frame]:
        local = self._owner is TurnOwner.LOCAL
        return VADUserStoppedSpeakingFrame if local else ProposedUserStoppedSpeakingFrame
