"""Turns of a session, typed and spoken, in the service's event orders."""

import asyncio

import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.backends import Call, Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.openai import Timing
from tests.clock import run
from tests.emulators.openai.wire_client import (
    ANSWER_END,
    ANSWER_START,
    GET_WEATHER,
    UTTERANCE,
    quiet,
    session,
    tone,
)

CALL = [
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
]


def test_a_text_turn_has_the_order_of_the_service() -> None:
    async def main() -> None:
        async with session() as client:
            await client.update(output_modalities=["text"])
            await client.say("Hi")
            await client.send("response.create")
            done = await client.until("rate_limits.updated")
            assert client.order(after="session.updated") == [
                "conversation.item.added",
                "conversation.item.done",
                *ANSWER_START,
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "conversation.item.done",
                "response.output_item.done",
                "response.done",
                "rate_limits.updated",
            ]
            assert [limit["name"] for limit in done["rate_limits"]] == ["tokens"]
            (response,) = (event["response"] for event in client.of("response.done"))
            assert response["status"] == "completed"
            assert response["output"][0]["content"] == [
                {"type": "output_text", "text": "Hello there."}
            ]

    run(main())


def test_a_spoken_turn_has_the_order_of_the_service() -> None:
    async def main() -> None:
        turn = Turn(on=Trigger.SPEECH, hear="good morning", say=("Hello there.",))
        async with session(turn) as client:
            await client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
            await client.stream(UTTERANCE)
            await client.until("response.done")
            order = client.order(after="session.updated", without="input_audio_transcription")
            assert [step for step in order if not step.endswith("delta")] == [
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
                "conversation.item.added",
                "conversation.item.done",
                *ANSWER_START,
                *ANSWER_END,
            ]
            # The transcript leads the sound.
            assert order[order.index("response.content_part.added") + 1 :][:2] == [
                "response.output_audio_transcript.delta",
                "response.output_audio.delta",
            ]
            ids = {event["item_id"] for event in client.events if "input_audio_b" in event["type"]}
            assert len(ids) == 1
            assert client.of("conversation.item.added")[0]["item"]["id"] in ids
            assert client.of("conversation.item.added")[0]["item"]["content"] == [
                {"type": "input_audio", "transcript": None}
            ]

    run(main())


def test_speech_is_noticed_within_150_ms_and_timed_with_its_padding_and_silence() -> None:
    async def main() -> None:
        async with session() as client:
            started_s = asyncio.get_running_loop().time()
            talking = asyncio.create_task(client.stream(quiet(1000) + UTTERANCE))
            started = await client.until("input_audio_buffer.speech_started")
            noticed_ms = (client.times_s[-1] - started_s) * 1000 - 1000
            assert 0 < noticed_ms <= 150
            assert started["audio_start_ms"] == pytest.approx(1000 - 300, abs=40)
            stopped = await client.until("input_audio_buffer.speech_stopped")
            assert stopped["audio_end_ms"] == pytest.approx(1600 + 200, abs=64)
            await talking

    run(main())


@pytest.mark.parametrize(("delay_ms", "late"), [(0, False), (20_000, True)])
def test_the_transcript_of_the_user_may_come_early_or_after_the_answer(
    delay_ms: float, late: bool
) -> None:
    async def main() -> None:
        turn = Turn(on=Trigger.SPEECH, hear="good morning", say=("Hello there.",))
        async with session(turn, timing=Timing(transcript_delay_ms=delay_ms)) as client:
            await client.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
            await client.stream(UTTERANCE)
            name = "conversation.item.input_audio_transcription"
            completed = await client.until(f"{name}.completed")
            assert completed["transcript"] == "good morning"
            assert completed["usage"] == {"type": "duration", "seconds": 1}
            assert [event["delta"] for event in client.of(f"{name}.delta")] == [" good", " morning"]
            assert bool(client.of("response.done")) is late
            if not late:
                await client.until("response.done")

    run(main())


def test_without_transcription_the_words_are_not_told() -> None:
    async def main() -> None:
        async with session() as client:
            await client.stream(UTTERANCE)
            await client.until("rate_limits.updated")
            assert not [event for event in client.events if "transcription" in event["type"]]

    run(main())


