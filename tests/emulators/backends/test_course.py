"""A scenario that goes on where another connection left it."""

import asyncio

from crossfade.emulators.backends import (
    Call,
    Part,
    Prompt,
    Say,
    ScriptedBackend,
    Told,
    Tool,
    ToolOutput,
    Trigger,
)
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.backends.scripted import ScriptedDialogue

LOOK_UP = Call(name="look_up", arguments="{}")
SCRIPT = (
    Turn(on=Trigger.SPEECH, hear="first", say=("The first answer is here.", "And more of it.")),
    Turn(on=Trigger.SPEECH, hear="second", say=("Let me see.",), call=(LOOK_UP,)),
    Turn(on=Trigger.TOOL_RESULTS, say=("There are {found} of them.",)),
    Turn(on=Trigger.SPEECH, hear="third", say=("The third answer.",)),
)
NOTICE = "[The line broke. Go on from there.]"
GAVE = '[look_up({}) gave: {"found":3}]'


def dialogue(*told: tuple[Told, str], repeat: bool = False) -> ScriptedDialogue:
    talk = ScriptedBackend(Scenario(turns=SCRIPT, otherwise="No more.", repeat=repeat)).dialogue()
    for who, text in told:
        talk.told(who, text)
    return talk


def reply(
    talk: ScriptedDialogue, trigger: Trigger, text: str = "", *outputs: ToolOutput
) -> list[Part]:
    tools = [Tool(name="look_up")]
    prompt = Prompt(trigger=trigger, text=text, outputs=outputs, tools=tools)
    return list(asyncio.run(talk.reply(prompt)).parts)


def heard(talk: ScriptedDialogue) -> str:
    return asyncio.run(talk.hear(b"", 24_000))


ANSWERED = ((Told.USER, "First."), (Told.AGENT, "The first answer is here. And more of it."))


def test_it_goes_on_behind_what_was_said_before() -> None:
    talk = dialogue((Told.USER, "first"), ANSWERED[1])
    assert heard(talk) == "second"
    assert reply(talk, Trigger.SPEECH) == [Say("Let me see."), LOOK_UP]


def test_words_that_nobody_answered_are_answered_now() -> None:
    talk = dialogue((Told.USER, "first"))
    assert heard(talk) == "second"
    assert reply(talk, Trigger.TEXT, "first")[0] == Say("The first answer is here.")
    assert heard(talk) == "second"


def test_an_answer_that_broke_off_goes_on_where_it_did() -> None:
    cut = (Told.AGENT, "The first answer")
    for trigger, text, notice in (
        (Trigger.REQUEST, "", ()),
        (Trigger.REQUEST, "", ((Told.NOTICE, NOTICE),)),
        (Trigger.TEXT, NOTICE, ((Told.USER, NOTICE),)),
        (Trigger.TEXT, NOTICE, ()),
    ):
        talk = dialogue((Told.USER, "first"), cut, *notice)
        assert reply(talk, trigger, text) == [Say("is here."), Say("And more of it.")]
        assert heard(talk) == "second"


def test_the_rest_begins_behind_whole_messages_and_has_the_calls() -> None:
    talk = dialogue((Told.USER, "first"), (Told.AGENT, "The first answer is here. And"))
    assert reply(talk, Trigger.REQUEST) == [Say("more of it.")]
    talk = dialogue(*ANSWERED, (Told.USER, "second"), (Told.AGENT, "Let me"))
    assert reply(talk, Trigger.REQUEST) == [Say("see."), LOOK_UP]


def test_nothing_is_left_of_an_answer_that_was_said_in_whole() -> None:
    talk = dialogue(*ANSWERED, (Told.NOTICE, NOTICE))
    assert reply(talk, Trigger.REQUEST) == []
    assert reply(dialogue(*ANSWERED), Trigger.REQUEST) == [Say("No more.")]


