"""Tools of every kind on models of every kind: what each model received, in order."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from crossfade.emulators.backends.backend import Call
from crossfade.errors import SettingsError
from crossfade.frames.control import BotStartedSpeakingFrame
from crossfade.processors.tools import OnDuplicate, Tool, tool
from crossfade.providers import SessionConfig, connect
from tests.clock import run
from tests.tools.wires import ASK, PROVIDERS, Told, Wire, call, script, talk

OPENAI, GEMINI, BLOCKING, CASCADE = Wire
each_wire = pytest.mark.parametrize("wire", Wire, ids=lambda wire: wire.name)
each_provider = pytest.mark.parametrize("wire", PROVIDERS, ids=lambda wire: wire.name)
Expected = Mapping[Wire, Sequence[Told]]


def sleeper(name: str, seconds: float, result: Any = "done", **policy: Any) -> Tool:
    """A tool that takes a while."""

    @tool(name=name, acknowledge=None, placeholder=f"{name} runs", **policy)
    async def sleep(city: str = "Tokyo") -> Any:
        """Sleep."""
        await asyncio.sleep(seconds)
        return result

    return sleep


def answered(output: Any) -> Expected:
    """A call that is answered in time, alone."""
    return {
        OPENAI: [Told("result", output), ASK],
        GEMINI: [Told("result", output, "WHEN_IDLE")],
        BLOCKING: [Told("result", output)],
        CASCADE: [Told("result", output), ASK],
    }


def later(name: str, output: str, placeholder: str | None = None) -> Expected:
    """A call that is answered by a placeholder, and later by its result."""
    placeholder = placeholder or f"{name} runs"
    words = f"[The tool call {name}({{}}) of before has its result now: {output}]"
    return {
        OPENAI: [Told("part", placeholder), Told("result", output), ASK],
        GEMINI: [Told("part", placeholder, "SILENT"), Told("result", output, "WHEN_IDLE")],
        BLOCKING: [Told("result", placeholder), Told("text", words)],
        # Nobody asks it to speak of the placeholder.
        CASCADE: [Told("result", output), ASK],
    }


async def told(
    wire: Wire, tools: Sequence[Tool], *calls: Call, after_s: float = 3, **how: Any
) -> list[Told]:
    """What the model was told some time after it called tools."""
    async with talk(wire, tools, script(calls, "There."), **how) as made:
        await made.say()
        await asyncio.sleep(after_s)
        return made.told


@each_wire
def test_a_slow_result_follows_a_placeholder(wire: Wire) -> None:
    assert run(told(wire, [sleeper("look", 2)], call("look"))) == later("look", "done")[wire]


@pytest.mark.parametrize("wire", [OPENAI, GEMINI], ids=lambda wire: wire.name)
def test_a_model_that_talks_on_can_be_made_to_wait_for_a_tool(wire: Wire) -> None:
    asking = [ASK] if wire is OPENAI else []
    result, text = later("look", "done")[BLOCKING]
    got = run(told(wire, [sleeper("look", 2, blocking=True)], call("look"), after_s=4))
    assert got == [result, *asking, text, *asking]


@each_wire
@pytest.mark.parametrize("nothing", [{}, "", 0, None, False, []])
def test_a_falsy_result_is_a_result(wire: Wire, nothing: Any) -> None:
    tools = [sleeper("look", 0.1, nothing)]
    assert run(told(wire, tools, call("look"), after_s=1)) == answered(nothing)[wire]


@each_wire
def test_a_hanging_tool_holds_nobody_up_and_is_given_up_at_its_deadline(wire: Wire) -> None:
    hanging = sleeper("hang", 10_000, deadline_ms=8000)

    async def main() -> None:
        async with talk(wire, [hanging], script([call("hang")], "Sure.", "Sorry.")) as made:
            await made.say()
            await asyncio.sleep(3)
            before = len(made.told)
            await made.say("Something else?")
            await asyncio.sleep(2)
            # On a model that waits, the placeholder was the first answer.
            assert "Sure." in made.spoken()
            assert Told("text", "Something else?") in made.told[before:]
            await asyncio.sleep(5)
            why = "hang gave no answer within 8 seconds."
            words = f"[The tool call hang({{}}) of before failed: {why}]"
            # A cascade's model is told of the placeholder with the next request.
            more = {OPENAI: 2, CASCADE: 3}.get(wire, 1)
            assert (
                made.told[before + more :]
                == {
                    OPENAI: [Told("result", {"error": why}), ASK],
                    GEMINI: [Told("result", {"error": why}, "WHEN_IDLE")],
                    BLOCKING: [Told("text", words)],
                    CASCADE: [Told("result", {"error": why}), ASK],
                }[wire]
            )

    run(main())


@each_wire
def test_what_a_tool_raises_is_told_by_kind_and_ends_nothing(wire: Wire) -> None:
    @tool
    async def broken() -> None:
        """Break."""
        raise ConnectionError("secret-token-123")

    async def main() -> None:
        async with talk(wire, [broken], script([call("broken")], "Sorry.", "Yes.")) as made:
            await made.say()
            await asyncio.sleep(1.5)
            error = {"error": "broken failed (ConnectionError)."}
            assert made.told == answered(error)[wire]
            await made.say("Are you there?")
            await asyncio.sleep(1.5)
            assert made.spoken() == ["Sorry.", "Yes."]
            assert not made.chain.errors

    run(main())


@each_wire
@pytest.mark.parametrize(
    ("rule", "runs", "second"),
    [
        (OnDuplicate.SHARE, 1, "found 1"),
        (OnDuplicate.RUN, 2, "found 2"),
        (
            OnDuplicate.REJECT,
            1,
            {"error": "find runs already with these arguments; wait for its result."},
        ),
    ],
)
def test_a_duplicate_shares_runs_or_is_refused(
    wire: Wire, rule: OnDuplicate, runs: int, second: Any
) -> None:
    begun = 0

    @tool(on_duplicate=rule, acknowledge=None)
    async def find(what: str) -> str:
        """Find."""
        nonlocal begun
        begun += 1
        number = begun
        await asyncio.sleep(0.4 + number / 10)
        return f"found {number}"

    both = [call("find", what="key"), call("find", what="key")]
    got = run(told(wire, [find], *both))
    first: Any = "found 1"
    # A cascade's model is told results in the order of their calls.
    sooner = rule is OnDuplicate.REJECT and wire is not CASCADE
    ordered = [second, first] if sooner else [first, second]
    assert begun == runs
    assert got == two_answers(wire, *ordered)


def two_answers(wire: Wire, one: Any, other: Any) -> list[Told]:
    """Two calls of one response, answered with one."""
    return {
        OPENAI: [Told("result", one), Told("result", other), ASK],
        GEMINI: [Told("result", one, "SILENT"), Told("result", other, "WHEN_IDLE")],
        BLOCKING: [Told("result", one), Told("result", other)],
        CASCADE: [Told("result", one), Told("result", other), ASK],
    }[wire]


@each_wire
def test_parallel_calls_run_at_once_and_are_answered_with_one_response(wire: Wire) -> None:
    tools = [sleeper("slow", 0.8, "s"), sleeper("quick", 0.4, "q")]

    async def main() -> None:
        calls = [call("slow"), call("quick")]
        async with talk(wire, tools, script(calls, "Both.")) as made:
            await made.say()
            await asyncio.sleep(2.5)
            ordered = ("s", "q") if wire is CASCADE else ("q", "s")
            assert made.told == two_answers(wire, *ordered)
            assert made.spoken() == ["Both."]

    run(main())


@each_wire
def test_a_slow_call_holds_the_others_of_its_response_up_no_longer_than_its_timeout(
    wire: Wire,
) -> None:
    tools = [sleeper("slow", 4, "s"), sleeper("quick", 0.2, "q")]
    calls = [call("slow"), call("quick")]
    assert (
        run(told(wire, tools, *calls, after_s=6))
        == {
            OPENAI: [Told("result", "q"), Told("part", "slow runs"), ASK, Told("result", "s"), ASK],
            GEMINI: [
                Told("result", "q", "SILENT"),
                Told("part", "slow runs", "WHEN_IDLE"),
                Told("result", "s", "WHEN_IDLE"),
            ],
            BLOCKING: [
                Told("result", "q"),
                Told("result", "slow runs"),
                Told("text", "[The tool call slow({}) of before has its result now: s]"),
            ],
            CASCADE: [
                *(Told("result", "slow runs"), Told("result", "q"), ASK),
                *(Told("result", "s"), ASK),
            ],
        }[wire]
    )


@each_wire
def test_parts_of_a_result_are_coalesced_and_the_last_is_the_result(wire: Wire) -> None:
    """The model hears of the newest when it is silent; nothing is told or spoken of twice."""

    @tool(acknowledge=None)
    async def count() -> AsyncIterator[int]:
        """Count."""
        for number, pause_s in enumerate((0.3, 0.1, 0.1, 1.0, 1.5), 1):
            await asyncio.sleep(pause_s)
            yield number

    async def main() -> None:
        answers = "One is there.", "Three are there.", "Four are there.", "All five."
        async with talk(wire, [count], script([call("count")], *answers)) as made:
            await made.say()
            await asyncio.sleep(8)
            now = "[The tool call count({}) of before "
            assert (
                made.told
                == {
                    OPENAI: [
                        *(Told("part", 1), ASK, Told("part", 3), ASK, Told("part", 4), ASK),
                        *(Told("result", 5), ASK),
                    ],
                    GEMINI: [
                        *(Told("part", number, "WHEN_IDLE") for number in (1, 3, 4)),
                        Told("result", 5, "WHEN_IDLE"),
                    ],
                    BLOCKING: [
                        Told("result", 3),
                        Told("text", f"{now}is at this now, and runs on: 4]"),
                        Told("text", f"{now}has its result now: 5]"),
                    ],
                    CASCADE: [
                        one for number in (1, 3, 4, 5) for one in (Told("result", number), ASK)
                    ],
                }[wire]
            )

    run(main())


@each_wire
def test_a_result_whose_last_part_was_spoken_of_ends_the_call_without_a_word(wire: Wire) -> None:
    @tool(acknowledge=None)
    async def search() -> AsyncIterator[str]:
        """Search."""
        yield "two flights"
        await asyncio.sleep(3)

    assert (
        run(told(wire, [search], call("search"), after_s=5))
        == {
            OPENAI: [Told("part", "two flights"), ASK, Told("result", "two flights")],
            GEMINI: [
                Told("part", "two flights", "WHEN_IDLE"),
                Told("result", "two flights", "SILENT"),
            ],
            BLOCKING: [Told("result", "two flights")],
            CASCADE: [Told("result", "two flights"), ASK],
        }[wire]
    )


@each_wire
def test_wrong_arguments_are_told_in_words_and_the_model_may_try_again(wire: Wire) -> None:
    @tool
    async def book(seats: int) -> str:
        """Book seats."""
        return f"{seats} seats"

    async def main() -> None:
        wrong, right = call("book", seats="many"), call("book", seats=2)
        async with talk(wire, [book], script([wrong], "Hm.", [right], "Done.")) as made:
            await made.say()
            await asyncio.sleep(2)
            await made.say("Two, please.")
            await asyncio.sleep(2)
            outputs = [each.what for each in made.told if each.kind == "result"]
            assert outputs[0]["error"].startswith("The arguments do not fit. seats: Input should")
            assert outputs[1] == "2 seats"

    run(main())


@each_wire
def test_an_unknown_tool_is_answered_with_those_there_are(wire: Wire) -> None:
    tools = [sleeper("look", 0)]
    declared = [*tools, sleeper("gone", 0)]
    error = {"error": "There is no tool gone. The tools are: look."}
    got = run(told(wire, tools, call("gone"), after_s=1, declared=declared))
    assert got == answered(error)[wire]


def test_arguments_that_are_no_json_are_told_of() -> None:
    """On OpenAI's wire alone: on Gemini's they are an object of the message itself."""
    unparsable = Call(name="look", arguments='{"city": ')
    error = {"error": "The arguments are not a JSON object. Call again with one."}
    got = run(told(OPENAI, [sleeper("look", 0)], unparsable, after_s=1))
    assert got == answered(error)[OPENAI]


@each_wire
@pytest.mark.parametrize("speed", [1, 20])
def test_a_late_result_waits_until_the_model_does_not_speak(wire: Wire, speed: float) -> None:
    """Neither while it generates its words, nor while the last of them are heard."""
    long = "I can tell you a lot about this while we wait, so please listen to me for long. " * 2
    long += "Yes."

    async def main() -> None:
        scenario = script([call("look")], long, "It is done.")
        async with talk(wire, [sleeper("look", 3)], scenario, speed=speed) as made:
            await made.say()
            await asyncio.sleep(2)
            if wire is not BLOCKING:
                # Who was not waiting says something only if spoken to.
                await made.say("And meanwhile?")
            await asyncio.sleep(30)
            assert made.spoken()[:2] == [long, "It is done."]
            assert not [turn for turn in made.turns("agent") if turn["interrupted"]]
            assert [turn["result"] for turn in made.turns("tool")] == ["done"]
            if wire is CASCADE:
                # It is told last of what still runs.
                at_hand = [Told("text", "And meanwhile?"), Told("result", "look runs"), ASK]
                assert made.told == [*at_hand, *later("look", "done")[wire]]
                return
            first, *others = later("look", "done")[wire]
            meanwhile = [] if wire is BLOCKING else [Told("text", "And meanwhile?")]
            asked = [ASK] if wire is OPENAI else []
            assert made.told == [first, *meanwhile, *asked, *others]

    run(main())


@each_provider
@pytest.mark.parametrize(
    ("takes_s", "speaks_at_s", "late"), [(0.9, 0.5, False), (1.6, 0.5, True), (3.4, 3.0, True)]
)
def test_a_result_during_the_users_speech_is_told_and_nothing_of_the_speech_is_lost(
    wire: Wire, takes_s: float, speaks_at_s: float, late: bool
) -> None:
    """A model that waits gets the user's audio only when it has its answer."""

    async def main() -> None:
        scenario = script([call("look")], "It is done.", "Well.")
        async with talk(wire, [sleeper("look", takes_s)], scenario, hears=True) as made:
            await made.say()
            await asyncio.sleep(speaks_at_s)
            before = len(made.chain.first.frames(BotStartedSpeakingFrame))
            began_s, ended_s = await made.hear_line("weather_tokyo", 0)
            # Nobody talks over the user.
            assert len(made.chain.first.frames(BotStartedSpeakingFrame)) == before
            assert not [one for one in made.told if one.kind == "text"]
            await made.hear(bytes(4 * 32000))
            expected = later("look", "done")[wire] if late else answered("done")[wire]
            # The answer to the user covers the result; nobody asks for another one.
            spoken = [one for one in expected if one != ASK]
            assert [one for one in made.told if one != ASK] == spoken
            assert made.told.count(ASK) == 0
            heard_s = made.received.audio_bytes / (48000 if wire is OPENAI else 32000)
            assert heard_s == pytest.approx(ended_s - began_s + 4, abs=0.05)
            await asyncio.sleep(5)
            assert "It is done." in made.spoken()

    run(main())


@each_provider
def test_a_result_with_half_a_character_is_told_and_holds_nobody_up(wire: Wire) -> None:
    async def main() -> None:
        tools = [sleeper("look", 0.1, {"half": "a\ud800b"})]
        async with talk(wire, tools, script([call("look")], "It is done."), hears=True) as made:
            await made.say()
            await asyncio.sleep(1)
            assert made.told == answered({"half": "a\ufffdb"})[wire]
            assert made.spoken() == ["It is done."]
            await made.hear(bytes(32000))
            heard_s = made.received.audio_bytes / (48000 if wire is OPENAI else 32000)
            assert heard_s == pytest.approx(1, abs=0.05)
            assert not made.chain.errors

    run(main())


def test_a_model_without_tools_refuses_them_before_anything_is_sent() -> None:
    config = SessionConfig(tools=[sleeper("look", 0).declaration])
    with pytest.raises(SettingsError, match="tools"):
        connect("moshi:moshi", config, base_url="ws://127.0.0.1:1")
