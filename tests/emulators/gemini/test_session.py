"""Set-up, and typed and spoken turns in the service's orders."""

import asyncio
import base64
from typing import Any

import orjson
import pytest

from crossfade.emulators.backends import Call, Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.gemini import GeminiEmulator, Timing
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    GREETING,
    INVALID_ARGUMENT,
    LONG,
    MODEL_2_5,
    MODEL_3_1,
    MODEL_3_8,
    UTTERANCE,
    client_of,
    emulator_of,
    quiet,
    session,
    tone,
)

ANSWER = [
    "outputTranscription",
    "modelTurn",
    "outputTranscription",
    "modelTurn",
    "generationComplete",
    "turnComplete",
    "usageMetadata",
]


def test_a_typed_turn_has_the_order_that_was_captured() -> None:
    async def main() -> None:
        async with session(outputAudioTranscription={}) as client:
            await client.say("Say a short greeting.")
            await client.until("turnComplete")
            assert client.order() == ["thought", *ANSWER]
            assert client.words() == "Hello there."
            assert client.messages[-2] == {"serverContent": {"generationComplete": True}}
            # One part, one field a message.
            for turn in client.of("modelTurn"):
                assert len(turn["parts"]) == 1
            assert {"mimeType"} < set(client.of("modelTurn")[1]["parts"][0]["inlineData"])

    run(main())


def test_a_spoken_turn_has_the_order_that_was_captured() -> None:
    async def main() -> None:
        turn = Turn(on=Trigger.SPEECH, hear="good morning to you", say=("Hello there.",))
        async with session(turn, outputAudioTranscription={}, inputAudioTranscription={}) as client:
            await client.stream(UTTERANCE)
            await client.until("turnComplete")
            assert client.order() == ["inputTranscription", "thought", *ANSWER]
            heard = client.of("inputTranscription")
            assert [each["text"] for each in heard] == [" good", " morning", " to", " you"]
            assert all("finished" not in each for each in heard)

    run(main())


def test_without_transcription_2_5_tells_no_words_and_3_8_does() -> None:
    async def main() -> None:
        turn = Turn(on=Trigger.SPEECH, hear="good morning", say=("Hello there.",))
        for model, told in ((MODEL_2_5, False), (MODEL_3_8, True)):
            async with session(turn, model=model) as client:
                await client.stream(UTTERANCE)
                await client.until("turnComplete")
                assert bool(client.of("inputTranscription")) is told
                assert bool(client.of("outputTranscription")) is told

    run(main())


def test_3_8_puts_several_parts_and_fields_into_one_message() -> None:
    async def main() -> None:
        async with session(LONG, model=MODEL_3_8) as client:
            await client.say("Go on.")
            await client.until("turnComplete")
            first = client.messages[1]["serverContent"]
            assert set(first) == {"outputTranscription", "modelTurn"}
            assert len(first["modelTurn"]["parts"]) == 2

    run(main())


def test_the_transcript_may_trail_the_answer() -> None:
    async def main() -> None:
        turn = Turn(on=Trigger.SPEECH, hear="good morning", say=("Hello there.",))
        timing = Timing(transcript_delay_ms=5000)
        async with session(turn, timing=timing, inputAudioTranscription={}) as client:
            await client.stream(UTTERANCE)
            await client.until("inputTranscription")
            assert client.of("turnComplete") == [True]

    run(main())


def test_speech_comes_faster_than_it_plays_and_the_turn_is_complete_when_it_has_played() -> None:
    async def main() -> None:
        async with session(LONG, timing=Timing(speed=4.0)) as client:
            await client.say("Go on.")
            times = {}
            for kind in ("modelTurn", "generationComplete", "turnComplete"):
                await client.until(kind)
                times[kind] = client.times_s[-1]
            played_s = len(client.sound()) / 48_000
            assert played_s > 3
            assert times["generationComplete"] - times["modelTurn"] == pytest.approx(
                played_s / 4, abs=0.1
            )
            assert times["turnComplete"] - times["modelTurn"] == pytest.approx(played_s, abs=0.1)

    run(main())


