"""Whose turn it is, in the chain."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
    UserTurnStartProposedFrame,
    UserTurnStopProposedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import UserPartialTranscriptFrame, UserTranscriptFrame
from crossfade.processors.base import DOWNSTREAM, UPSTREAM, FrameDirection, Processor
from crossfade.processors.turn_taking import HOLD_LIMIT_S, TurnOwner, TurnTaking
from tests.clock import run
from tests.processors.chain import Chain, running, settled

MADE = (
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
)


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


class Ear(Processor):
    """Keeps what silences it, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.hushed = False

    def fall_silent(self) -> None:
        self.told.append("hush")
        self.hushed = True

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, MADE) and direction is DOWNSTREAM:
            self.told.append(type(frame).__name__)
            if isinstance(frame, InterruptionFrame | PlayoutHoldFrame):
                self.hushed = False


async def say(chain: Chain, frame: Frame) -> None:
    """The provider's proposals come from below, the local voice activity from above."""
    local = isinstance(
        frame,
        VADUserStartedSpeakingFrame
        | VADUserStoppedSpeakingFrame
        | SpeechConfirmedFrame
        | SpeechDroppedFrame,
    )
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
            held = [HOLD] if owner is TurnOwner.LOCAL else []
            assert made(chain) == [*held, *TURN, "UserStoppedSpeakingFrame"]

    run(scenario())


@pytest.mark.parametrize("owner", TurnOwner)
def test_the_agent_falls_silent_before_anybody_is_told_why(owner: TurnOwner) -> None:
    async def scenario() -> None:
        ear = Ear()
        async with running(TurnTaking(owner), ear) as chain:
            await say(chain, BotStartedSpeakingFrame())
            await say(chain, VADUserStartedSpeakingFrame())
            await say(chain, OWNERS[owner][0]())
            await say(chain, SpeechConfirmedFrame())
        assert ear.told[:5] == ["hush", HOLD, "hush", *TURN]

    run(scenario())


def test_a_cough_in_silence_is_no_turn() -> None:
    async def scenario() -> None:
        async with running(TurnTaking(TurnOwner.LOCAL)) as chain:
            await say(chain, VADUserStartedSpeakingFrame())
            await say(chain, SpeechDroppedFrame())
            await say(chain, VADUserStoppedSpeakingFrame())
            assert made(chain) == [HOLD, RESUME]

    run(scenario())


def test_a_turn_that_begins_with_the_end_of_speech_begins_before_it_is_told() -> None:
    """Who keeps the sound since the onset forgets it with that word."""

    async def scenario() -> None:
        async with running(TurnTaking(TurnOwner.LOCAL)) as chain:
            await say(chain, VADUserStartedSpeakingFrame())
            await say(chain, VADUserStoppedSpeakingFrame())
        names = [type(frame).__name__ for frame, way in chain.last.seen if way is DOWNSTREAM]
        stopped = names.index("VADUserStoppedSpeakingFrame")
        assert names[stopped - 2 : stopped] == ["InterruptionFrame", "UserStoppedSpeakingFrame"]

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


TURN = ["UserStartedSpeakingFrame", "InterruptionFrame"]
HOLD, RESUME = "PlayoutHoldFrame", "PlayoutResumeFrame"


@pytest.mark.parametrize("owner", TurnOwner)
def test_the_onset_holds_what_is_heard_and_what_is_no_speech_lets_it_go_on(
    owner: TurnOwner,
) -> None:
    async def scenario() -> None:
        turns = TurnTaking(owner)
        async with running(turns) as chain:
            await say(chain, BotStartedSpeakingFrame())
            await say(chain, VADUserStartedSpeakingFrame())
            assert made(chain) == [HOLD]
            await say(chain, SpeechDroppedFrame())
            await say(chain, VADUserStoppedSpeakingFrame())
            assert made(chain) == [HOLD, RESUME]
            await say(chain, VADUserStartedSpeakingFrame())
            await say(chain, BotStoppedSpeakingFrame())
            confirmed = owner is TurnOwner.LOCAL
            await say(chain, SpeechConfirmedFrame() if confirmed else UserTurnStartProposedFrame())
            assert made(chain) == [HOLD, RESUME, HOLD, *TURN]
            assert (turns.counts.holds, turns.counts.false_holds) == (2, 1)

    run(scenario())


