"""Function calls: those that the model waits for, and those that run beside it."""

from typing import Any

import pytest

from crossfade.emulators.backends import Call, Trigger
from crossfade.emulators.backends.scenario import Turn
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    GET_WEATHER,
    INVALID_ARGUMENT,
    LONG,
    MODEL_2_5,
    MODEL_3_1,
    MODEL_3_8,
    MODEL_THINKING,
    NOT_IMPLEMENTED,
    TOKYO,
    UTTERANCE,
    WireClient,
    client_of,
    emulator_of,
    session,
    tone,
)

ASK = Turn(on=Trigger.TEXT, call=(TOKYO,))
RESULT = Turn(on=Trigger.TOOL_RESULTS, say=("It is {degrees} degrees.",))
TOOLS = [{"functionDeclarations": [GET_WEATHER]}]
BESIDE = [{"functionDeclarations": [{**GET_WEATHER, "behavior": "NON_BLOCKING"}]}]
WAITED_FOR = [{"functionDeclarations": [{**GET_WEATHER, "behavior": "BLOCKING"}]}]
LOW = {"thinkingConfig": {"thinkingLevel": "LOW"}}


def test_a_round_has_the_order_that_was_captured() -> None:
    async def main() -> None:
        async with session(ASK, RESULT, tools=TOOLS, outputAudioTranscription={}) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            assert call["name"] == "get_weather"
            assert call["args"] == {"city": "Tokyo"}
            await client.rest(30)
            assert client.order() == ["toolCall"]
            await client.respond(call["id"], {"degrees": 21})
            usage = (await client.until("turnComplete"))["usageMetadata"]
            assert client.order()[-3:] == ["generationComplete", "turnComplete", "usageMetadata"]
            assert client.words() == "It is 21 degrees."
            counted = {
                each["modality"]: each["tokenCount"] for each in usage["responseTokensDetails"]
            }
            assert set(counted) == {"TEXT", "AUDIO"}

    run(main())


@pytest.mark.parametrize(
    "response",
    [{"degrees": 21}, {"output": {"degrees": 21}}, {"result": {"degrees": 21}}],
)
def test_results_are_read_out_of_any_envelope(response: dict[str, Any]) -> None:
    async def main() -> None:
        async with session(ASK, RESULT, tools=TOOLS, outputAudioTranscription={}) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            await client.respond(call["id"], response)
            await client.until("turnComplete")
            assert client.words() == "It is 21 degrees."

    run(main())


def test_a_batch_may_be_answered_in_parts() -> None:
    async def main() -> None:
        paris = Call(name="get_weather", arguments='{"city":"Paris"}')
        ask = Turn(on=Trigger.TEXT, say=("One moment.",), call=(TOKYO, paris))
        async with session(ask, RESULT, tools=TOOLS) as client:
            await client.say("Weather?")
            first, second = await client.calls()
            assert first["id"] != second["id"]
            await client.respond(second["id"], {"degrees": 9})
            await client.rest(10)
            assert client.of("generationComplete") == []
            await client.respond(first["id"], {"degrees": 21})
            await client.until("turnComplete")

    run(main())


@pytest.mark.parametrize("tools", [TOOLS, BESIDE])
def test_an_answer_to_what_was_answered_is_passed_over(tools: Any) -> None:
    async def main() -> None:
        async with session(ASK, RESULT, RESULT, tools=tools) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            for _ in range(2):
                await client.respond(call["id"], {"degrees": 21})
            await client.rest(20)
            assert client.socket.close_code is None
            ends = len(client.of("turnComplete"))
            await client.respond("made-up", {"degrees": 21})
            assert await client.closed() == INVALID_ARGUMENT
            assert len(client.of("turnComplete")) == ends

    run(main())


def test_an_interruption_takes_back_the_calls_that_are_waited_for() -> None:
    async def main() -> None:
        async with session(ASK, tools=TOOLS) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            await client.stream(tone(300))
            await client.until("turnComplete")
            assert client.order("usageMetadata") == [
                "toolCall",
                "interrupted",
                "toolCallCancellation",
                "turnComplete",
            ]
            assert client.of("toolCallCancellation") == [{"ids": [call["id"]]}]
            # The answer may have been under way.
            await client.respond(call["id"], {"degrees": 21})
            await client.rest(5)
            assert len(client.of("turnComplete")) == 1

    run(main())