def test_both_spellings_are_read_at_every_level_and_one_is_written() -> None:
    async def main() -> None:
        setups: tuple[dict[str, Any], ...] = (
            {
                "generation_config": {"response_modalities": ["AUDIO"], "top_k": 3},
                "realtime_input_config": {"automatic_activity_detection": {"disabled": True}},
                "output_audio_transcription": {},
                "session_resumption": {"handle": None},
            },
            {
                "generationConfig": {"responseModalities": ["AUDIO"], "topK": 3},
                "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}},
                "outputAudioTranscription": {},
                "sessionResumption": {},
            },
        )
        orders = []
        for setup in setups:
            async with session(**setup) as client:
                await client.send(realtime_input={"activity_start": {}})
                await client.send(realtimeInput={"text": "hello"})
                await client.send(realtime_input={"activityEnd": {}})
                await client.until("turnComplete")
                await client.send(
                    client_content={
                        "turns": [{"role": "user", "parts": [{"text": "And?"}]}],
                        "turn_complete": True,
                    }
                )
                await client.until("turnComplete")
                orders.append(client.order())
                assert not any("_" in kind for kind in client.order())
        assert orders[0] == orders[1]

    run(main())


def test_what_the_client_sent_is_kept_in_one_spelling_and_without_its_sound() -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            await client.send(setup={"model": f"models/{MODEL_2_5}", "generation_config": {}})
            await client.until("setupComplete")
            await client.stream(quiet(200))
            await client.send(realtime_input={"audio_stream_end": True})
            await client.send(realtimeInput={"video": {"data": "AAAA", "mimeType": "image/jpeg"}})
            await client.say("Hi")
            await client.until("turnComplete")
            received = emulator.sessions[0].line.received
            assert received.types == [
                "setup",
                "realtimeInput.audio",
                "realtimeInput.audioStreamEnd",
                "realtimeInput.video",
                "clientContent",
            ]
            assert received.of("setup")[0]["setup"]["generationConfig"] == {}
            assert received.audio_bytes == len(quiet(200))
            assert received[1].messages == 10
            assert "[3 bytes]" in str(received[3].body)
            orjson.dumps([entry.body for entry in received])

    run(main())


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
def test_sound_of_any_declared_rate_is_heard(rate_hz: int) -> None:
    async def main() -> None:
        async with session() as client:
            sound = tone(600, rate_hz) + quiet(700, rate_hz)
            await client.stream(sound, rate_hz)
            await client.until("turnComplete")

    run(main())


def test_half_samples_and_chunks_without_a_rate_are_heard() -> None:
    async def main() -> None:

        async with session() as client:
            for at in range(0, len(UTTERANCE), 333):
                data = base64.urlsafe_b64encode(UTTERANCE[at : at + 333]).decode().rstrip("=")
                await client.send(
                    realtime_input={"media_chunks": [{"data": data, "mime_type": "audio/pcm"}]}
                )
            await client.until("turnComplete")

    run(main())


def test_a_turn_is_found_faster_than_real_time_too() -> None:
    async def main() -> None:
        async with session() as client:
            await client.append(quiet(3000) + UTTERANCE)
            await client.until("turnComplete")

    run(main())


@pytest.mark.parametrize(
    ("settings", "pause_ms", "turns"),
    [
        ({"silenceDurationMs": 300}, 400, 2),
        ({"silenceDurationMs": 600}, 400, 1),
        ({"endOfSpeechSensitivity": "END_SENSITIVITY_LOW"}, 700, 1),
        ({"endOfSpeechSensitivity": "END_SENSITIVITY_HIGH"}, 700, 2),
    ],
)
def test_silence_ends_a_turn_as_it_is_set_up(
    settings: dict[str, Any], pause_ms: int, turns: int
) -> None:
    async def main() -> None:
        config = {"automaticActivityDetection": settings}
        async with session(realtimeInputConfig=config, timing=Timing(think_ms=0)) as client:
            await client.stream(tone(500) + quiet(pause_ms) + tone(500) + quiet(1300))
            await client.rest(20)
            assert len(client.of("turnComplete")) == turns

    run(main())


