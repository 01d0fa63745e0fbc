"""The speech node when its provider's session ends and the call does not."""

import asyncio
from typing import Any

import pytest

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall
from crossfade.conversation.turns import AgentTurn, Summary
from crossfade.conversation.usage import Usage
from crossfade.errors import CrossfadeError
from crossfade.frames.audio import PlayedSpeech, SpeechOrigin, SpeechPlayedFrame, TTSStoppedFrame
from crossfade.frames.continuity import AudioLostFrame, SessionContinuedFrame, SessionLostFrame
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    InterruptionFrame,
    ResponseEndFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.tools import FunctionCallResultFrame
from crossfade.processors.base import DOWNSTREAM, UPSTREAM
from crossfade.processors.conversation_tap import ConversationTap, TapSide
from crossfade.providers import (
    Profile,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionConfig,
    TextDelta,
)
from crossfade.providers.events import AudioLost, Handover, LineLost, SessionContinued
from tests.clock import run
from tests.processors.chain import Chain, running, settled
from tests.processors.sessions import Session, audio, done, node

CALL = ToolCall(id="c", name="look", arguments={}, response_id="r")


def continued(*, why: Handover = Handover.RECONNECT, open_calls: bool = False) -> SessionContinued:
    return SessionContinued(
        why=why,
        provider="openai:other",
        session_id="s2",
        resumed=False,
        open_calls=open_calls,
        gap_ms=120.0,
        replayed_ms=900.0,
    )


def text(words: str) -> TextDelta:
    return TextDelta(response_id="r", item_id="a", text=words, spoken=True)


async def called(session: Session) -> None:
    """The model called a tool, and its response is over."""
    session.feed(ResponseStarted(response_id="r"), CALL, done("r"))
    await settled(60)


async def answer(chain: Chain) -> None:
    await chain.up(FunctionCallResultFrame("look", "c", {}, "blue", run_llm=True))
    await settled()


def test_what_became_of_the_session_is_told_both_ways_and_interrupts_nothing() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            session.feed(LineLost(message="gone", code="1006"), AudioLost(lost_ms=250.0))
            session.feed(continued())
            await settled(60)
            for probe, way in ((chain.first, UPSTREAM), (chain.last, DOWNSTREAM)):
                (lost,) = probe.frames(SessionLostFrame, way)
                (audio_lost,) = probe.frames(AudioLostFrame, way)
                (other,) = probe.frames(SessionContinuedFrame, way)
                assert (lost.message, lost.code, audio_lost.lost_ms) == ("gone", "1006", 250.0)
                assert (other.why, other.provider) == (Handover.RECONNECT, "openai:other")
                assert (other.gap_ms, other.replayed_ms) == (120.0, 900.0)
                assert other.profile is session.profile
                assert not probe.frames(InterruptionFrame)
                assert not probe.frames(ErrorFrame)

    run(scenario())


def test_a_cut_answer_is_played_on_and_filed_as_far_as_its_sound_goes() -> None:
    async def scenario() -> None:
        session, conversation = Session(SessionConfig()), Conversation()
        tap = ConversationTap(conversation, TapSide.AGENT)
        async with running(node(session), tap) as chain:
            session.feed(ResponseStarted(response_id="r"), text("One two three four five six"))
            session.feed(*[audio("r")] * 70, CALL, done("r", ResponseStatus.CUT))
            await settled(200)
            (end,) = chain.last.frames(ResponseEndFrame)
            assert (end.status, end.received_ms) == ("cut", {"a": 1400.0})
            assert len(chain.last.frames(TTSStoppedFrame)) == 1
            assert len(chain.last.audio) == 70
            assert not chain.last.frames(ErrorFrame)
        (turn,) = conversation.entries
        assert isinstance(turn, AgentTurn)
        assert (turn.status, turn.text) == ("cut", "One two three four")

    run(scenario())


def test_a_result_is_told_in_the_form_that_the_successor_understands() -> None:
    async def scenario(*, open_calls: bool) -> list[Any]:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            await called(session)
            session.feed(continued(open_calls=open_calls))
            await settled()
            await answer(chain)
            return list(session.asked)

    assert run(scenario(open_calls=True)) == [("tool", "c", "blue", False), "respond"]
    words = "[The tool call look({}) of before has its result now: blue]"
    assert run(scenario(open_calls=False)) == [("text", words)]


def test_a_phrase_in_the_voice_of_another_model_is_refused() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        speaks = node(session)
        async with running(speaks):
            phrase = asyncio.create_task(speaks.render("One moment."))
            await settled()
            ((_, _, label),) = session.asked
            session.profile = Profile(model="other", input_rate_hz=16000, output_rate_hz=24000)
            session.feed(ResponseStarted(response_id="r", injected=True, label=label), done("r"))
            with pytest.raises(CrossfadeError, match="other has taken over from m"):
                await phrase

    run(scenario())


