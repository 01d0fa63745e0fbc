"""What should arrive, and when its absence is suspicious."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers import SessionConfig, TurnDetection
from crossfade.providers.config import Eagerness
from crossfade.providers.continuity.liveness import Liveness, longest_pause_s


def due_s(liveness: Liveness) -> float | None:
    """Asked again and again, it changes."""
    return liveness.due_s


def test_nothing_must_arrive_while_nobody_asks_for_anything() -> None:
    liveness = Liveness(6.0)
    assert due_s(liveness) is None
    assert not liveness.suspicious(1e9)


def test_an_answer_that_was_asked_for_must_begin() -> None:
    liveness = Liveness(6.0)
    liveness.asked(10.0)
    assert not liveness.suspicious(15.9)
    assert liveness.suspicious(16.0)
    liveness.told(14.0)
    assert due_s(liveness) == 20.0, "what arrives meanwhile shows that the line is alive"
    liveness.began(19.0)
    liveness.ended(20.0)
    assert due_s(liveness) is None


def test_an_answer_that_runs_must_go_on() -> None:
    liveness = Liveness(6.0)
    liveness.began(1.0)
    liveness.told(3.0)
    assert due_s(liveness) == 9.0
    liveness.ended(8.0)
    assert due_s(liveness) is None, "all was said, or a tool is awaited"
    liveness.began(30.0)
    assert due_s(liveness) == 36.0


def test_an_answer_that_rests_must_end_once_it_can_be_played() -> None:
    liveness = Liveness(6.0)
    liveness.began(10.0)
    liveness.rests(12.0, 8.0)
    assert due_s(liveness) == 24.0
    liveness.told(19.0)
    assert due_s(liveness) == 25.0
    liveness.rests(20.0, 5.0)
    assert due_s(liveness) == 26.0, "its sound is shorter than it took to come"
    liveness.ended(21.0)
    assert due_s(liveness) is None


def test_a_noise_is_suspicious_once_and_any_message_clears_it() -> None:
    liveness = Liveness(6.0)
    liveness.spoke(1.0)
    assert liveness.suspicious(7.0)
    liveness.told(7.5)
    assert due_s(liveness) is None


def test_a_short_noise_is_waited_for_longer() -> None:
    liveness = Liveness(6.0)
    liveness.spoke(1.0, brief=True)
    assert due_s(liveness) == 13.0
    liveness.renewed(2.0)
    liveness.spoke(2.0)
    assert due_s(liveness) == 8.0
    waited = []
    for _ in range(5):
        liveness.doubted(10.0)
        liveness.spoke(10.0)
        waited.append(due_s(liveness))
    assert waited == [22.0, 22.0, 58.0, 58.0, 58.0], "while the audio is still kept, then longer"


def test_who_asks_again_waits_no_longer() -> None:
    liveness = Liveness(6.0)
    liveness.speaks(0.0)
    liveness.spoke(1.0)
    liveness.speaks(3.5)
    liveness.spoke(4.0)
    assert due_s(liveness) == 7.0
    liveness.speaks(6.5)
    liveness.held(7.0)
    assert due_s(liveness) == 8.0, "he speaks"
    liveness.spoke(7.5)
    assert due_s(liveness) == 9.5, "a moment for the answer to what he said last"


def test_a_provider_that_waits_for_the_rest_of_a_sentence_is_given_the_time() -> None:
    liveness = Liveness(6.0)
    liveness.renewed(0.0, pause_s=8.0)
    liveness.spoke(1.0)
    assert due_s(liveness) == 13.0
    liveness.speaks(8.0)
    assert due_s(liveness) is None, "he has paused"
    liveness.spoke(10.0)
    liveness.doubted(22.0)
    liveness.spoke(22.0)
    assert due_s(liveness) == 40.0
    liveness.renewed(30.0)
    liveness.spoke(30.0)
    assert due_s(liveness) == 42.0


def test_how_long_a_pause_may_be() -> None:
    assert longest_pause_s(SessionConfig()) == 0.5
    assert longest_pause_s(SessionConfig(silence_ms=9000)) == 9.0
    assert longest_pause_s(SessionConfig(turn_detection=TurnDetection.CALLER)) == 0.0
    for eagerness, pause_s in ((Eagerness.LOW, 8.0), (Eagerness.AUTO, 4.0), (Eagerness.HIGH, 2.0)):
        semantic = SessionConfig(turn_detection=TurnDetection.SEMANTIC, eagerness=eagerness)
        assert longest_pause_s(semantic) == pause_s


def test_who_pauses_for_a_moment_has_not_finished() -> None:
    liveness = Liveness(6.0)
    liveness.spoke(1.0)
    liveness.speaks(2.0)
    assert due_s(liveness) is None
    liveness.spoke(5.0)
    assert due_s(liveness) == 11.0


def test_where_nothing_else_can_be_tried_it_waits() -> None:
    liveness = Liveness(6.0)
    liveness.asked(0.0)
    liveness.postponed(8.0)
    assert due_s(liveness) == 8.0
    liveness.told(7.0)
    assert due_s(liveness) == 13.0


def test_what_was_tried_in_vain_is_waited_for_longer() -> None:
    liveness = Liveness(6.0)
    waited = []
    for _ in range(5):
        liveness.asked(0.0)
        waited.append(due_s(liveness))
        liveness.doubted(0.0)
        assert due_s(liveness) is None
    assert waited == [6.0, 12.0, 24.0, 48.0, 48.0]
    liveness.began(0.0)
    assert due_s(liveness) == 6.0


def test_another_connection_begins_with_nothing_asked() -> None:
    liveness = Liveness(6.0)
    liveness.began(0.0)
    liveness.asked(1.0)
    liveness.spoke(2.0)
    liveness.renewed(3.0)
    assert due_s(liveness) is None


def test_what_is_asked_for_while_an_answer_is_spoken_may_wait_for_its_end() -> None:
    liveness = Liveness(6.0)
    liveness.began(0.0)
    liveness.rests(1.0, 40.0)
    liveness.asked(2.0)
    assert due_s(liveness) == 46.0
    liveness.ended(20.0)
    assert due_s(liveness) == 26.0


NOTES = ("asked", "speaks", "spoke", "held", "told", "began", "rests", "ended", "renewed")


@given(st.lists(st.tuples(st.sampled_from(NOTES), st.floats(0.0, 20.0)), max_size=40))
def test_what_has_just_arrived_is_never_suspicious(notes: list[tuple[str, float]]) -> None:
    liveness, now_s = Liveness(6.0), 0.0
    for note, after_s in notes:
        now_s += after_s
        getattr(liveness, note)(now_s)
        if note in ("told", "began", "rests", "ended", "renewed"):
            assert not liveness.suspicious(now_s + 5.9)
        if note == "asked":
            assert due_s(liveness) is not None
