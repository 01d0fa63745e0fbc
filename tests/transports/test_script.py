"""When a scripted caller speaks."""

from crossfade.audio.sound_file import Sound
from crossfade.transports.script import AfterSilence, Cue, IntoAnswer, Line, Script, WhenAnswered

SECOND = Sound(pcm=bytes(32000), rate_hz=16000)


def line(name: str, cue: Cue) -> Line:
    return Line(name=name, sound=SECOND, cue=cue)


def name(due: Line | None) -> str | None:
    return None if due is None else due.name


def test_the_first_line_comes_after_its_silence() -> None:
    script = Script([line("a", AfterSilence(after_s=0.5))])
    script.started(10)
    assert script.due(10.4) is None
    assert name(script.due(10.5)) == "a"
    assert script.due(20) is None


def test_when_answered_waits_for_the_end_of_the_answer_and_a_pause() -> None:
    script = Script([line("a", AfterSilence(after_s=0)), line("b", WhenAnswered(pause_s=0.7))])
    script.started(0)
    script.due(0)
    script.agent_started(1.5)
    assert script.due(2) is None
    script.agent_stopped(3)
    assert script.due(3.6) is None
    assert name(script.due(3.7)) == "b"


def test_an_answer_that_goes_on_after_a_breath_is_waited_for() -> None:
    script = Script([line("a", AfterSilence(after_s=0)), line("b", WhenAnswered(pause_s=0.7))])
    script.started(0)
    script.due(0)
    script.agent_started(1.5)
    script.agent_stopped(2)
    script.agent_started(2.5)
    assert script.due(3) is None
    script.agent_stopped(4)
    assert name(script.due(4.7)) == "b"


def test_the_rest_of_an_answer_that_was_interrupted_answers_nothing() -> None:
    script = Script(
        [
            line("a", AfterSilence(after_s=0)),
            line("b", IntoAnswer(after_s=0.8)),
            line("c", WhenAnswered(pause_s=0.7)),
        ]
    )
    script.started(0)
    script.due(0)
    script.agent_started(1.5)
    assert name(script.due(2.5)) == "b"
    script.agent_stopped(2.7)
    assert script.due(5) is None
    script.agent_started(6)
    script.agent_stopped(7)
    assert name(script.due(7.7)) == "c"


def test_an_acknowledgement_is_no_answer() -> None:
    script = Script([line("a", AfterSilence(after_s=0)), line("b", IntoAnswer(after_s=0.8))])
    script.started(0)
    script.due(0)
    script.tool_called("call")
    script.agent_started(1.5)
    assert script.due(2.5) is None
    script.agent_stopped(2.6)
    script.tool_answered("call")
    script.agent_started(3)
    assert script.due(3.7) is None
    assert name(script.due(3.81)) == "b"


def test_a_cue_that_never_comes_is_given_up_and_told() -> None:
    script = Script([line("a", WhenAnswered())], patience_s=5)
    script.started(0)
    assert script.due(4.9) is None
    assert name(script.due(5)) == "a"
    assert script.missed == ["a"]


def test_the_call_is_over_when_the_last_line_is_answered() -> None:
    script = Script([line("a", AfterSilence(after_s=0))], pause_s=1)
    script.started(0)
    assert not script.over(0)
    script.due(0)
    script.agent_started(2)
    assert not script.over(30)
    script.agent_stopped(31)
    assert not script.over(31.9)
    assert script.over(32)
    assert script.missed == []


def test_an_agent_that_never_answers_does_not_keep_the_call() -> None:
    script = Script([line("a", AfterSilence(after_s=0))], patience_s=5)
    script.started(0)
    script.due(0)
    assert not script.over(5.9)
    assert script.over(6)
    assert script.missed == ["(hanging up)"]