def test_an_answer_that_the_user_cut_does_not_go_on() -> None:
    talk = dialogue((Told.USER, "first"), (Told.AGENT, "The first"), (Told.USER, "second"))
    assert reply(talk, Trigger.TEXT, "second") == [Say("Let me see."), LOOK_UP]
    talk = dialogue((Told.USER, "first"), (Told.AGENT, "The first"))
    assert reply(talk, Trigger.SPEECH) == [Say("Let me see."), LOOK_UP]


def test_words_that_are_no_beginning_of_the_answer_are_no_cut() -> None:
    talk = dialogue((Told.USER, "first"), (Told.AGENT, "The first answ"), (Told.NOTICE, NOTICE))
    whole = [Say("The first answer is here."), Say("And more of it.")]
    assert reply(talk, Trigger.REQUEST) == whole


def test_the_result_of_an_open_call_is_spoken_of() -> None:
    asked = (*ANSWERED, (Told.USER, "second"), (Told.AGENT, "Let me see."))
    output = ToolOutput(name="look_up", output='{"found": 2}')
    talk = dialogue(*asked, (Told.CALL, "look_up"))
    assert reply(talk, Trigger.TOOL_RESULTS, "", output) == [Say("There are 2 of them.")]
    assert heard(talk) == "third"
    # A wire that takes no call from elsewhere has it in the words of a notice.
    late = '[The tool call look_up({}) of before has its result now: {"found":4}]'
    assert reply(dialogue(*asked, (Told.CALL, "look_up")), Trigger.TEXT, late) == [
        Say("There are 4 of them.")
    ]
    assert reply(dialogue(*asked, (Told.USER, GAVE)), Trigger.TEXT, GAVE) == [
        Say("There are 3 of them.")
    ]


def test_the_rest_of_an_answer_knows_the_result_that_it_speaks_of() -> None:
    told = (*ANSWERED, (Told.USER, "second"), (Told.AGENT, "Let me see."))
    for result in (
        ((Told.CALL, "look_up"), (Told.RESULT, '{"found":3}')),
        ((Told.USER, GAVE),),
    ):
        talk = dialogue(*told, *result, (Told.AGENT, "There are 3"), (Told.NOTICE, NOTICE))
        assert reply(talk, Trigger.REQUEST) == [Say("of them.")]
        assert heard(talk) == "third"


def test_a_call_that_was_made_without_a_word_is_not_made_again() -> None:
    script = (Turn(on=Trigger.SPEECH, hear="second", call=(LOOK_UP,)), *SCRIPT[2:])
    talk = ScriptedBackend(Scenario(turns=script)).dialogue()
    talk.told(Told.USER, "second")
    talk.told(Told.CALL, "look_up")
    assert heard(talk) == "third"
    output = ToolOutput(name="look_up", output='{"found": 2}')
    assert reply(talk, Trigger.TOOL_RESULTS, "", output) == [Say("There are 2 of them.")]


def test_what_a_summary_has_left_out_is_over() -> None:
    talk = dialogue((Told.NOTICE, "They spoke of much."), (Told.AGENT, "There are"))
    assert heard(talk) == "third"


def test_a_repeating_script_is_told_round_by_round() -> None:
    last = ((Told.USER, "third"), (Told.AGENT, "The third answer."))
    talk = dialogue(*ANSWERED, *last, *ANSWERED, repeat=True)
    assert heard(talk) == "second"


def test_what_is_told_as_it_sounded_is_heard_before_what_is_told_next() -> None:
    asking = ScriptedBackend(
        Scenario(
            turns=(
                SCRIPT[0],
                Turn(on=Trigger.SPEECH, hear="second", call=(LOOK_UP,)),
                *SCRIPT[2:],
            )
        )
    )
    talk = asking.dialogue()
    first = talk.hear(b"", 24_000)
    talk.told(Told.AGENT, "The first answer is here. And more of it.")
    second = talk.hear(b"", 24_000)
    talk.told(Told.CALL, "look_up")
    talk.told(Told.RESULT, '{"found":3}')

    async def words() -> list[str]:
        return [await first, await second]

    assert asyncio.run(words()) == ["first", "second"]
    assert heard(talk) == "third"
