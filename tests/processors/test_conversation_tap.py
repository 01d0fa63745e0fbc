"""Who writes what into the ledger."""

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall
from crossfade.frames.audio import PlayedSpeech, SpeechOrigin, SpeechPlayedFrame
from crossfade.frames.control import (
    ResponseEndFrame,
    ResponseStartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnStartProposedFrame,
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
