"""Who writes what into the ledger."""

import asyncio

import pytest

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall
from crossfade.conversation.turns import UserTurn
from crossfade.frames.audio import PlayedSpeech, SpeechOrigin, SpeechPlayedFrame
from crossfade.frames.control import (
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
    UserTurnStartProposedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import SpokenTextFrame, TextType, UserTranscriptFrame
from crossfade.frames.tools import FunctionCallResultFrame, ToolCallsFrame
from crossfade.processors.conversation_tap import ConversationTap, TapSide
from tests.clock import run
from tests.processors.chain import running, settled


def words(text: str, item_id: str) -> SpokenTextFrame:
    return SpokenTextFrame(text, TextType.TOKEN, context_id=item_id, response_id="r")


def test_each_side_files_what_passes_it_and_nothing_twice() -> None:
    async def scenario() -> None:
        conversation = Conversation()
        user = ConversationTap(conversation, TapSide.USER)
        agent = ConversationTap(conversation, TapSide.AGENT)
        call = ToolCall(id="c", name="look", arguments={"at": "sky"}, response_id="r")
        played = PlayedSpeech(
            origin=SpeechOrigin(item_id="a", response_id="r"), played_ms=1000, received_ms=2000
        )
        async with running(user, agent) as chain:
            await chain.up(UserTurnStartProposedFrame(item_id="u"))
            await chain.down(UserStartedSpeakingFrame())
            await chain.up(UserStartedSpeakingFrame())
            await chain.down(UserStoppedSpeakingFrame())
            await chain.down(ResponseStartFrame(response_id="r"))
            await chain.down(words("One two ", "a"))
            await chain.down(words("three four", "a"))
            await chain.down(ResponseEndFrame(response_id="r"))
            await chain.up(UserTranscriptFrame("hello", "", "", item_id="u"))
            await chain.down(SpeechPlayedFrame(items=(played,), interrupted=True))
            await chain.up(SpeechPlayedFrame(items=(played,), interrupted=True))
            await chain.down(ToolCallsFrame.of("r", (call,)))
            await chain.down(FunctionCallResultFrame("look", "c", {}, {"sky": "blue"}))
            await settled()
        turns = conversation.to_dict()["turns"]
        assert [turn["role"] for turn in turns] == ["user", "agent", "tool"]
        assert turns[0]["text"] == "hello"
        assert turns[1]["text"] == "One two three four"
        assert turns[1]["interrupted"]
        assert turns[1]["heard"] == "One two"
        assert turns[2]["result"] == {"sky": "blue"}

    run(scenario())


def test_a_turn_that_is_told_by_its_words_begins_when_it_was_heard_here() -> None:
    async def scenario() -> None:
        conversation = Conversation()
        user = ConversationTap(conversation, TapSide.USER)
        now_s = asyncio.get_running_loop().time
        async with running(user) as chain:
            await asyncio.sleep(5.0)
            heard_s = now_s() - 0.2
            await chain.down(VADUserStartedSpeakingFrame(start_secs=0.2))
            await asyncio.sleep(1.0)
            stopped_s = now_s() - 0.5
            await chain.down(VADUserStoppedSpeakingFrame(stop_secs=0.5))
            await asyncio.sleep(3.0)
            await chain.down(VADUserStartedSpeakingFrame(start_secs=0.2))
            await chain.down(SpeechDroppedFrame())
            await chain.down(VADUserStoppedSpeakingFrame(stop_secs=0.1))
            await chain.up(UserTurnCommittedFrame(item_id="u"))
            await settled()
        (turn,) = conversation.entries
        assert isinstance(turn, UserTurn)
        assert turn.started_at_s == pytest.approx(heard_s)
        assert turn.stopped_at_s == pytest.approx(stopped_s)

    run(scenario())