def test_a_tool_round_has_the_order_of_the_service() -> None:
    async def main() -> None:
        turns = (
            Turn(on=Trigger.TEXT, call=(Call(name="get_weather", arguments='{"city":"Tokyo"}'),)),
            Turn(on=Trigger.TOOL_RESULTS, say=("It is {temperature_c} degrees.",)),
        )
        async with session(*turns) as client:
            await client.update(tools=[GET_WEATHER], output_modalities=["text"])
            await client.say("What is the weather?")
            await client.send("response.create")
            done = await client.until("response.done")
            order = client.order(after="conversation.item.done")
            assert order == ["response.created", *CALL, "response.done"]
            (call,) = done["response"]["output"]
            assert (call["type"], call["name"], call["status"]) == (
                "function_call",
                "get_weather",
                "completed",
            )
            assert orjson.loads(call["arguments"]) == {"city": "Tokyo"}
            deltas = client.of("response.function_call_arguments.delta")
            assert "".join(event["delta"] for event in deltas) == call["arguments"]
            output = {"type": "function_call_output", "call_id": call["call_id"]}
            await client.send(
                "conversation.item.create", item={**output, "output": '{"temperature_c": 18}'}
            )
            # Results alone make no answer.
            await asyncio.sleep(5)
            await client.send("response.create")
            answer = await client.until("response.done")
            assert len(client.of("response.created")) == 2
            assert answer["response"]["output"][0]["content"][0]["text"] == "It is 18 degrees."

    run(main())


def test_parallel_calls_are_items_of_one_response_behind_what_is_said_first() -> None:
    async def main() -> None:
        calls = tuple(Call(name="get_weather", arguments=f'{{"city":"{c}"}}') for c in ("A", "B"))
        async with session(Turn(on=None, say=("One moment.",), call=calls)) as client:
            await client.update(tools=[GET_WEATHER])
            await client.send("response.create")
            done = await client.until("response.done")
            types = [item["type"] for item in done["response"]["output"]]
            assert types == ["message", "function_call", "function_call"]
            added = client.of("response.output_item.added")
            assert [event["output_index"] for event in added] == [0, 1, 2]
            order = client.order(after="response.output_audio.done")
            assert order[4:] == [*CALL, *CALL, "response.done"]

    run(main())


def test_a_client_that_wants_no_parallel_calls_gets_the_first() -> None:
    async def main() -> None:
        calls = tuple(Call(name="get_weather", arguments=f'{{"city":"{c}"}}') for c in ("A", "B"))
        async with session(Turn(on=None, call=calls), model="gpt-realtime-2.1") as client:
            await client.update(parallel_tool_calls=False)
            await client.send("response.create", response={"tools": [GET_WEATHER]})
            done = await client.until("response.done")
            assert [item["arguments"] for item in done["response"]["output"]] == ['{"city":"A"}']

    run(main())


@pytest.mark.parametrize("tool_choice", ["auto", "none"])
def test_tool_choice_none_allows_no_call(tool_choice: str) -> None:
    async def main() -> None:
        turn = Turn(on=None, call=(Call(name="get_weather", arguments="{}"),))
        async with session(turn) as client:
            await client.update(tools=[GET_WEATHER], tool_choice=tool_choice)
            await client.send("response.create")
            (item,) = (await client.until("response.done"))["response"]["output"]
            assert item["type"] == ("message" if tool_choice == "none" else "function_call")

    run(main())


def test_a_response_calls_the_function_that_was_chosen_and_no_other() -> None:
    async def main() -> None:
        calls = tuple(Call(name=name, arguments="{}") for name in ("get_weather", "other"))
        async with session(Turn(on=None, call=calls)) as client:
            tools = [GET_WEATHER, {**GET_WEATHER, "name": "other"}]
            choice = {"type": "function", "name": "other"}
            await client.send("response.create", response={"tools": tools, "tool_choice": choice})
            output = (await client.until("response.done"))["response"]["output"]
            assert [item["name"] for item in output if item["type"] == "function_call"] == ["other"]

    run(main())


