import pytest

from crossfade.conversation.tools import ToolCall
from crossfade.frames.audio import PlayedSpeech, SpeechOrigin, SpeechPlayedFrame
from crossfade.frames.continuity import (
    AudioLostFrame,
    SessionContinuedFrame,
    SessionLostFrame,
)
from crossfade.frames.control import (
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    StartFrame,
    UserStartedSpeakingFrame,
)
from crossfade.frames.text import (
    SpokenTextFrame,
    TextType,
    TranscriptionFrame,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
)
from crossfade.frames.tools import FunctionCallResultFrame, ToolCallsFrame
from crossfade.observability.live_events import (
    AgentFinished,
    AgentSaid,
    AgentSpeaking,
    AudioLost,
    Continued,
    Failed,
    LineLost,
    LiveEvent,
    ToolAnswered,
    ToolCalled,
    UserSaid,
    UserSpeaking,
    live_events,
)
from crossfade.providers import Profile
from crossfade.providers.events import Handover

PLAYED = PlayedSpeech(
    origin=SpeechOrigin(item_id="i", response_id="r"), played_ms=500, received_ms=900
)


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (UserStartedSpeakingFrame(), UserSpeaking(at_s=1, speaking=True)),
        (BotStoppedSpeakingFrame(), AgentSpeaking(at_s=1, speaking=False)),
        (
            SpeechPlayedFrame(items=(PLAYED,), interrupted=True),
            AgentFinished(at_s=1, response_id="r", item_id="i", interrupted=True),
        ),
        (ErrorFrame(error="it broke"), Failed(at_s=1, message="it broke")),
        (SessionLostFrame("gone", "1006"), LineLost(at_s=1, message="gone")),
        (AudioLostFrame(250.0), AudioLost(at_s=1, lost_ms=250.0)),
        (
            SessionContinuedFrame(
                why=Handover.FAILOVER,
                provider="gemini:m",
                session_id="s",
                profile=Profile(model="m", input_rate_hz=16000, output_rate_hz=24000),
                gap_ms=80.0,
            ),
            Continued(
                at_s=1,
                why="failover",
                provider="gemini:m",
                resumed=False,
                gap_ms=80.0,
                replayed_ms=0.0,
            ),
        ),
        (
            UserTranscriptFrame(text="hello", user_id="", timestamp="", item_id="i"),
            UserSaid(at_s=1, item_id="i", text="hello", final=True),
        ),
        (
            UserPartialTranscriptFrame(text="he", user_id="", timestamp="", item_id="i"),
            UserSaid(at_s=1, item_id="i", text="he", final=False),
        ),
        (
            TranscriptionFrame(text="from a cascade", user_id="", timestamp=""),
            UserSaid(at_s=1, item_id="", text="from a cascade", final=True),
        ),
        (
            SpokenTextFrame(
                text=" Sunny", text_type=TextType.WORD, context_id="i", response_id="r"
            ),
            AgentSaid(at_s=1, response_id="r", item_id="i", text=" Sunny"),
        ),
        (
            ToolCallsFrame.of("r", (ToolCall(id="c", name="weather", arguments={"city": "X"}),)),
            ToolCalled(at_s=1, call_id="c", name="weather", arguments={"city": "X"}),
        ),
        (
            FunctionCallResultFrame(
                function_name="weather", tool_call_id="c", arguments={}, result=0, error="no"
            ),
            ToolAnswered(at_s=1, call_id="c", name="weather", result=0, is_error=True),
        ),
    ],
)
def test_what_a_frame_means_to_somebody_who_watches(frame: Frame, event: LiveEvent) -> None:
    assert live_events(frame, 1) == (event,)


def test_other_frames_mean_nothing_to_them() -> None:
    assert live_events(StartFrame(), 1) == ()
