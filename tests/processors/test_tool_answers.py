"""Results in the form that a session understands, its successor included."""

import asyncio
from typing import Any

import pytest

from crossfade.conversation.tools import ToolCall, ToolDeclaration
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.frames.tools import (
    FunctionCallResultFrame,
    FunctionCallResultProperties,
    ToolCancelFrame,
)
from crossfade.processors.tool_actions import ToolWire
from crossfade.processors.tool_answers import ToolAnswers, tool_wire
from crossfade.providers import Profile, SessionConfig, connect
from crossfade.providers.commands import Delivery, Respond, SendText, SendToolResult
from tests.clock import run
from tests.tools.wires import told_by

TALKS_ON = Profile(
    model="m",
    input_rate_hz=16000,
    output_rate_hz=24000,
    tools=True,
    async_tools=True,
    partial_tool_results=True,
)
WAITS = Profile(model="m", input_rate_hz=16000, output_rate_hz=24000, tools=True)
ONCE = Profile(model="m", input_rate_hz=16000, output_rate_hz=24000, tools=True, async_tools=True)
CALL = ToolCall(id="c", name="look", arguments={"city": "Rome"})


def frame(
    result: Any, *, ask: bool = True, final: bool = True, error: str | None = None
) -> FunctionCallResultFrame:
    return FunctionCallResultFrame(
        "look",
        "c",
        dict(CALL.arguments),
        {"error": error} if error else result,
        run_llm=ask,
        properties=None if final else FunctionCallResultProperties(is_final=False),
        error=error,
    )


def answers(profile: Profile, *tools: ToolDeclaration) -> ToolAnswers:
    made = ToolAnswers(profile, tools)
    made.called([CALL])
    return made


def sent(requests: Any) -> tuple[Any, bool, Delivery]:
    answer = requests[0]
    assert isinstance(answer, SendToolResult)
    return answer.result.output, answer.final, answer.delivery


def test_how_a_model_takes_answers_is_in_its_profile() -> None:
    assert tool_wire(TALKS_ON) is ToolWire.PARTS
    assert tool_wire(ONCE) is ToolWire.ONCE
    assert tool_wire(WAITS) is ToolWire.WAITS


def test_a_model_that_talks_on_is_told_parts_and_when_to_speak() -> None:
    made = answers(TALKS_ON)
    assert sent(made.result(frame("soon", ask=False, final=False))) == (
        "soon",
        False,
        Delivery.SILENT,
    )
    result = made.result(frame("r"))
    assert sent(result) == ("r", True, Delivery.WHEN_IDLE)
    assert result[1:] == [Respond()]


def test_a_model_that_cannot_be_told_to_keep_silent_is_not() -> None:
    assert sent(answers(ONCE).result(frame("r", ask=False))) == ("r", True, Delivery.WHEN_IDLE)


@pytest.mark.parametrize(
    ("profile", "tools"),
    [
        (WAITS, ()),
        (TALKS_ON, (ToolDeclaration(name="look", description="Look.", blocking=True),)),
    ],
)
def test_who_waits_is_answered_once_and_told_the_rest_as_text(profile: Any, tools: Any) -> None:
    made = answers(profile, *tools)
    assert sent(made.result(frame("soon", final=False))) == ("soon", True, Delivery.WHEN_IDLE)
    words = '[The tool call look({"city":"Rome"}) of before has its result now: r]'
    assert made.result(frame("r")) == [SendText(text=words, respond=True, call_id="c")]


def test_an_error_is_told_as_one() -> None:
    (answer, _) = answers(TALKS_ON).result(frame(None, error="It failed."))
    assert isinstance(answer, SendToolResult)
    assert (answer.result.output, answer.result.is_error) == ("It failed.", True)


CANCELLED = ToolCancelFrame("look", "c", reason="Interrupted.", tell=True)
ASKED = '[The tool call look({"city":"Rome"}) of before'


def test_a_cancelled_call_is_closed_in_silence_if_the_model_waits_for_it() -> None:
    (answer,) = answers(TALKS_ON).cancelled(CANCELLED)
    assert sent([answer]) == ("Interrupted.", True, Delivery.SILENT)


def test_the_last_call_of_a_response_that_is_cancelled_has_the_model_speak_of_the_others() -> None:
    last = ToolCancelFrame("look", "c", reason="Interrupted.", tell=True, run_llm=True)
    answer, ask = answers(TALKS_ON).cancelled(last)
    assert sent([answer]) == ("Interrupted.", True, Delivery.WHEN_IDLE)
    assert ask == Respond()


def test_what_is_taken_back_is_not_answered_and_the_others_are_asked_for_in_words() -> None:
    assert answers(TALKS_ON).cancelled(ToolCancelFrame("look", "c")) == []
    last = ToolCancelFrame("look", "c", run_llm=True)
    words = f"{ASKED} was taken back. Go on without it.]"
    assert answers(TALKS_ON).cancelled(last) == [SendText(text=words, respond=True)]


def test_a_call_that_cannot_be_answered_any_more_is_cancelled_in_words() -> None:
    waited = answers(WAITS)
    waited.result(frame("soon", final=False))
    words = f"{ASKED} was cancelled: Interrupted.]"
    told = [SendText(text=words, respond=False, call_id="c")]
    assert waited.cancelled(CANCELLED) == told
    succeeded = answers(TALKS_ON)
    succeeded.succeed(TALKS_ON, (), open_calls=False)
    assert succeeded.cancelled(CANCELLED) == told


def test_words_of_a_call_hold_no_secret() -> None:
    secretive = ToolDeclaration(name="look", description="Look.", secrets=frozenset({"city"}))
    made = answers(WAITS, secretive)
    made.result(frame("soon", final=False))
    (told,) = made.cancelled(CANCELLED)
    assert isinstance(told, SendText)
    assert 'look({"city":"[secret]"})' in told.text


def test_what_no_wire_takes_is_told_as_text() -> None:
    output, _, _ = sent(answers(TALKS_ON).result(frame({"half": "a\ud800b", "far": 2**70})))
    assert output == '{"half":"a\ufffdb","far":1180591620717411303424}'


def test_a_session_that_is_resumed_still_waits_for_its_calls() -> None:
    made = answers(TALKS_ON)
    made.succeed(TALKS_ON, (), open_calls=True)
    assert sent(made.result(frame("r"))) == ("r", True, Delivery.WHEN_IDLE)


@pytest.mark.parametrize(
    "spec", ["openai:gpt-realtime-2.1", "gemini:gemini-3.8-live"], ids=["openai", "gemini"]
)
def test_a_successor_that_does_not_know_the_call_takes_its_result_once_as_text(spec: str) -> None:
    """On the wire: an answer to a call of another session would be refused, and end this one."""

    async def main() -> None:
        emulator = OpenAIEmulator() if spec.startswith("openai") else GeminiEmulator()
        config = SessionConfig(tools=[ToolDeclaration(name="look", description="Look.")])
        async with (
            emulator,
            connect(spec, config, base_url=emulator.url, api_key="emulated") as successor,
        ):
            made = answers(TALKS_ON)
            made.succeed(successor.profile, (), open_calls=False)
            (request,) = made.result(frame({"sky": "blue"}))
            assert isinstance(request, SendText)
            await successor.send_text(request.text, respond=request.respond)
            await asyncio.sleep(1)
            told = [one for entry in emulator.sessions[0].line.received for one in told_by(entry)]
            words = '[The tool call look({"city":"Rome"}) of before has its result now: '
            assert [one.what for one in told if one.kind == "text"] == [words + '{"sky":"blue"}]']

    run(main())