@pytest.mark.parametrize("owner", TurnOwner)
def test_no_hold_lasts_longer_than_its_limit(owner: TurnOwner) -> None:
    async def scenario() -> None:
        async with running(TurnTaking(owner)) as chain:
            await say(chain, BotStartedSpeakingFrame())
            await say(chain, VADUserStartedSpeakingFrame())
            await asyncio.sleep(HOLD_LIMIT_S - 0.01)
            assert made(chain) == [HOLD]
            await asyncio.sleep(0.02)
            assert made(chain) == [HOLD, *TURN]

    run(scenario())


def test_the_limit_counts_from_each_holds_own_beginning() -> None:
    async def scenario() -> None:
        async with running(TurnTaking(TurnOwner.LOCAL)) as chain:
            await say(chain, BotStartedSpeakingFrame())
            for _ in range(3):
                await say(chain, VADUserStartedSpeakingFrame())
                await asyncio.sleep(0.6)
                await say(chain, SpeechDroppedFrame())
            assert made(chain) == [HOLD, RESUME] * 3

    run(scenario())


def test_words_of_this_turn_confirm_and_late_ones_of_another_do_not() -> None:
    async def scenario() -> None:
        async with running(TurnTaking(TurnOwner.PROVIDER)) as chain:
            await say(chain, UserTurnCommittedFrame(item_id="before"))
            await say(chain, BotStartedSpeakingFrame())
            await say(chain, VADUserStartedSpeakingFrame())
            await say(chain, UserTranscriptFrame("what I said", "", "", item_id="before"))
            await say(chain, UserPartialTranscriptFrame("what I", "", "", item_id="before"))
            await say(chain, UserPartialTranscriptFrame(" ", "", "", item_id="now"))
            assert made(chain) == [HOLD]
            await say(chain, UserPartialTranscriptFrame("wait", "", "", item_id="now"))
            assert made(chain) == [HOLD, *TURN]

    run(scenario())


def test_an_interruption_whose_transcript_is_empty_is_counted_as_false() -> None:
    async def scenario() -> None:
        turns = TurnTaking(TurnOwner.PROVIDER)
        async with running(turns) as chain:
            await say(chain, UserTurnCommittedFrame(item_id="before"))
            await say(chain, BotStartedSpeakingFrame())
            await say(chain, UserTurnStartProposedFrame(item_id="now"))
            await say(chain, UserTranscriptFrame("", "", "", item_id="before"))
            assert turns.counts.false_interruptions == 0
            await say(chain, UserTurnCommittedFrame(item_id="now"))
            await say(chain, UserTranscriptFrame("", "", "", item_id="now"))
            assert turns.counts.false_interruptions == turns.counts.interruptions == 1

    run(scenario())


def test_the_end_of_the_call_comes_behind_the_resume_and_leaves_no_timer() -> None:
    async def scenario() -> None:
        async with running(TurnTaking(TurnOwner.LOCAL)) as chain:
            await say(chain, BotStartedSpeakingFrame())
            await say(chain, VADUserStartedSpeakingFrame())
        names = [type(frame).__name__ for frame, way in chain.last.seen if way is DOWNSTREAM]
        assert names[-2:] == [RESUME, "EndFrame"]
        await asyncio.sleep(2)
        assert made(chain) == [HOLD, RESUME]

    run(scenario())


HEARD: list[type[Frame]] = [
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    UserTurnStartProposedFrame,
    UserTurnStopProposedFrame,
]
Steps = st.lists(st.sampled_from(HEARD), max_size=12)


@given(st.sampled_from(TurnOwner), Steps, Steps)
@settings(max_examples=25, deadline=None)
def test_two_tasks_inside_it_never_leave_a_hold_that_nothing_ends(
    owner: TurnOwner, one: list[type[Frame]], two: list[type[Frame]]
) -> None:
    """The microphone's and the provider's frames come in tasks of their own."""

    async def scenario() -> None:
        ear = Ear()
        async with running(TurnTaking(owner), ear) as chain:
            await say(chain, BotStartedSpeakingFrame())

            async def act(kinds: list[type[Frame]]) -> None:
                for kind in kinds:
                    local = kind in HEARD[:4]
                    await (chain.down(kind()) if local else chain.up(kind()))
                    await asyncio.sleep(0)

            await asyncio.gather(act(one), act(two))
            await asyncio.sleep(2)
            held = speaking = False
            for name in made(chain):
                match name:
                    case "PlayoutHoldFrame":
                        assert not held
                        assert not speaking
                        held = True
                    case "PlayoutResumeFrame":
                        assert held
                        held = False
                    case "UserStartedSpeakingFrame":
                        assert not speaking
                        speaking = True
                    case "InterruptionFrame":
                        held = False
                    case _:
                        assert speaking
                        speaking = False
            assert not held
            assert not ear.hushed

    run(scenario())