def test_a_longer_prefix_ignores_short_sounds() -> None:
    async def main() -> None:
        for prefix_ms, turns in ((20, 1), (500, 0)):
            config = {"automaticActivityDetection": {"prefixPaddingMs": prefix_ms}}
            async with session(realtimeInputConfig=config) as client:
                await client.stream(quiet(300) + tone(250) + quiet(1000))
                await client.rest(10)
                assert len(client.of("turnComplete")) == turns

    run(main())


def test_the_end_of_the_stream_ends_the_turn_at_once() -> None:
    async def main() -> None:
        async with session() as client:
            await client.stream(tone(600))
            await client.realtime(audioStreamEnd=True)
            await client.until("turnComplete")

    run(main())


def test_with_detection_off_the_client_tells_where_turns_are() -> None:
    async def main() -> None:
        config = {"automaticActivityDetection": {"disabled": True}}
        async with session(realtimeInputConfig=config) as client:
            await client.stream(UTTERANCE)
            await client.rest(5)
            assert not client.order()
            await client.realtime(activityStart={})
            await client.stream(UTTERANCE)
            await client.rest(5)
            assert not client.order()
            await client.realtime(activityEnd={})
            await client.until("turnComplete")

    run(main())


def test_content_that_does_not_complete_the_turn_waits() -> None:
    async def main() -> None:
        async with session(sessionResumption={}) as client:
            await client.say("My name is Alice.", complete=False)
            await client.say("Nice to meet you!", role="model", complete=False)
            await client.rest(5)
            assert client.order() == ["sessionResumptionUpdate"]
            await client.say("What is my name?")
            await client.until("turnComplete")

    run(main())


def test_a_blank_text_makes_the_model_answer_what_waits() -> None:
    """As clients of the 3.x models do behind their history."""

    async def main() -> None:
        for model in (MODEL_3_1, MODEL_3_8):
            history = {"initialHistoryInClientContent": True}
            async with session(model=model, historyConfig=history) as client:
                await client.say("Hello?")
                await client.realtime(text=" ")
                await client.until("turnComplete")
                await client.rest(5)
                assert len(client.of("turnComplete")) == 1
                assert not client.of("interrupted")

    run(main())


def test_thoughts_are_shown_as_asked() -> None:
    async def main() -> None:
        for thinking, shown in (({"thinkingBudget": 0}, 0), ({"includeThoughts": True}, 1)):
            config = {"thinkingConfig": thinking}
            async with session(generationConfig=config) as client:
                await client.say("Hi")
                usage = (await client.until("turnComplete"))["usageMetadata"]
                assert client.order().count("thought") == shown
                assert ("thoughtsTokenCount" in usage) is bool(shown)
                read, written = usage["promptTokenCount"], usage["responseTokenCount"]
                assert usage["totalTokenCount"] == read + written

    run(main())


def test_an_answer_ends_at_its_token_limit() -> None:
    async def main() -> None:
        async with session(LONG, generationConfig={"maxOutputTokens": 20}) as client:
            await client.say("Go on.")
            usage = (await client.until("turnComplete"))["usageMetadata"]
            assert 20 <= usage["responseTokenCount"] <= 22

    run(main())