def test_sound_while_a_call_is_waited_for_is_refused_only_if_wanted() -> None:
    async def main() -> None:
        async with session(ASK, tools=TOOLS, refuse_audio_while_calling=True) as client:
            await client.stream(tone(20))
            await client.say("Weather?")
            await client.calls()
            # It was under way.
            await client.append(tone(20))
            await client.rest(0.3)
            await client.append(tone(20))
            assert await client.closed() == NOT_IMPLEMENTED
        async with session(ASK, RESULT, tools=TOOLS) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            await client.stream(bytes(32_000))
            await client.respond(call["id"], {"degrees": 21})
            await client.until("turnComplete")
            assert not client.of("interrupted")

    run(main())


@pytest.mark.parametrize(
    ("model", "tools", "beside"),
    [
        (MODEL_2_5, TOOLS, False),
        (MODEL_2_5, BESIDE, True),
        (MODEL_3_1, TOOLS, False),
        (MODEL_3_8, TOOLS, True),
        (MODEL_3_8, WAITED_FOR, False),
        (MODEL_THINKING, TOOLS, True),
    ],
)
def test_functions_run_beside_the_model_by_default_where_it_can(
    model: str, tools: list[Any], beside: bool
) -> None:
    async def main() -> None:
        config = LOW if model == MODEL_THINKING else {}
        async with session(ASK, model=model, tools=tools, generationConfig=config) as client:
            await client.realtime(text="Weather?")
            await client.calls()
            await client.rest(10)
            assert bool(client.of("turnComplete")) is beside

    run(main())


async def _asked(client: WireClient) -> str:
    """Ask; the id of the call that runs beside the long answer that follows."""
    await client.realtime(text="Weather?")
    (call,) = await client.calls()
    await client.until("turnComplete")
    await client.realtime(text="And tell me something.")
    await client.until("modelTurn")
    return str(call["id"])


@pytest.mark.parametrize(
    ("scheduling", "interrupted", "turns"),
    [(None, 0, 3), ("WHEN_IDLE", 0, 3), ("INTERRUPT", 1, 3), ("SILENT", 0, 2)],
)
@pytest.mark.parametrize("within", [False, True])
def test_results_of_functions_beside_the_model_are_spoken_of_as_scheduled(
    scheduling: str | None, interrupted: int, turns: int, within: bool
) -> None:
    async def main() -> None:
        answers = (ASK, Turn(on=Trigger.TEXT, say=LONG.say), RESULT)
        async with session(*answers, tools=BESIDE) as client:
            id = await _asked(client)
            wish = {} if scheduling is None else {"scheduling": scheduling}
            if within:
                await client.respond(id, {"degrees": 21, **wish})
            else:
                await client.respond(id, {"degrees": 21}, **wish)
            await client.rest(30)
            assert len(client.of("interrupted")) == interrupted
            assert len(client.of("turnComplete")) == turns

    run(main())


def test_a_silent_result_is_known_in_the_next_answer() -> None:
    async def main() -> None:
        later = Turn(on=Trigger.TEXT, say=("It was {degrees} degrees.",))
        async with session(ASK, later, tools=BESIDE, outputAudioTranscription={}) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            await client.respond(call["id"], {"degrees": 21}, scheduling="SILENT")
            await client.until("turnComplete")
            await client.say("And?")
            await client.until("turnComplete")
            assert client.words() == "It was 21 degrees."

    run(main())


def test_a_function_may_give_several_results() -> None:
    async def main() -> None:
        again = Turn(on=Trigger.TOOL_RESULTS, say=("Now it is {degrees}.",))
        async with session(ASK, RESULT, again, tools=BESIDE, outputAudioTranscription={}) as (
            client
        ):
            await client.say("Weather?")
            (call,) = await client.calls()
            await client.until("turnComplete")
            await client.respond(call["id"], {"degrees": 1}, willContinue=True)
            await client.until("turnComplete")
            await client.respond(call["id"], {"degrees": 2}, willContinue=True)
            await client.until("turnComplete")
            assert client.words() == "It is 1 degrees.Now it is 2."
            await client.respond(call["id"], {}, willContinue=False, scheduling="SILENT")
            await client.rest(5)
            assert len(client.of("turnComplete")) == 3

    run(main())


