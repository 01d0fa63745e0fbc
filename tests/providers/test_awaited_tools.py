"""Which response ends an answer that needed tools, on OpenAI's wire."""

import pytest

from crossfade.conversation.tools import ToolResult
from crossfade.providers.awaited_tools import AwaitedTools
from crossfade.providers.commands import Delivery, Respond, Say, SendToolResult
from crossfade.providers.events import Event, ResponseDone
from tests.providers.openai_messages import Wire, arguments_done, created, done, speech_started


def awaits(events: list[Event]) -> list[bool]:
    return [event.awaits_tools for event in events if isinstance(event, ResponseDone)]


def result(
    call_id: str, *, final: bool = True, delivery: Delivery = Delivery.WHEN_IDLE
) -> SendToolResult:
    answer = ToolResult(call_id=call_id, output=217)
    return SendToolResult(result=answer, final=final, delivery=delivery)


def calling(*call_ids: str) -> Wire:
    wire = Wire()
    calls = [arguments_done(call_id, "depth", "{}") for call_id in call_ids]
    assert awaits(wire.receive(created(), *calls, done())) == [True]
    return wire


def test_the_response_that_was_asked_for_speaks_of_the_results() -> None:
    wire = calling("a", "b")
    for command in (result("a"), result("b"), Respond()):
        wire.send(command)
    assert awaits(wire.receive(created("resp_2"), done("resp_2"))) == [False]


def test_an_answer_that_fails_or_is_cut_has_begun() -> None:
    wire = calling("a")
    wire.send(result("a"))
    wire.send(Respond())
    assert awaits(wire.receive(created("resp_2"), done("resp_2", "failed"))) == [False]


def test_the_services_own_answer_that_did_not_know_of_the_result_awaits_it() -> None:
    wire = calling("a")
    wire.receive(speech_started())
    wire.send(result("a"))
    assert awaits(wire.receive(created("resp_2"), done("resp_2"))) == [True]


def test_a_phrase_speaks_of_nothing() -> None:
    wire = calling("a")
    (request,) = wire.send(Say(text="One moment."))
    metadata = request["response"]["metadata"]
    wire.send(result("a"))
    phrase = wire.receive(created("resp_2", metadata=metadata), done("resp_2"))
    assert awaits(phrase) == [True]


@pytest.mark.parametrize("final", [True, False])
def test_a_result_that_is_told_silently_is_not_spoken_of(final: bool) -> None:
    wire = calling("a")
    wire.send(result("a", final=final, delivery=Delivery.SILENT))
    assert awaits(wire.receive(created("resp_2"), done("resp_2"))) == [not final]


def test_calls_that_nobody_answers_take_no_room_without_end() -> None:
    tools = AwaitedTools()
    for number in range(1000):
        tools.call(str(number))
    for number in range(744, 1000):
        assert tools.pending
        tools.take_back(str(number))
    assert not tools.pending