def test_usage_counts_sound_at_25_tokens_a_second_and_bills_the_conversation_again() -> None:
    async def main() -> None:
        turns = (GREETING, GREETING)
        async with session(*turns, model=MODEL_3_8) as client:
            await client.stream(tone(1000) + quiet(700))
            first = (await client.until("turnComplete"))["usageMetadata"]
            await client.say("And now?")
            second = (await client.until("turnComplete"))["usageMetadata"]
            (heard,) = first["promptTokensDetails"]
            assert heard["modality"] == "AUDIO"
            assert heard["tokenCount"] == pytest.approx(1.6 * 25, abs=6)
            seconds = len(client.sound()) / 48_000 / 2
            assert first["responseTokenCount"] == pytest.approx(seconds * 25, abs=1)
            audio = second["promptTokensDetails"][1]
            assert audio["tokenCount"] == heard["tokenCount"] + first["responseTokenCount"]
            # Some of the prompt is of no modality.
            assert first["promptTokenCount"] == heard["tokenCount"] + 25

    run(main())


def test_the_instructions_and_tools_of_a_3_8_session_can_be_changed() -> None:
    async def main() -> None:
        tools = [{"functionDeclarations": [{"name": "look_up"}]}]

        calling = Turn(on=Trigger.TEXT, call=(Call(name="look_up", arguments="{}"),))
        async with session(calling, model=MODEL_3_8) as client:
            instructions = {"parts": [{"text": "Look things up."}]}
            update = {"systemInstruction": instructions, "tools": {"tools": tools}}
            await client.send(contextUpdate=update)
            await client.say("Do it.")
            (call,) = await client.calls()
            assert call["name"] == "look_up"

    run(main())


def test_vertex_tells_activity_and_has_its_own_names() -> None:
    async def main() -> None:
        path = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
        name = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash-native-audio"
        async with emulator_of() as emulator, client_of(emulator, path=path) as client:
            await client.send(
                setup={
                    "model": name,
                    "explicitVadSignal": True,
                    "sessionResumption": {"transparent": True},
                }
            )
            assert (await client.until("setupComplete"))["setupComplete"]["sessionId"]
            await client.stream(tone(600) + quiet(1200))
            await client.until("sessionResumptionUpdate")
            usage = (await client.until("turnComplete"))["usageMetadata"]
            assert {"candidatesTokenCount", "candidatesTokensDetails"} < set(usage)
            update = (await client.until("sessionResumptionUpdate"))["sessionResumptionUpdate"]
            assert int(update["lastConsumedClientMessageIndex"]) > 50
            signals = [each["voiceActivityType"] for each in client.of("voiceActivity")]
            assert signals == ["ACTIVITY_START", "ACTIVITY_END"]

    run(main())


@pytest.mark.parametrize(
    "fields",
    [
        {"clientContent": {"turns": [], "turnComplete": True}},
        {"realtimeInput": {"text": "hi"}},
        {"toolResponse": {"functionResponses": []}},
        {},
    ],
)
def test_nothing_comes_before_the_setup(fields: dict[str, Any]) -> None:
    async def main() -> None:
        async with emulator_of() as emulator, client_of(emulator) as client:
            await client.send(**fields)
            assert await client.closed() == INVALID_ARGUMENT

    run(main())


def test_messages_are_binary_unless_text_is_wanted() -> None:
    async def main() -> None:

        for binary, kind in ((True, bytes), (False, str)):
            async with (
                GeminiEmulator(binary=binary) as emulator,
                client_of(emulator) as client,
            ):
                await client.send(setup={"model": f"models/{MODEL_2_5}"})
                assert isinstance(await client.socket.recv(), kind)
                await client.say("Hi")
                assert isinstance(await client.socket.recv(), kind)

    run(main())


def test_ten_sessions_at_once_are_told_apart() -> None:
    async def talk(emulator: Any) -> str:
        async with client_of(emulator) as client:
            await client.set_up(outputAudioTranscription={})
            await client.stream(UTTERANCE)
            await client.until("turnComplete")
            return client.words()

    async def main() -> None:
        async with emulator_of() as emulator:
            words = await asyncio.gather(*(talk(emulator) for _ in range(10)))
            assert words == ["Hello there."] * 10

    run(main())
