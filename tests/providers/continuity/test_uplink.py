"""What is kept of the user's audio: nothing is lost, nothing is heard twice."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crossfade.providers.continuity.uplink import TurnMark, UplinkBuffer

# Small numbers: one second is a hundred samples.
SECOND = 200
KEEP_S, PREROLL_S, DOUBT_S = 12, 2, 5
STREAM = b"".join(at.to_bytes(2, "little") for at in range(2**16))


def new(*, speech_events: bool = True) -> UplinkBuffer:
    return UplinkBuffer(SECOND, 2, KEEP_S, PREROLL_S, doubt_s=DOUBT_S, speech_events=speech_events)


class Call:
    """A buffer, and all that was ever added to it."""

    def __init__(self, *, speech_events: bool = True) -> None:
        self.buffer = new(speech_events=speech_events)
        self.said = bytearray()
        self.lost = 0

    def speak(self, seconds: float) -> int:
        """Add audio in which each sample tells its place; give where it began."""
        began = len(self.said)
        for _ in range(round(seconds * 10)):
            at = len(self.said)
            pcm = STREAM[at : at + SECOND // 10]
            self.said += pcm
            self.lost += self.buffer.add(pcm)
        return began

    def replayed(self) -> tuple[int, int]:
        """Where the replay begins and ends; it is one piece of what was said."""
        pcm = b"".join(piece for piece in self.buffer.replay() if isinstance(piece, bytes))
        assert pcm == bytes(self.said[len(self.said) - len(pcm) :])
        return len(self.said) - len(pcm), len(self.said)

    def marks(self) -> list[tuple[int, TurnMark]]:
        """The marks of the replay, and where they stand."""
        at, _ = self.replayed()
        marks = []
        for piece in self.buffer.replay():
            if isinstance(piece, bytes):
                at += len(piece)
            else:
                marks.append((at, piece))
        return marks


def test_while_nobody_speaks_the_latest_is_kept() -> None:
    call = Call()
    call.speak(9)
    began, end = call.replayed()
    assert end - began == PREROLL_S * SECOND
    assert call.buffer.unfinished() == b""
    assert not call.buffer.owes


def test_an_utterance_is_kept_until_its_answer_begins() -> None:
    call = Call()
    call.speak(3)
    began = call.speak(4)
    call.buffer.speech_started(began)
    stopped = call.speak(1)
    call.buffer.speech_stopped(stopped)
    assert call.replayed()[0] <= began
    call.buffer.committed()
    call.speak(3)
    assert call.replayed()[0] <= began
    assert call.buffer.unfinished()
    call.buffer.answered()
    assert call.replayed()[0] >= stopped
    assert call.buffer.unfinished() == b""


def test_the_next_turn_may_begin_while_the_last_is_answered() -> None:
    call = Call()
    call.buffer.speech_started(0)
    call.buffer.speech_stopped(call.speak(1) + SECOND)
    call.buffer.committed()
    second = call.speak(1)
    call.buffer.speech_started(second)
    call.speak(1)
    call.buffer.answered()
    began, _ = call.replayed()
    assert SECOND <= began <= second
    call.speak(5)
    assert call.replayed()[0] == began


def test_what_only_the_callers_ear_hears_is_kept_with_the_sound_before_it() -> None:
    call = Call()
    heard = call.speak(5) + 5 * SECOND
    call.buffer.hint_started()
    call.speak(4)
    call.buffer.hint_stopped()
    call.speak(DOUBT_S - 1)
    assert call.replayed()[0] == heard - PREROLL_S * SECOND
    call.speak(2)
    assert call.replayed()[1] - call.replayed()[0] == PREROLL_S * SECOND, "it was noise"


def test_a_noise_is_no_noise_while_no_connection_serves() -> None:
    call = Call()
    call.buffer.hint_started()
    call.speak(1)
    call.buffer.hint_stopped()
    call.buffer.unserved()
    call.speak(DOUBT_S + 2)
    call.buffer.served()
    call.speak(DOUBT_S - 3)
    assert call.replayed()[0] == 0
    assert call.buffer.owes


def test_a_noise_that_the_provider_passes_over_is_forgotten() -> None:
    call = Call()
    call.buffer.hint_started()
    call.speak(1)
    call.buffer.hint_stopped()
    call.speak(2)
    call.buffer.speech_started(3 * SECOND)
    call.speak(1)
    assert call.replayed()[0] >= SECOND


def test_the_end_that_the_ear_hears_late_is_no_new_speech() -> None:
    call = Call()
    call.buffer.hint_started()
    call.buffer.speech_started(0)
    call.speak(2)
    call.buffer.speech_stopped(2 * SECOND)
    call.buffer.committed()
    call.speak(0.5)
    call.buffer.hint_stopped()
    call.buffer.answered()
    assert not call.buffer.owes


def test_who_speaks_on_after_the_commit_is_kept() -> None:
    call = Call()
    call.buffer.hint_started()
    call.buffer.speech_started(0)
    call.speak(2)
    call.buffer.speech_stopped(2 * SECOND)
    call.buffer.committed()
    call.speak(3)
    call.buffer.hint_stopped()
    call.buffer.answered()
    assert call.buffer.owes
    assert call.replayed()[0] == 2 * SECOND


def test_without_speech_events_words_may_come_before_the_utterance_ends() -> None:
    call = Call(speech_events=False)
    call.buffer.hint_started()
    call.speak(2)
    call.buffer.committed()
    call.speak(2)
    call.buffer.hint_stopped()
    assert call.replayed()[0] == 0
    call.speak(1)
    call.buffer.answered()
    assert not call.buffer.owes
    assert call.replayed()[0] == 4 * SECOND


def test_without_speech_events_a_pause_ends_no_turn() -> None:
    call = Call(speech_events=False)
    for _ in range(2):
        call.buffer.hint_started()
        call.speak(1)
        call.buffer.hint_stopped()
        call.speak(0.5)
    call.buffer.committed()
    call.buffer.answered()
    assert not call.buffer.owes


def test_where_nobody_tells_of_speech_all_is_kept_since_the_last_answer() -> None:
    call = Call(speech_events=False)
    call.speak(6)
    assert call.replayed()[0] == 0
    call.buffer.committed()
    call.buffer.answered()
    call.speak(1)
    assert call.replayed()[0] == 6 * SECOND


def test_the_marks_of_the_caller_stay_in_their_places() -> None:
    call = Call()
    call.speak(1)
    call.buffer.start_turn()
    call.speak(2)
    call.buffer.end_turn()
    call.speak(1)
    call.buffer.start_turn(SECOND // 2)
    call.speak(1)
    assert call.marks() == [
        (SECOND, TurnMark.START),
        (3 * SECOND, TurnMark.END),
        (3 * SECOND + SECOND // 2, TurnMark.START),
    ]
    call.buffer.committed()
    call.buffer.answered()
    assert call.marks() == [(3 * SECOND + SECOND // 2, TurnMark.START)]


def test_a_turn_that_is_begun_anew_begins_there() -> None:
    call = Call()
    call.buffer.start_turn()
    call.speak(3)
    call.buffer.start_turn()
    call.speak(1)
    call.buffer.end_turn()
    assert call.marks() == [(3 * SECOND, TurnMark.START), (4 * SECOND, TurnMark.END)]


def test_a_turn_too_short_to_be_taken_up_holds_none_other_back() -> None:
    call = Call()
    call.buffer.start_turn()
    call.buffer.end_turn()
    call.speak(1)
    call.buffer.start_turn()
    call.speak(2)
    call.buffer.end_turn()
    call.buffer.committed()
    call.buffer.answered()
    assert not call.buffer.owes
    assert call.marks() == []


def test_a_turn_that_the_caller_only_ends_is_all_since_the_last() -> None:
    call = Call()
    call.speak(1)
    call.buffer.end_turn()
    assert call.buffer.unfinished() == bytes(call.said)


def test_a_turn_longer_than_what_is_kept_still_begins_and_ends() -> None:
    call = Call()
    call.buffer.start_turn()
    call.speak(KEEP_S + 3)
    call.buffer.end_turn()
    assert call.marks() == [(3 * SECOND, TurnMark.START), ((KEEP_S + 3) * SECOND, TurnMark.END)]
    assert call.lost == 0, "the session has it"
    assert call.buffer.unserved() == 3 * SECOND
    assert call.buffer.unserved() == 0
    call.speak(1)
    assert call.lost == SECOND
    assert call.buffer.lost_bytes == 4 * SECOND


def test_while_no_connection_serves_all_is_kept_up_to_the_limit() -> None:
    call = Call()
    call.speak(5)
    assert call.buffer.unserved() == 0
    call.speak(KEEP_S - PREROLL_S)
    assert call.replayed()[0] == (5 - PREROLL_S) * SECOND
    call.speak(PREROLL_S)
    assert call.lost == 0, "what went is older than the gap"
    call.speak(1)
    assert call.lost == SECOND
    assert call.buffer.served() == 0
    call.speak(3)
    assert call.replayed()[1] - call.replayed()[0] == PREROLL_S * SECOND


def test_the_loss_of_a_rotation_is_told_too() -> None:
    call = Call()
    call.buffer.speech_started(0)
    call.speak(KEEP_S + 1)
    assert call.buffer.served() == SECOND


def test_another_session_takes_the_turn_up_again() -> None:
    call = Call()
    call.buffer.speech_started(0)
    call.speak(2)
    call.buffer.speech_stopped(2 * SECOND)
    call.buffer.committed()
    call.buffer.unserved()
    call.buffer.served()
    call.buffer.answered()
    assert call.replayed()[0] == 0, "not answered: the new one has not taken it up"
    call.buffer.speech_started(0)
    call.buffer.speech_stopped(2 * SECOND)
    call.buffer.committed()
    call.buffer.answered()
    assert not call.buffer.owes


@pytest.mark.parametrize("listens", [True, False])
def test_of_a_connection_that_was_well_only_a_word_that_just_begins_is_heard_again(
    listens: bool,
) -> None:
    call = Call()
    if listens:
        call.buffer.hint_stopped()
    call.speak(5)
    call.buffer.unserved(well=True)
    call.speak(0.1)
    begin, end = call.replayed()
    assert end - begin == (0.6 if listens else PREROLL_S + 0.1) * SECOND


def test_what_another_session_is_tried_for_is_no_noise_meanwhile() -> None:
    call = Call(speech_events=False)
    call.buffer.hint_started()
    call.speak(1)
    call.buffer.hint_stopped()
    call.speak(DOUBT_S - 2)
    call.buffer.doubted()
    call.speak(DOUBT_S - 1)
    assert call.buffer.owes
    call.speak(2)
    assert not call.buffer.owes


class Uplink(RuleBasedStateMachine):
    """Turns by the provider's word, or by the caller's marks, on a line that comes and goes."""

    manual = False

    def __init__(self) -> None:
        super().__init__()
        self.call = Call()
        self.turns: list[list[int]] = []
        self.speaking = False
        self.committed = 0
        self.gap_from: int | None = None
        self.counted_to = 0

    @property
    def owed_from(self) -> int | None:
        starts = [turn[0] for turn in self.turns]
        if self.gap_from is not None:
            starts.append(self.gap_from)
        return min(starts, default=None)

    def told(self, lost: int) -> None:
        """What is told as lost is what is owed and gone, and was not told before."""
        kept_from = len(self.call.said) - self.call.buffer.kept_bytes
        owed_from = kept_from if self.owed_from is None else self.owed_from
        assert lost == max(0, kept_from - max(owed_from, self.counted_to))
        self.counted_to = max(self.counted_to, kept_from) if lost else self.counted_to

    @rule(tenths=st.integers(1, 40))
    def speak(self, tenths: int) -> None:
        self.say(tenths)

    def say(self, tenths: int) -> None:
        for _ in range(tenths):
            before = self.call.lost
            self.call.speak(0.1)
            self.told_by_add(self.call.lost - before)

    def told_by_add(self, lost: int) -> None:
        if self.gap_from is None:
            assert lost == 0
        else:
            self.told(lost)

    @precondition(lambda self: not self.speaking and (self.manual or self.gap_from is None))
    @rule()
    def start(self) -> None:
        at = len(self.call.said)
        if self.manual:
            self.call.buffer.start_turn()
        else:
            self.call.buffer.speech_started(at)
        self.turns.append([at, -1])
        self.speaking = True
        self.say(2)

    @precondition(lambda self: self.speaking)
    @rule()
    def stop(self) -> None:
        at = len(self.call.said)
        if self.manual:
            self.call.buffer.end_turn()
        else:
            self.call.buffer.speech_stopped(at)
        self.turns[-1][1] = at
        self.speaking = False
        if not self.manual:
            self.commit()

    @precondition(lambda self: self.manual and self.gap_from is None)
    @rule()
    def commit(self) -> None:
        ended = sum(turn[1] >= 0 for turn in self.turns)
        if self.committed < ended:
            self.call.buffer.committed()
            self.committed += 1

    @precondition(lambda self: self.gap_from is None)
    @rule()
    def answer(self) -> None:
        self.call.buffer.answered()
        done = self.turns[self.committed - 1][1] if self.committed else 0
        del self.turns[: self.committed]
        self.committed = 0
        assert self.call.replayed()[0] >= done, "what is answered is not heard again"

    @precondition(lambda self: self.gap_from is None and (self.manual or not self.speaking))
    @rule()
    def line_dies(self) -> None:
        self.gap_from = len(self.call.said)
        self.told(self.call.buffer.unserved())

    @precondition(lambda self: self.gap_from is not None and (self.manual or not self.speaking))
    @rule()
    def line_serves(self) -> None:
        self.told(self.call.buffer.served())
        self.gap_from = None
        self.committed = 0
        kept_from, _ = self.call.replayed()
        self.turns = [
            [max(start, kept_from), stop]
            for start, stop in self.turns
            if stop < 0 or stop > kept_from
        ]
        if not self.manual:
            for start, stop in self.turns:
                self.call.buffer.speech_started(start)
                self.call.buffer.speech_stopped(stop)
                self.call.buffer.committed()
            self.committed = len(self.turns)

    @invariant()
    def replay_is_one_piece_and_has_all_that_is_owed(self) -> None:
        began, end = self.call.replayed()
        assert (end - began) % 2 == 0
        assert end - began <= KEEP_S * SECOND
        if self.owed_from is not None:
            assert began <= max(self.owed_from, end - KEEP_S * SECOND)
        assert self.call.buffer.kept_bytes <= KEEP_S * SECOND

    @invariant()
    def marks_take_turns(self) -> None:
        if self.manual:
            marks = [mark for _, mark in self.call.marks()]
            starts = [mark is TurnMark.START for mark in marks]
            assert starts == [index % 2 == 0 for index in range(len(marks))]
            began, _ = self.call.replayed()
            heard = [stop for _, stop in self.turns if stop < 0 or stop > began]
            assert starts.count(True) == len(heard)


class MarkedUplink(Uplink):
    manual = True


class HeardUplink(RuleBasedStateMachine):
    """Turns that only the caller's ear tells of, as on Gemini: it answers when nobody speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.call = Call(speech_events=False)
        self.call.buffer.hint_stopped()
        self.unanswered: int | None = None
        self.speaking = False
        self.answered_to = self.stopped_at = 0
        self.serves = True

    @precondition(lambda self: self.speaking or not self.doubtful)
    @precondition(lambda self: self.has_room)
    @rule(tenths=st.integers(1, 20))
    def speak(self, tenths: int) -> None:
        self.call.speak(tenths / 10)

    @property
    def has_room(self) -> bool:
        """Whether no limit is met."""
        since = len(self.call.said) if self.unanswered is None else self.unanswered
        return len(self.call.said) - since < (KEEP_S - PREROLL_S - 2) * SECOND

    @property
    def doubtful(self) -> bool:
        """Whether what was said is soon taken for noise."""
        quiet = len(self.call.said) - self.stopped_at
        return self.unanswered is not None and quiet >= (DOUBT_S - 2) * SECOND

    @precondition(lambda self: not self.speaking and self.has_room)
    @rule()
    def start(self) -> None:
        self.call.buffer.hint_started()
        self.speaking = True
        if self.unanswered is None:
            self.unanswered = len(self.call.said)
        self.call.speak(0.2)

    @precondition(lambda self: self.speaking)
    @rule()
    def stop(self) -> None:
        self.call.buffer.hint_stopped()
        self.speaking = False
        self.stopped_at = len(self.call.said)

    @precondition(lambda self: self.serves and self.unanswered is not None)
    @rule()
    def first_words(self) -> None:
        self.call.buffer.committed()

    @precondition(lambda self: self.serves and not self.speaking and self.unanswered is not None)
    @rule()
    def answer(self) -> None:
        self.call.buffer.committed()
        self.call.buffer.answered()
        self.unanswered, self.answered_to = None, self.stopped_at
        assert not self.call.buffer.owes

    @rule()
    def line(self) -> None:
        self.serves = not self.serves
        if self.serves:
            self.call.buffer.served()
        else:
            self.call.buffer.unserved()

    @invariant()
    def all_is_kept_that_is_not_answered_and_nothing_else(self) -> None:
        began, end = self.call.replayed()
        assert began >= self.answered_to
        if self.unanswered is not None:
            assert began <= self.unanswered < end