def test_a_successor_of_another_kind_is_answered_in_its_own_way() -> None:
    async def scenario() -> None:
        talks_on = Profile(
            model="m",
            input_rate_hz=16000,
            output_rate_hz=24000,
            async_tools=True,
            partial_tool_results=True,
        )
        session = Session(SessionConfig(), talks_on)
        async with running(node(session)) as chain:
            await called(session)
            session.profile = Profile(model="m", input_rate_hz=16000, output_rate_hz=24000)
            session.feed(continued(open_calls=True))
            await settled()
            await answer(chain)
            await answer(chain)
            # The second comes after the one answer that the model waited for.
            assert [one[0] for one in session.asked if one != "respond"] == ["tool", "tool"]

    run(scenario())


def test_the_session_knows_when_the_user_speaks_here() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        async with running(node(session)) as chain:
            await chain.down(VADUserStartedSpeakingFrame())
            await chain.down(VADUserStoppedSpeakingFrame())
            assert session.asked == [("user speaks", True), ("user speaks", False)]

    run(scenario())


def playing(session: Session) -> bool:
    return session.playing


def test_the_session_knows_how_long_something_is_played() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        origin = SpeechOrigin(item_id="a", response_id="r")
        played = PlayedSpeech(origin=origin, played_ms=20, received_ms=20)
        async with running(node(session)) as chain:
            session.feed(ResponseStarted(response_id="r"), audio("r"), done("r"))
            await settled(60)
            assert playing(session)
            await chain.up(BotStartedSpeakingFrame())
            await chain.up(SpeechPlayedFrame(items=(played,)))
            assert playing(session)
            await chain.up(BotStoppedSpeakingFrame())
            assert not playing(session)
            session.feed(ResponseStarted(response_id="r"), audio("r"))
            await settled(60)
            await chain.up(BotStoppedSpeakingFrame())
            assert playing(session)
            await chain.down(InterruptionFrame())
            assert not playing(session)

    run(scenario())


def test_what_the_user_shows_goes_to_the_model_and_into_the_ledger() -> None:
    async def scenario() -> None:
        session, conversation = Session(SessionConfig()), Conversation()
        async with running(ConversationTap(conversation, TapSide.USER), node(session)) as chain:
            await chain.down(UserImageFrame(b"picture", "image/png"))
            await settled()
            assert session.asked == [("image", b"picture", "image/png")]
        assert [turn["role"] for turn in conversation.to_dict()["turns"]] == ["image"]

    run(scenario())


def long_answer(response_id: str) -> list[Any]:
    ended = ResponseDone(
        response_id=response_id,
        status=ResponseStatus.COMPLETED,
        usage=Usage(input_text_tokens=900),
    )
    return [ResponseStarted(response_id=response_id), ended]


def talk(conversation: Conversation, turns: int = 12) -> None:
    for number in range(turns):
        conversation.user_text(f"{number} " + "word " * 30, float(number))


def test_a_conversation_that_is_too_long_is_summarised_beside_it_and_rotated() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        talk(session.conversation)
        async with running(node(session, context_tokens=800)) as chain:
            session.feed(*long_answer("r"))
            await settled(60)
            ((kind, told, label),) = session.asked
            assert kind == "aside"
            assert told.startswith("User: 0 word word")
            # Not asked for again while it is written.
            session.feed(*long_answer("r2"))
            session.feed(ResponseStarted(response_id="w", injected=True, label=label))
            words = TextDelta(response_id="w", item_id="w", text="Words were said.", spoken=False)
            session.feed(words, done("w"))
            await settled(60)
            assert session.asked[1:] == ["rotate"]
            assert len(chain.last.frames(ResponseEndFrame)) == 2
        summary = session.conversation.entries[-1]
        assert isinstance(summary, Summary)
        assert summary.text == "What was said before, in short: Words were said."

    run(scenario())


def test_a_model_that_writes_nothing_aside_is_told_the_newest_part_alone() -> None:
    async def scenario() -> None:
        profile = Profile(model="m", input_rate_hz=16000, output_rate_hz=24000)
        session = Session(SessionConfig(), profile)
        async with running(node(session, context_tokens=800)):
            session.feed(*long_answer("r"), *long_answer("r2"))
            await settled(60)
            assert session.asked == ["rotate"]
            session.feed(continued(why=Handover.ROTATION), *long_answer("r3"))
            await settled(60)
            assert session.asked == ["rotate", "rotate"]

    run(scenario())


def test_a_summary_that_never_comes_is_asked_for_again_later() -> None:
    async def scenario() -> None:
        session = Session(SessionConfig())
        talk(session.conversation)
        async with running(node(session, context_tokens=800)):
            session.feed(*long_answer("r"))
            await asyncio.sleep(61)
            session.feed(*long_answer("r2"))
            await settled(60)
            assert [one[0] for one in session.asked] == ["aside", "aside"]

    run(scenario())
