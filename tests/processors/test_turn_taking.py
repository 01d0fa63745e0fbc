"""Whose turn it is."""

import pytest

from crossfade.frames.control import (
    Frame,
    InterruptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnStartProposedFrame,
    UserTurnStopProposedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.processors.base import DOWNSTREAM, UPSTREAM
from crossfade.processors.turn_taking import TurnOwner, TurnTaking
from tests.clock import run
from tests.processors.chain import Chain, running, settled

MADE = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame, InterruptionFrame)


def made(chain: Chain) -> list[str]:
    """What TurnTaking sent, checked to have gone both ways in the same order."""
    up = [
        type(f).__name__ for f, way in chain.first.seen if isinstance(f, MADE) and way is UPSTREAM
    ]
    down = [
        type(f).__name__ for f, way in chain.last.seen if isinstance(f, MADE) and way is DOWNSTREAM
    ]
    assert up == down
    return up


async def say(chain: Chain, frame: Frame) -> None:
    """The provider's proposals come from below, the local voice activity from above."""
    local = isinstance(frame, VADUserStartedSpeakingFrame | VADUserStoppedSpeakingFrame)
    await (chain.down(frame) if local else chain.up(frame))
    await settled()


OWNERS = {
    TurnOwner.PROVIDER: (UserTurnStartProposedFrame, UserTurnStopProposedFrame),
    TurnOwner.LOCAL: (VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame),
}


@pytest.mark.parametrize("owner", TurnOwner)
def test_the_owner_makes_turns_and_the_same_frames_result(owner: TurnOwner) -> None:
    start, stop = OWNERS[owner]

    async def scenario() -> None:
        async with running(TurnTaking(owner)) as chain:
            await say(chain, start())
            await say(chain, start())
            await say(chain, stop())
            await say(chain, stop())
            assert made(chain) == [
                "UserStartedSpeakingFrame",
                "InterruptionFrame",
                "UserStoppedSpeakingFrame",
            ]

    run(scenario())


@pytest.mark.parametrize("owner", TurnOwner)
def test_who_does_not_own_the_turns_changes_nothing(owner: TurnOwner) -> None:
    other = next(o for o in TurnOwner if o is not owner)
    start, stop = OWNERS[other]

    async def scenario() -> None:
        async with running(TurnTaking(owner)) as chain:
            await say(chain, start())
            await say(chain, stop())
            assert made(chain) == []

    run(scenario())