TestUplink = Uplink.TestCase
TestMarkedUplink = MarkedUplink.TestCase
TestHeardUplink = HeardUplink.TestCase
TestUplink.settings = TestMarkedUplink.settings = TestHeardUplink.settings = settings(
    max_examples=60, stateful_step_count=30, phases=set(Phase) - {Phase.explain}
)

EVENTS = ("hint_started", "hint_stopped", "committed", "answered", "end_turn", "unserved", "served")


@given(st.lists(st.sampled_from(EVENTS) | st.integers(0, 3000), max_size=60), st.booleans())
def test_whatever_is_told_it_stays_one_piece_and_within_its_bounds(
    steps: list[str | int], speech_events: bool
) -> None:
    call = Call(speech_events=speech_events)
    for step in steps:
        match step:
            case str():
                getattr(call.buffer, step)()
            case int() if step % 3 == 0:
                call.buffer.speech_started(step)
            case int() if step % 3 == 1:
                call.buffer.speech_stopped(step)
            case int():
                call.speak(step / 1000)
        began, end = call.replayed()
        assert (end - began) % 2 == 0
        assert call.buffer.kept_bytes <= KEEP_S * SECOND
        assert len(call.buffer.unfinished()) <= call.buffer.kept_bytes


@pytest.mark.parametrize("odd", [1, 33])
def test_positions_are_rounded_to_whole_samples(odd: int) -> None:
    call = Call()
    call.buffer.hint_started()
    call.speak(2)
    call.buffer.committed()
    call.buffer.answered()
    call.buffer.speech_started(SECOND + odd)
    call.buffer.speech_stopped(SECOND + odd + 50)
    call.speak(3)
    assert call.replayed()[0] % 2 == 0


def test_a_turn_that_is_taken_up_tells_what_the_caller_calls_it() -> None:
    uplink = UplinkBuffer(1000, 2, 60.0, 1.0)
    for number in range(3):
        uplink.start_turn(turn_id=f"t{number}")
        uplink.add(bytes(400))
        uplink.end_turn()
    assert uplink.committed() == "t0"
    uplink.unserved()
    uplink.served()
    # It is heard again, and taken up again.
    assert [uplink.committed() for _ in range(3)] == ["t0", "t1", "t2"]
    uplink.answered()
    uplink.hint_started()
    uplink.add(bytes(400))
    uplink.hint_stopped()
    assert uplink.committed() == ""
