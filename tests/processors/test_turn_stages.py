"""The two stages of an interruption, for both owners of the turns."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.processors.turn_stages import Move, Signal, TurnCounts, TurnOwner, TurnStages

LOCAL, PROVIDER = TurnOwner.LOCAL, TurnOwner.PROVIDER
HOLD, RESUME, BEGIN, END = Move.HOLD, Move.RESUME, Move.BEGIN, Move.END
KINDS = {
    "local": lambda: TurnStages(LOCAL),
    "provider": lambda: TurnStages(PROVIDER),
    "provider that goes on": lambda: TurnStages(PROVIDER, provider_cuts=False),
    "local, no hold": lambda: TurnStages(LOCAL, holds=False),
    "provider, no hold": lambda: TurnStages(PROVIDER, holds=False),
}
HOLDING = [name for name in KINDS if "no hold" not in name]


def hear(stages: TurnStages, *signals: Signal) -> list[Move]:
    return [move for signal in signals for move in stages.hear(signal)]


def heard(kind: str) -> TurnStages:
    stages = KINDS[kind]()
    stages.agent_heard = True
    return stages


@pytest.mark.parametrize("kind", HOLDING)
def test_a_false_start_holds_the_answer_and_lets_it_go_on(kind: str) -> None:
    stages = heard(kind)
    moves = hear(stages, Signal.ONSET, Signal.DROPPED, Signal.ENDED)
    assert moves == [HOLD, RESUME]
    assert (stages.counts.holds, stages.counts.false_holds) == (1, 1)
    assert stages.counts.interruptions == 0


@pytest.mark.parametrize(
    ("kind", "sure"),
    [
        ("local", Signal.CONFIRMED),
        ("local", Signal.LATE),
        ("provider", Signal.PROPOSED),
        ("provider", Signal.WORDS),
        ("provider", Signal.LATE),
        ("provider that goes on", Signal.CONFIRMED),
        ("provider that goes on", Signal.WORDS),
        ("provider that goes on", Signal.LATE),
    ],
)
def test_what_makes_it_sure_interrupts_once(kind: str, sure: Signal) -> None:
    stages = heard(kind)
    assert hear(stages, Signal.ONSET, sure, sure, Signal.ONSET) == [HOLD, BEGIN]
    assert (stages.counts.holds, stages.counts.false_holds) == (1, 0)
    assert stages.counts.interruptions == 1


def test_a_second_onset_during_a_hold_changes_nothing() -> None:
    assert hear(heard("local"), Signal.ONSET, Signal.ONSET) == [HOLD]


def test_the_providers_own_word_needs_no_hold_before_it() -> None:
    assert hear(heard("provider"), Signal.PROPOSED, Signal.PROPOSED_END) == [BEGIN, END]


def test_a_provider_that_goes_on_is_only_believed_when_it_heard_a_whole_turn() -> None:
    stages = heard("provider that goes on")
    assert hear(stages, Signal.PROPOSED) == [HOLD]
    assert hear(stages, Signal.PROPOSED_END) == [BEGIN, END]


def test_local_certainty_alone_does_not_interrupt_for_a_provider_that_hears_nothing() -> None:
    stages = heard("provider")
    assert hear(stages, Signal.ONSET, Signal.CONFIRMED) == [HOLD]
    assert hear(stages, Signal.ENDED) == [RESUME]


def test_a_turn_that_the_provider_never_heard_begin_ends_when_we_hear_its_end() -> None:
    assert hear(heard("provider"), Signal.ONSET, Signal.LATE, Signal.ENDED) == [HOLD, BEGIN, END]
    late = heard("provider")
    assert hear(late, Signal.ONSET, Signal.LATE, Signal.PROPOSED, Signal.ENDED) == [HOLD, BEGIN]
    assert hear(late, Signal.PROPOSED_END) == [END]


@pytest.mark.parametrize("kind", ["provider", "provider that goes on"])
def test_while_the_agent_is_silent_the_providers_word_begins_turns_at_once(kind: str) -> None:
    stages, begins, ends = KINDS[kind](), Signal.PROPOSED, Signal.PROPOSED_END
    others = [s for s in Signal if s not in (begins, ends, Signal.CONFIRMED)]
    assert hear(stages, *others) == []
    assert hear(stages, begins, *others, ends) == [BEGIN, END]
    assert stages.counts.interruptions == stages.counts.holds == 0


@pytest.mark.parametrize(("kind", "hold"), [("local", [HOLD]), ("local, no hold", [])])
def test_turns_heard_here_begin_in_silence_when_it_is_sure(kind: str, hold: list[Move]) -> None:
    stages = KINDS[kind]()
    assert hear(stages, Signal.ONSET, Signal.ONSET) == hold
    assert hear(stages, Signal.CONFIRMED, Signal.CONFIRMED) == [BEGIN]
    assert hear(stages, Signal.DROPPED, Signal.ENDED, Signal.ENDED) == [END]
    assert stages.counts.interruptions == stages.counts.holds == 0


def test_a_cough_in_silence_is_no_turn() -> None:
    stages = KINDS["local"]()
    assert hear(stages, Signal.ONSET, Signal.DROPPED, Signal.ENDED) == [HOLD, RESUME]
    unheld = KINDS["local, no hold"]()
    assert hear(unheld, Signal.ONSET, Signal.DROPPED, Signal.ENDED) == []
    assert stages.counts == unheld.counts == TurnCounts()


def test_of_a_detector_that_confirms_nothing_all_speech_in_silence_is_a_turn() -> None:
    assert hear(KINDS["local"](), Signal.ONSET, Signal.ENDED) == [HOLD, BEGIN, END]
    assert hear(KINDS["local, no hold"](), Signal.ONSET, Signal.ENDED) == [BEGIN, END]


def test_an_answer_that_comes_while_it_is_not_sure_is_interrupted_when_it_is() -> None:
    stages = KINDS["local"]()
    hear(stages, Signal.ONSET)
    stages.agent_heard = True
    assert hear(stages, Signal.CONFIRMED) == [BEGIN]
    assert (stages.counts.holds, stages.counts.interruptions) == (0, 1)


@pytest.mark.parametrize(
    ("kind", "begins"), [("local, no hold", Signal.ONSET), ("provider, no hold", Signal.PROPOSED)]
)
def test_where_nothing_can_be_held_the_first_stage_is_the_interruption(
    kind: str, begins: Signal
) -> None:
    stages = heard(kind)
    assert hear(stages, begins) == [BEGIN]
    assert (stages.counts.holds, stages.counts.interruptions) == (0, 1)


def test_a_hold_that_outlasts_the_answer_still_interrupts_it() -> None:
    stages = heard("local")
    hear(stages, Signal.ONSET)
    stages.agent_heard = False
    assert hear(stages, Signal.CONFIRMED) == [BEGIN]
    assert stages.counts.interruptions == 1


def test_somebody_elses_interruption_ends_the_hold_and_speech_then_begins_a_turn() -> None:
    stages = heard("local")
    hear(stages, Signal.ONSET)
    stages.interrupted()
    assert not stages.held
    assert hear(stages, Signal.CONFIRMED) == [BEGIN]


def test_the_end_of_the_call_lets_what_is_held_be_heard() -> None:
    stages = heard("local")
    assert stages.call_ends() == ()
    hear(stages, Signal.ONSET)
    assert stages.call_ends() == (RESUME,)


def test_an_interruption_without_a_word_is_counted_as_false() -> None:
    stages = heard("provider")
    hear(stages, Signal.PROPOSED, Signal.PROPOSED_END)
    stages.said(False)
    stages.said(False)
    assert stages.counts.false_interruptions == 1
    hear(stages, Signal.PROPOSED, Signal.PROPOSED_END)
    stages.said(True)
    stages.said(False)
    assert stages.counts.false_interruptions == 1


Step = st.sampled_from([*Signal, "heard", "silent", "interrupted"])


@pytest.mark.parametrize("kind", KINDS)
@given(steps=st.lists(Step, max_size=40))
@settings(deadline=None)
def test_whatever_is_heard_every_hold_ends_and_turns_never_overlap(
    kind: str, steps: list[Signal | str]
) -> None:
    stages, held, speaking = KINDS[kind](), False, False
    for step in [*steps, Signal.LATE]:
        match step:
            case Signal():
                for move in stages.hear(step):
                    match move:
                        case Move.HOLD:
                            assert not held
                            assert not speaking
                            held = True
                        case Move.RESUME:
                            assert held
                            held = False
                        case Move.BEGIN:
                            assert not speaking
                            held, speaking = False, True
                        case Move.END:
                            assert speaking
                            speaking = False
            case "interrupted":
                stages.interrupted()
                held = False
            case _:
                stages.agent_heard = step == "heard"
        assert stages.held is held
    assert not held
    counts = stages.counts
    assert counts.false_holds <= counts.holds
    assert counts.false_interruptions <= counts.interruptions
