"""The scripted backend's choice of answers."""

import asyncio

import pytest

from crossfade.emulators.backends import (
    Call,
    Prompt,
    Reply,
    Say,
    ScriptedBackend,
    Told,
    Tool,
    ToolOutput,
    Trigger,
)
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.backends.scripted import KEPT_BYTES, ScriptedDialogue
from crossfade.errors import SettingsError


def dialogue(*turns: Turn, repeat: bool = False) -> ScriptedDialogue:
    scenario = Scenario(turns=turns, otherwise="No more.", repeat=repeat)
    return ScriptedBackend(scenario).dialogue()


def reply(talk: ScriptedDialogue, trigger: Trigger, *outputs: ToolOutput) -> Reply:
    return asyncio.run(talk.reply(Prompt(trigger=trigger, outputs=outputs)))


def said(talk: ScriptedDialogue, trigger: Trigger = Trigger.TEXT) -> str:
    return " ".join(part.text for part in reply(talk, trigger).parts if isinstance(part, Say))


def turn(say: str, on: Trigger | None = None, hear: str = "") -> Turn:
    return Turn(on=on, say=(say,), hear=hear)


def test_each_arrival_takes_the_first_free_turn_that_waits_for_it() -> None:
    talk = dialogue(
        turn("a", Trigger.SPEECH), turn("b", Trigger.TEXT), turn("c"), turn("d", Trigger.SPEECH)
    )
    assert said(talk, Trigger.TEXT) == "b"
    assert said(talk, Trigger.TEXT) == "c"
    assert said(talk, Trigger.SPEECH) == "a"
    assert said(talk, Trigger.SPEECH) == "d"
    assert said(talk, Trigger.SPEECH) == "No more."


def test_a_repeating_script_begins_again() -> None:
    talk = dialogue(turn("a"), turn("b"), repeat=True)
    assert [said(talk) for _ in range(5)] == ["a", "b", "a", "b", "a"]


def test_what_is_heard_belongs_to_the_turn_that_answers_it() -> None:
    talk = dialogue(turn("a", hear="one"), turn("b", hear="two"))
    assert asyncio.run(talk.hear(b"", 24_000)) == "one"
    assert said(talk, Trigger.SPEECH) == "a"
    assert asyncio.run(talk.hear(b"", 24_000)) == "two"
    assert said(talk, Trigger.SPEECH) == "b"
    assert asyncio.run(talk.hear(b"", 24_000)) == ""


def test_a_retracted_answer_is_the_next_one_again() -> None:
    talk = dialogue(turn("a"), turn("b"))
    first = reply(talk, Trigger.TEXT)
    talk.retract(first)
    talk.retract(first)
    assert [said(talk), said(talk), said(talk)] == ["a", "b", "No more."]


def test_a_retracted_answer_goes_back_to_its_place() -> None:
    talk = dialogue(turn("a", Trigger.SPEECH), turn("b"))
    talk.retract(reply(talk, Trigger.TEXT))
    assert [said(talk, Trigger.SPEECH), said(talk)] == ["a", "b"]


def test_results_are_read_out_whole_or_by_field() -> None:
    outputs = (
        ToolOutput(name="get_weather", output='{"city": "Tokyo", "temperature_c": 18}'),
        ToolOutput(name="note", output="It is windy"),
    )
    talk = dialogue(turn("{city}: {temperature_c}"), turn("{results}"))
    assert reply(talk, Trigger.TOOL_RESULTS, *outputs).parts == [Say("Tokyo: 18")]
    (whole,) = reply(talk, Trigger.TOOL_RESULTS, *outputs).parts
    assert isinstance(whole, Say)
    assert "18 degrees" in whole.text
    assert whole.text.endswith("It is windy.")


def test_a_field_that_no_result_has_is_named() -> None:
    with pytest.raises(SettingsError, match=r"'\{warmth\}', which no tool result holds"):
        said(dialogue(turn("{warmth}")))


def test_only_offered_functions_are_called() -> None:
    call = Call(name="f", arguments="{}")
    script = Turn(on=None, say=("Wait.",), call=(call, Call(name="g", arguments="{}")))
    prompt = Prompt(trigger=Trigger.TEXT, tools=[Tool(name="f")])
    assert asyncio.run(dialogue(script).reply(prompt)).parts == [
        Say("Wait."),
        call,
        Say("I have no tool called g."),
    ]


def test_so_are_those_of_an_answer_that_broke_off() -> None:
    talk = dialogue(Turn(on=None, say=("Wait a moment.",), call=(Call(name="f", arguments=""),)))
    talk.told(Told.AGENT, "Wait a")
    assert reply(talk, Trigger.REQUEST).parts == [Say("moment."), Say("I have no tool called f.")]


def test_a_phrase_to_say_exactly_takes_no_turn() -> None:
    talk = dialogue(turn("a"))
    prompt = Prompt(trigger=Trigger.REQUEST, instructions='Say exactly: "One moment."')
    assert asyncio.run(talk.reply(prompt)).parts == [Say("One moment.")]
    aside = Prompt(trigger=Trigger.REQUEST, out_of_band=True)
    assert asyncio.run(talk.reply(aside)).parts == [Say("No more.")]
    assert said(talk) == "a"


def test_a_sentence_sounds_the_same_in_every_dialogue() -> None:
    backend = ScriptedBackend()
    one = asyncio.run(backend.dialogue().render("Hello there."))
    two = asyncio.run(backend.dialogue().render("Hello there."))
    assert one == two == asyncio.run(ScriptedBackend().dialogue().render("Hello there."))
    assert len(one) > 24_000


def test_of_what_was_spoken_the_newest_is_kept() -> None:
    backend = ScriptedBackend()
    long = "word after word " * 64
    for number in range(8):
        asyncio.run(backend.render(f"{number} {long}"))
    kept = sum(map(len, backend._rendered.values()))
    assert KEPT_BYTES / 2 < kept <= KEPT_BYTES
    # Longer than all that is kept.
    asyncio.run(backend.render(long * 10))
    assert not backend._rendered
