"""Decides whose turn it is: the one place where turns begin and interruptions are made."""

import asyncio
from collections import deque

from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import InterimTranscriptionFrame, TranscriptionFrame

from .base import UPSTREAM, FrameDirection, Processor
from .turn_stages import Move, Signal, TurnCounts, TurnOwner, TurnStages

HOLD_LIMIT_S = 1.0
"""Speech that is neither confirmed nor dropped by then is taken for speech."""
_ITEMS_KEPT = 32

_SIGNALS: dict[type[Frame], Signal] = {
    VADUserStartedSpeakingFrame: Signal.ONSET,
    SpeechConfirmedFrame: Signal.CONFIRMED,
    SpeechDroppedFrame: Signal.DROPPED,
    VADUserStoppedSpeakingFrame: Signal.ENDED,
    ProposedUserStartedSpeakingFrame: Signal.PROPOSED,
    ProposedUserStoppedSpeakingFrame: Signal.PROPOSED_END,
}


class TurnTaking(Processor):
    """Turns what is heard of the user into turns and interruptions.

    Stands before the speech node. While the agent is silent, the provider's word begins the
    user's turn: UserStartedSpeakingFrame, then InterruptionFrame. While the agent is heard, or
    where the turns are heard here, the onset of speech only holds what is played and what may come
    (PlayoutHoldFrame). The turn follows when it is sure: speech of some length, words, or the
    provider's own word. Otherwise PlayoutResumeFrame lets the answer go on. No hold lasts longer
    than a second. All these frames go both ways.

    Args:
        owner: Who hears that turns begin and end.
        holds: Whether an answer can be held; else the owner's first word interrupts it.
        provider_cuts: Whether the provider ends its answer by itself when it hears the user.
    """

    hears = (
        BotStartedSpeakingFrame,
        BotStoppedSpeakingFrame,
        InterimTranscriptionFrame,
        InterruptionFrame,
        TranscriptionFrame,
        UserTurnCommittedFrame,
        *_SIGNALS,
    )

    def __init__(
        self,
        owner: TurnOwner,
        *,
        holds: bool = True,
        provider_cuts: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._stages = TurnStages(owner, holds=holds, provider_cuts=provider_cuts)
        self._moves: deque[Move] = deque()
        self._moving = False
        self._limit: asyncio.TimerHandle | None = None
        self._committed: deque[str] = deque(maxlen=_ITEMS_KEPT)
        self._earlier: frozenset[str] = frozenset()
        """Items that were committed when the user's last turn began."""

    @property
    def counts(self) -> TurnCounts:
        """How often the agent was held and interrupted, and how often for nothing."""
        return self._stages.counts

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case BotStartedSpeakingFrame():
                self._stages.agent_heard = True
            case BotStoppedSpeakingFrame():
                self._stages.agent_heard = False
            case InterruptionFrame():
                self._stages.interrupted()
            case TranscriptionFrame() | InterimTranscriptionFrame() if direction is UPSTREAM:
                self._note_words(frame)
            case UserTurnCommittedFrame():
                self._committed.append(frame.item_id)
            case EndFrame():
                self._moves += self._stages.call_ends()
            case _:
                if signal := _signal(frame):
                    self._hear(signal)
        self._watch()

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        # A turn that begins with the word that speech has ended needs the sound kept until then.
        begins_late = isinstance(frame, VADUserStoppedSpeakingFrame) and Move.BEGIN in self._moves
        # What comes from below is for nobody above; the agent is to be silent first.
        if begins_late or direction is UPSTREAM or isinstance(frame, EndFrame | CancelFrame):
            await self._move()
            await self.push_frame(frame, direction)
        else:
            await self.push_frame(frame, direction)
            await self._move()

    async def cleanup(self) -> None:
        await super().cleanup()
        self._forget_limit()

    def _hear(self, signal: Signal) -> None:
        moves = self._stages.hear(signal)
        if Move.BEGIN in moves:
            self._earlier = frozenset(self._committed)
            self.hush(InterruptionFrame)
        elif Move.HOLD in moves:
            self.hush(PlayoutHoldFrame)
        self._moves += moves

    def _note_words(self, frame: TranscriptionFrame | InterimTranscriptionFrame) -> None:
        """Words are those of the turn that is being spoken, but a transcript may come late."""
        item_id = getattr(frame, "item_id", None)
        words = bool(frame.text.strip())
        partial = isinstance(frame, InterimTranscriptionFrame)
        if partial and words and item_id not in self._committed:
            self._hear(Signal.WORDS)
        if item_id not in self._earlier and (words or not partial):
            self._stages.said(words)

    async def _move(self) -> None:
        """Send what was decided, in the order of the decisions, whoever is sending already."""
        if self._moving:
            return
        self._moving = True
        try:
            while self._moves:
                await self._send(self._moves.popleft())
        finally:
            self._moving = False

    async def _send(self, move: Move) -> None:
        match move:
            case Move.HOLD:
                await self.broadcast_frame(PlayoutHoldFrame)
            case Move.RESUME:
                await self.broadcast_frame(PlayoutResumeFrame)
            case Move.BEGIN:
                await self._tell_begin()
            case Move.END:
                await self.broadcast_frame(UserStoppedSpeakingFrame)

    async def _tell_begin(self) -> None:
        """Tell both ways, and first the way where the agent is to fall silent."""
        down, up = (UserStartedSpeakingFrame(), InterruptionFrame()), []
        for frame in down:
            sibling = type(frame)()
            sibling.broadcast_sibling_id, frame.broadcast_sibling_id = frame.id, sibling.id
            up.append(sibling)
            await self.push_frame(frame)
        for sibling in up:
            await self.push_frame(sibling, UPSTREAM)

    def _watch(self) -> None:
        """See to it that every hold ends."""
        if not self._stages.held or not self.open:
            self._forget_limit()
        elif self._limit is None:
            loop = asyncio.get_running_loop()
            self._limit = loop.call_later(HOLD_LIMIT_S, self._late)

    def _forget_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _late(self) -> None:
        self._limit = None
        self._hear(Signal.LATE)
        self.create_task(self._move(), f"{self.name}::late")


def _signal(frame: Frame) -> Signal | None:
    """What a frame tells of the user; ours of a kind are pipecat's with more in them."""
    return next((_SIGNALS[kind] for kind in type(frame).__mro__ if kind in _SIGNALS), None)


__all__ = ["HOLD_LIMIT_S", "TurnCounts", "TurnOwner", "TurnTaking"]
