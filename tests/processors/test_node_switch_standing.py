"""What a call owes when its node is swapped: by what has passed, and what the node has told."""

from crossfade.conversation.tools import ToolCall
from crossfade.frames.audio import InputAudioRawFrame
from crossfade.frames.control import (
    Frame,
    InterruptionFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import InputTextRawFrame, UserPartialTranscriptFrame, UserTranscriptFrame
from crossfade.frames.tools import FunctionCallResultFrame, ToolCallsFrame
from crossfade.processors.kept_uplink import KeptUplink
from crossfade.processors.node_switch_standing import Standing
from crossfade.processors.speech_node import HeardBefore, Wanted


class Course:
    """A call, told in short."""

    def __init__(self) -> None:
        self.kept = KeptUplink(1000, keep_s=10, preroll_ms=40)
        self.standing = Standing(self.kept)

    def passes(self, *frames: Frame) -> None:
        for frame in frames:
            self.standing.passed(frame, down=True)

    def sounds(self, count: int = 5) -> None:
        for _ in range(count):
            frame = InputAudioRawFrame(audio=bytes(40), sample_rate=1000, num_channels=1)
            self.kept.hear(frame)

    def begins_to_speak(self) -> None:
        self.passes(VADUserStartedSpeakingFrame(start_secs=0.2), UserStartedSpeakingFrame())
        self.sounds()

    def speaks(self) -> None:
        self.begins_to_speak()
        self.passes(VADUserStoppedSpeakingFrame(stop_secs=0.5), UserStoppedSpeakingFrame())

    def said(self, item_id: str, text: str) -> bool:
        return self.standing.emitted(UserTranscriptFrame(text, "", "", item_id=item_id))

    def responds(self, response_id: str = "r", *, sound: bool = True) -> None:
        self.standing.emitted(ResponseStartFrame(response_id=response_id))
        if sound:
            self.standing.spoke(response_id, f"item of {response_id}", 100)

    def ends(self, response_id: str = "r", *, status: str = "completed") -> None:
        self.standing.emitted(ResponseEndFrame(response_id=response_id, status=status))

    def wants(self) -> Wanted:
        return self.standing.takeover().wanted

    def is_busy(self) -> bool:
        return self.standing.busy

    def user_waits(self) -> bool:
        return self.standing.user_waits


def test_at_rest_nothing_is_owed() -> None:
    course = Course()
    course.speaks()
    course.said("u1", "hello")
    course.responds()
    course.ends()
    assert course.wants() is Wanted.NOTHING
    assert not course.is_busy()
    assert not course.standing.awaits
    assert not course.user_waits()
    assert course.standing.heard_from is None


def test_a_turn_without_its_words_is_heard_again_by_its_name() -> None:
    course = Course()
    course.speaks()
    course.standing.emitted(UserTurnCommittedFrame(item_id="u1"))
    takeover = course.standing.takeover()
    assert takeover.wanted is Wanted.NOTHING
    assert takeover.turns == (HeardBefore(item_id="u1", committed=True),)
    assert course.standing.heard_from is not None


def test_a_turn_whose_words_are_known_is_only_answered() -> None:
    course = Course()
    course.speaks()
    course.said("u1", "hello")
    assert course.wants() is Wanted.ANSWER
    assert course.standing.heard_from is None


def test_words_that_come_while_the_answer_begins_ask_for_no_second_one() -> None:
    course = Course()
    course.speaks()
    course.responds(sound=False)
    course.said("u1", "hello")
    course.responds()
    course.ends()
    assert course.wants() is Wanted.NOTHING


def test_an_answer_that_has_not_sounded_is_answered_anew_and_one_that_has_is_gone_on_with() -> None:
    course = Course()
    course.speaks()
    course.said("u1", "hello")
    course.responds(sound=False)
    assert [end.status for end in course.standing.cut()] == ["cut"]
    assert course.wants() is Wanted.ANSWER
    course.responds("r2")
    (end,) = course.standing.cut()
    assert dict(end.received_ms) == {"item of r2": 100}
    assert course.wants() is Wanted.REST
    # The rest that has not come either is still owed.
    course.responds("r3", sound=False)
    course.standing.cut()
    assert course.wants() is Wanted.REST


def test_what_the_user_interrupts_is_not_gone_on_with() -> None:
    course = Course()
    course.passes(InputTextRawFrame("Tell me."))
    course.responds()
    course.passes(InterruptionFrame())
    assert [end.status for end in course.standing.cut()] == ["interrupted"]
    assert course.wants() is Wanted.NOTHING


def test_the_user_who_speaks_covers_what_is_owed() -> None:
    course = Course()
    course.passes(InputTextRawFrame("Tell me."))
    assert course.wants() is Wanted.ANSWER
    course.begins_to_speak()
    assert course.wants() is Wanted.NOTHING


def test_a_noise_is_nothing() -> None:
    course = Course()
    course.passes(VADUserStartedSpeakingFrame(start_secs=0.2))
    course.sounds()
    assert course.user_waits()
    course.passes(SpeechDroppedFrame(), VADUserStoppedSpeakingFrame(stop_secs=0.5))
    assert not course.user_waits()
    assert course.standing.heard_from is None


def test_a_tool_keeps_the_call_busy_and_its_result_is_owed() -> None:
    course = Course()
    call = ToolCall(id="c1", name="look", arguments={})
    course.standing.emitted(ToolCallsFrame.of("r", (call,), ()))
    assert course.is_busy()
    result = FunctionCallResultFrame(
        function_name="look", tool_call_id="c1", arguments={}, result="seen", run_llm=True
    )
    course.standing.passed(result, down=False)
    assert not course.is_busy()
    assert course.standing.takeover().fresh == {"c1"}
    assert course.wants() is Wanted.ANSWER


def test_the_rest_of_an_answer_is_owed_where_its_node_was_going_on_with_it() -> None:
    course = Course()
    course.speaks()
    course.said("u1", "hello")
    course.responds("r")
    course.ends("r", status="cut")
    assert course.wants() is Wanted.REST
    # The node begins with the rest, and is lost before it sounds.
    course.responds("s", sound=False)
    course.standing.cut()
    assert course.wants() is Wanted.REST


def test_a_turn_whose_answer_was_cut_before_it_sounded_is_not_answered() -> None:
    course = Course()
    course.speaks()
    course.responds("r", sound=False)
    course.ends("r", status="cut")
    assert course.standing.heard_from is not None
    assert course.wants() is Wanted.NOTHING
    assert course.standing.user_waits


def test_the_rest_is_owed_though_somebody_coughs_but_not_before_a_turn() -> None:
    course = Course()
    course.speaks()
    course.said("u1", "hello")
    course.responds("r")
    course.passes(VADUserStartedSpeakingFrame(start_secs=0.2))
    course.standing.cut()
    assert course.wants() is Wanted.REST
    course.passes(UserStartedSpeakingFrame())
    assert course.wants() is Wanted.NOTHING


def test_nothing_is_owed_of_an_answer_that_was_interrupted_and_cut() -> None:
    course = Course()
    course.speaks()
    course.responds("r")
    course.passes(InterruptionFrame())
    course.ends("r", status="cut")
    assert course.wants() is Wanted.NOTHING


def test_what_is_told_of_a_turn_again_is_told_once() -> None:
    course = Course()
    course.speaks()
    assert course.standing.emitted(UserPartialTranscriptFrame("hel", "", "", item_id="u1"))
    assert course.standing.emitted(UserTurnCommittedFrame(item_id="u1"))
    assert course.standing.made_out("u1") == "hel"
    assert not course.standing.emitted(UserTurnCommittedFrame(item_id="u1"))
    assert course.said("u1", "hello")
    assert not course.said("u1", "hello")
    assert course.standing.unheard == set()


def test_late_words_of_an_answered_turn_are_not_those_of_the_next() -> None:
    course = Course()
    course.speaks()
    course.responds()
    course.ends()
    course.begins_to_speak()
    course.said("u1", "hello")
    assert course.standing.takeover().turns == ()
    assert course.standing.heard_from is not None