def test_a_model_that_goes_on_thinking_says_so_until_it_rests() -> None:
    async def main() -> None:
        ask = Turn(on=Trigger.TEXT, say=("Let me see.", "One moment."), call=(TOKYO,))
        setup: dict[str, Any] = {"model": MODEL_THINKING, "tools": TOOLS, "generationConfig": LOW}
        for scheduling, last in (("WHEN_IDLE", True), ("SILENT", None)):
            async with session(ask, RESULT, **setup) as client:
                await client.say("Weather?")
                (call,) = await client.calls()
                await client.until("turnComplete")
                await client.respond(call["id"], {"degrees": 1}, scheduling=scheduling)
                await client.rest(20)
                statuses = client.of("interactionStatus")
                assert statuses[-1] == "IDLE"
                assert set(statuses[:-1]) == {"IN_PROGRESS"}
                content = [
                    message["serverContent"]
                    for message in client.messages
                    if "interactionStatus" in message.get("serverContent", {})
                ]
                assert content[-1].get("turnComplete") is last
                assert len(client.of("turnComplete")) == len(statuses) - (last is None)

    run(main())


def test_on_vertex_calls_have_no_ids_and_are_answered_by_name() -> None:
    async def main() -> None:
        path = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
        name = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash-native-audio"
        async with emulator_of(ASK, RESULT) as emulator, client_of(emulator, path=path) as client:
            await client.send(setup={"model": name, "tools": TOOLS})
            await client.say("Weather?")
            (call,) = await client.calls()
            assert "id" not in call
            answer = {"name": "get_weather", "response": {"degrees": 21}}
            await client.send(toolResponse={"functionResponses": [answer]})
            await client.until("turnComplete")

    run(main())


@pytest.mark.parametrize("together", [True, False])
def test_on_vertex_one_name_answers_the_oldest_call_that_waits(together: bool) -> None:
    async def main() -> None:
        path = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
        name = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash-native-audio"
        ask = Turn(on=Trigger.TEXT, call=(TOKYO, TOKYO))
        result = Turn(on=Trigger.TOOL_RESULTS, say=("{results}",))
        async with emulator_of(ask, result) as emulator, client_of(emulator, path=path) as client:
            transcribed: dict[str, Any] = {"outputAudioTranscription": {}}
            await client.send(setup={"model": name, "tools": TOOLS, **transcribed})
            await client.say("Weather?")
            await client.calls()
            answers = [{"name": "get_weather", "response": {"output": n}} for n in ("one", "two")]
            for part in [answers] if together else [[answer] for answer in answers]:
                await client.send(toolResponse={"functionResponses": part})
            await client.until("turnComplete")
            assert client.words() == "One. Two."
            await client.send(toolResponse={"functionResponses": answers[:1]})
            assert await client.closed() == INVALID_ARGUMENT

    run(main())


@pytest.mark.parametrize(
    "responses",
    [
        [],
        [{"name": "get_weather", "response": {}}],
        [{"id": "function-call-1", "name": "get_weather", "response": {}}],
    ],
)
def test_an_answer_to_nothing_ends_the_session(responses: list[Any]) -> None:
    async def main() -> None:
        async with session(ASK, tools=TOOLS) as client:
            await client.say("Weather?")
            await client.calls()
            await client.send(toolResponse={"functionResponses": responses})
            assert await client.closed() == INVALID_ARGUMENT

    run(main())


def test_speech_beside_a_running_function_leaves_it_running() -> None:
    async def main() -> None:
        answers = (ASK, Turn(on=Trigger.SPEECH, say=("Yes?",)), RESULT)
        async with session(*answers, tools=BESIDE, outputAudioTranscription={}) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            await client.until("turnComplete")
            await client.stream(UTTERANCE)
            await client.until("turnComplete")
            await client.respond(call["id"], {"degrees": 21})
            await client.until("turnComplete")
            assert not client.of("toolCallCancellation")
            assert client.words() == "Yes?It is 21 degrees."

    run(main())


def test_a_result_whose_answer_was_cut_off_unheard_is_known_in_the_next_one() -> None:
    async def main() -> None:
        late = Turn(on=Trigger.TOOL_RESULTS, say=("Never heard.",), think_ms=2000)
        then = Turn(on=Trigger.TEXT, say=("It is {degrees} degrees.",))
        async with session(ASK, late, then, tools=BESIDE, outputAudioTranscription={}) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            await client.until("turnComplete")
            await client.respond(call["id"], {"degrees": 21})
            await client.rest(0.5)
            await client.say("So?")
            await client.until("generationComplete")
            assert client.words() == "It is 21 degrees."

    run(main())