def test_a_call_of_an_undeclared_function_is_not_made() -> None:
    async def main() -> None:
        turn = Turn(on=None, call=(Call(name="get_weather", arguments="{}"),))
        async with session(turn) as client:
            await client.send("response.create")
            done = await client.until("response.done")
            (message,) = done["response"]["output"]
            assert message["content"][0]["transcript"] == "I have no tool called get_weather."

    run(main())


def test_create_response_off_commits_without_an_answer() -> None:
    async def main() -> None:
        async with session() as client:
            detection = {"type": "server_vad", "create_response": False}
            await client.update(audio={"input": {"turn_detection": detection}})
            await client.stream(UTTERANCE + quiet(3000))
            await client.until("input_audio_buffer.committed")
            await client.send("response.create")
            await client.until("response.done")
            assert len(client.of("response.created")) == 1

    run(main())


def test_silence_duration_decides_whether_a_pause_ends_the_turn() -> None:
    async def turns(silence_duration_ms: int) -> int:
        async with session() as client:
            detection = {
                "type": "server_vad",
                "silence_duration_ms": silence_duration_ms,
                "create_response": False,
            }
            await client.update(audio={"input": {"turn_detection": detection}})
            await client.stream(tone(500) + quiet(500) + tone(500) + quiet(1500))
            await client.send("response.cancel")
            await client.error()
            return len(client.of("input_audio_buffer.committed"))

    assert run(turns(300)) == 2
    assert run(turns(900)) == 1


def test_manual_turns_are_committed_and_answered_by_the_client() -> None:
    async def main() -> None:
        turn = Turn(on=Trigger.SPEECH, hear="hi", say=("Hello there.",))
        async with session(turn) as client:
            await client.update(audio={"input": {"turn_detection": None}})
            await client.append(tone(300))
            await client.send("input_audio_buffer.clear")
            await client.until("input_audio_buffer.cleared")
            await client.append(tone(500))
            await client.send("input_audio_buffer.commit")
            committed = await client.until("input_audio_buffer.committed")
            assert client.order(after="input_audio_buffer.cleared") == [
                "input_audio_buffer.committed"
            ]
            await client.until("conversation.item.done")
            await client.send("conversation.item.retrieve", item_id=committed["item_id"])
            item = (await client.until("conversation.item.retrieved"))["item"]
            assert len(item["content"][0]["audio"]) == len(tone(500)) * 4 // 3
            await client.send("response.create")
            done = await client.until("response.done")
            assert done["response"]["status"] == "completed"

    run(main())


def test_a_session_expires_with_an_error_and_close_1001() -> None:
    async def main() -> None:
        async with session(timing=Timing(session_seconds=120)) as client:
            started_s = asyncio.get_running_loop().time()
            expired = await client.error()
            assert asyncio.get_running_loop().time() - started_s == pytest.approx(120, abs=1)
            assert expired["code"] == "session_expired"
            assert expired["message"] == "Your session hit the maximum duration of 2 minutes."
            with pytest.raises(ConnectionClosed):
                await client.receive()
            assert client.connection.close_code == 1001
            assert client.connection.close_reason == expired["message"]

    run(main())


def test_committing_during_speech_ends_the_turn_without_speech_stopped() -> None:
    async def main() -> None:
        async with session() as client:
            await client.stream(tone(400))
            started = await client.until("input_audio_buffer.speech_started")
            await client.send("input_audio_buffer.commit")
            committed = await client.until("input_audio_buffer.committed")
            assert committed["item_id"] == started["item_id"]
            await client.stream(quiet(1000))
            await client.send("response.cancel")
            await client.error()
            assert not client.of("input_audio_buffer.speech_stopped")

    run(main())


def test_each_event_has_an_id_of_its_own() -> None:
    async def main() -> None:
        async with session() as client:
            await client.send("response.create")
            await client.until("rate_limits.updated")
            ids = [event["event_id"] for event in client.events]
            assert len(set(ids)) == len(ids)
            assert all(id.startswith("event_") for id in ids)

    run(main())
