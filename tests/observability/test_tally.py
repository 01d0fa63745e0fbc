from crossfade.conversation.tools import ToolCall
from crossfade.conversation.usage import Usage
from crossfade.frames.audio import (
    PlayedSpeech,
    SpeechOrigin,
    SpeechPlayedFrame,
    TTSStartedFrame,
)
from crossfade.frames.continuity import AudioLostFrame, SessionContinuedFrame
from crossfade.frames.control import (
    ErrorFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
)
from crossfade.frames.tools import (
    AcknowledgeFrame,
    FunctionCallResultFrame,
    FunctionCallResultProperties,
    ToolCallsFrame,
    ToolCancelFrame,
)
from crossfade.observability.tally import Tally
from crossfade.observability.unanswered import Edge
from crossfade.providers import Profile
from crossfade.providers.events import Handover


def result(call_id: str, error: str | None = None) -> FunctionCallResultFrame:
    return FunctionCallResultFrame(
        function_name="weather", tool_call_id=call_id, arguments={}, result="", error=error
    )


def test_the_first_sound_and_the_end_of_a_response_are_timed_from_its_start() -> None:
    tally = Tally()
    tally.frame(ResponseStartFrame(response_id="r"), 1.0)
    tally.audio_received("r", 1.25)
    tally.audio_received("r", 1.5)
    tally.frame(ResponseEndFrame(response_id="r", status="interrupted"), 2.0)
    times = tally.responses["r"]
    assert (times.ttfb_ms, times.ttlb_ms, times.status) == (250, 1000, "interrupted")


def test_where_no_wire_tells_of_sound_the_node_does() -> None:
    tally = Tally()
    tally.frame(ResponseStartFrame(response_id="r"), 1.0)
    tally.frame(TTSStartedFrame(context_id="r"), 1.25)
    tally.frame(TTSStartedFrame(context_id="phrase"), 1.5)
    assert tally.responses["r"].ttfb_ms == 250


def test_a_response_without_sound_or_end_has_no_times() -> None:
    tally = Tally()
    tally.frame(ResponseStartFrame(response_id="r"), 1.0)
    tally.audio_received("another", 1.25)
    assert (tally.responses["r"].ttfb_ms, tally.responses["r"].ttlb_ms) == (None, None)


def test_a_phrase_said_in_between_is_no_response() -> None:
    tally = Tally()
    tally.frame(ResponseStartFrame(response_id="phrase", injected=True), 1.0)
    tally.frame(ResponseEndFrame(response_id="phrase", status="completed"), 1.0001)
    assert not tally.audio_received("phrase", 1.0)
    assert not tally.responses


def test_usage_is_added_up() -> None:
    tally = Tally()
    for tokens in (3, 4):
        tally.used(Usage(output_audio_tokens=tokens))
    assert tally.usage == Usage(output_audio_tokens=7)


def test_a_tool_is_timed_from_its_call_to_its_result() -> None:
    tally = Tally()
    call = ToolCall(id="c", name="weather", arguments={})
    tally.frame(ToolCallsFrame.of("r", (call,)), 1.0)
    tally.frame(AcknowledgeFrame(call_id="c", text="One moment."), 1.5)
    tally.frame(result("c", error="no such city"), 2.5)
    tally.frame(result("unknown"), 3.0)
    (tool,) = tally.tools.values()
    assert (tool.name, tool.acknowledge_s, tool.duration_ms, tool.is_error) == (
        "weather",
        1.5,
        1500,
        True,
    )


def test_the_edges_of_the_callers_turns_are_kept() -> None:
    tally = Tally()
    tally.frame(UserStartedSpeakingFrame(), 1.0)
    tally.frame(UserStoppedSpeakingFrame(), 2.0)
    tally.frame(UserTurnCommittedFrame(item_id="i"), 2.5)
    assert [(each.edge, each.at_s) for each in tally.turn_edges] == [
        (Edge.BEGAN, 1.0),
        (Edge.ENDED, 2.0),
        (Edge.COMMITTED, 2.5),
    ]


def test_turns_interruptions_and_errors_are_counted() -> None:
    tally = Tally()
    tally.frame(UserStoppedSpeakingFrame(), 1.0)
    cut = PlayedSpeech(
        origin=SpeechOrigin(item_id="i", response_id="r"), played_ms=0, received_ms=900
    )
    tally.frame(SpeechPlayedFrame(items=(cut,), interrupted=True), 2.0)
    tally.frame(SpeechPlayedFrame(items=(), interrupted=True), 2.1)
    tally.frame(SpeechPlayedFrame(items=(cut,)), 2.2)
    tally.frame(ErrorFrame(error="it broke"), 3.0)
    assert (tally.user_turns, tally.interruptions_s, tally.errors) == (1, [2.0], ["it broke"])


def test_a_placeholder_answers_no_call_and_a_cancelled_one_failed() -> None:
    tally = Tally()
    calls = tuple(ToolCall(id=name, name="weather", arguments={}) for name in "ab")
    tally.frame(ToolCallsFrame.of("r", calls), 1.0)
    placeholder = result("a")
    placeholder.properties = FunctionCallResultProperties(is_final=False)
    tally.frame(placeholder, 2.0)
    tally.frame(ToolCancelFrame("weather", "b"), 3.0)
    assert (tally.tools["a"].answered_s, tally.tools["a"].is_error) == (None, False)
    assert (tally.tools["b"].answered_s, tally.tools["b"].is_error) == (3.0, True)


def test_other_sessions_and_lost_audio_are_counted() -> None:
    tally = Tally()
    for why in (Handover.ROTATION, Handover.RECONNECT):
        profile = Profile(model="m", input_rate_hz=16000, output_rate_hz=24000)
        frame = SessionContinuedFrame(
            why=why, provider="openai:m", session_id="s", profile=profile, gap_ms=80.0
        )
        tally.frame(frame, 1.0)
    tally.frame(AudioLostFrame(100.0), 2.0)
    tally.frame(AudioLostFrame(50.0), 3.0)
    assert [change.why for change in tally.session_changes] == ["rotation", "reconnect"]
    assert tally.lost_audio_ms == 150.0
