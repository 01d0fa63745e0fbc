"""How the service refuses: every close that is known of it, as a client sees it."""

from typing import Any

import pytest

from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.faults import Fault, Reset
from crossfade.emulators.gemini import Timing
from crossfade.emulators.gemini.closes import CLOSES
from crossfade.emulators.gemini.faults import ServerError, ServiceClose
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    INVALID_ARGUMENT,
    MODEL_2_5,
    MODEL_3_1,
    MODEL_3_8,
    MODEL_THINKING,
    NOT_IMPLEMENTED,
    client_of,
    emulator_of,
    session,
)

MANUAL = {"automaticActivityDetection": {"disabled": True}}
VOICE = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "alloy"}}}
SEEDED = {"initialHistoryInClientContent": True}


def unknown(name: str, at: str) -> tuple[int, str]:
    words = f"Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."
    return 1007, words[:123]


def close_of_setup(setup: dict[str, Any], version: str = "v1beta") -> tuple[int, str]:
    """How the service answers a setup that it does not take."""

    async def main() -> tuple[int, str]:
        async with emulator_of() as emulator:
            path = emulator.path.replace("v1beta", version)
            async with client_of(emulator, path=path) as client:
                await client.send(setup=setup)
                return await client.closed()

    return run(main())


def close_of(fields: dict[str, Any], model: str = MODEL_2_5, **setup: Any) -> tuple[int, str]:
    """How the service answers a message that it does not take."""

    async def main() -> tuple[int, str]:
        async with session(model=model, **setup) as client:
            await client.send(**fields)
            return await client.closed()

    return run(main())


@pytest.mark.parametrize(
    "name", ["models/gemini-2.0-flash-live-001", "models/gpt-realtime", "gemini-3.8-live", ""]
)
def test_a_model_that_is_not_served(name: str) -> None:
    assert close_of_setup({"model": name}, "v1") == (
        1008,
        f"{name} is not found for API version v1, or is not supported for bidiGenerateContent.",
    )


@pytest.mark.parametrize(
    ("model", "setup", "close"),
    [
        (MODEL_2_5, {"generationConfig": {"responseModalities": ["TEXT"]}}, INVALID_ARGUMENT),
        (MODEL_3_8, {"generationConfig": {"responseModalities": ["TEXT"]}}, INVALID_ARGUMENT),
        (
            MODEL_2_5,
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
            INVALID_ARGUMENT,
        ),
        (
            MODEL_3_8,
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
            INVALID_ARGUMENT,
        ),
        (MODEL_THINKING, {}, INVALID_ARGUMENT),
        (
            MODEL_THINKING,
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}},
            INVALID_ARGUMENT,
        ),
        (MODEL_3_1, {"proactivity": {"proactiveAudio": True}}, NOT_IMPLEMENTED),
        (MODEL_3_8, {"proactivity": {"proactiveAudio": False}}, INVALID_ARGUMENT),
        (MODEL_3_8, {"generationConfig": {"enableAffectiveDialog": True}}, NOT_IMPLEMENTED),
        (
            MODEL_3_1,
            {"tools": [{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}]},
            NOT_IMPLEMENTED,
        ),
        (
            MODEL_THINKING,
            {
                "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}},
                "tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}],
            },
            INVALID_ARGUMENT,
        ),
        (
            MODEL_2_5,
            {"tools": [{"functionDeclarations": [{"name": "no spaces"}]}]},
            INVALID_ARGUMENT,
        ),
        (
            MODEL_2_5,
            {"generationConfig": {"speechConfig": VOICE}},
            INVALID_ARGUMENT,
        ),
        (
            MODEL_2_5,
            {
                "contextWindowCompression": {
                    "triggerTokens": 10,
                    "slidingWindow": {"targetTokens": 20},
                }
            },
            INVALID_ARGUMENT,
        ),
    ],
)
def test_what_a_model_cannot_do(model: str, setup: dict[str, Any], close: tuple[int, str]) -> None:
    assert close_of_setup({"model": f"models/{model}", **setup}, "v1alpha") == close


@pytest.mark.parametrize(
    ("setup", "name", "at"),
    [
        ({"voice": "Puck"}, "voice", "setup"),
        ({"generation_config": {"topQ": 1}}, "topQ", "setup.generation_config"),
        (
            {"generationConfig": {"enableAffectiveDialog": True}},
            "enableAffectiveDialog",
            "setup.generation_config",
        ),
        ({"explicitVadSignal": True}, "explicitVadSignal", "setup"),
        (
            {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"$schema": "x"}}]}]},
            "$schema",
            "setup.tools[0].function_declarations[0].parameters",
        ),
    ],
)
def test_a_name_that_nobody_knows(setup: dict[str, Any], name: str, at: str) -> None:
    assert close_of_setup({"model": f"models/{MODEL_2_5}", **setup}) == unknown(name, at)


def test_a_message_that_nobody_knows() -> None:
    close = close_of({"sessionUpdate": {}})
    assert close == (
        1007,
        'Invalid JSON payload received. Unknown name "sessionUpdate": Cannot find field.',
    )


@pytest.mark.parametrize(
    ("setup", "at"),
    [
        ({"generationConfig": {"temperature": "warm"}}, "setup.generation_config.temperature"),
        ({"generationConfig": {"mediaResolution": "BEST"}}, "setup.generation_config.media_resol"),
        ({"tools": {}}, "setup.tools"),
        ({"systemInstruction": "Be kind."}, "setup.system_instruction"),
    ],
)
def test_a_value_of_the_wrong_kind(setup: dict[str, Any], at: str) -> None:
    code, reason = close_of_setup({"model": f"models/{MODEL_2_5}", **setup})
    assert code == 1007
    assert reason.startswith(f"Invalid value at '{at}")


@pytest.mark.parametrize("text", ["", "{", "[]", "nul", "7", '{"setup": {"model": "\\ud800"}}'])
def test_what_is_no_json_object(text: str) -> None:
    async def main() -> None:
        async with session() as client:
            await client.socket.send(text)
            code, reason = await client.closed()
            assert code == 1007
            assert reason.startswith("Invalid JSON payload received.")

    run(main())


@pytest.mark.parametrize(
    "fields",
    [
        {"setup": {"model": f"models/{MODEL_2_5}"}},
        {"setup": {"model": f"models/{MODEL_2_5}"}, "clientContent": {}},
        {"realtimeInput": {}},
        {"realtimeInput": {"text": "a", "audioStreamEnd": True}},
        {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/mp3"}}},
        {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm;rate=1"}}},
        {"realtimeInput": {"video": {"data": "AAAA", "mimeType": "video/mp4"}}},
        {
            "clientContent": {
                "turns": [{"role": "model", "parts": [{"text": "Hi"}]}],
                "turnComplete": True,
            }
        },
    ],
)
def test_what_cannot_be_sent(fields: dict[str, Any]) -> None:
    assert close_of(fields) == INVALID_ARGUMENT


def test_sound_that_is_no_base64() -> None:
    for data in ("A", "A*=="):
        code, reason = close_of(
            {"realtimeInput": {"audio": {"data": data, "mimeType": "audio/pcm"}}}
        )
        assert (code, reason[:40]) == (1007, "Invalid value at 'realtime_input.audio.d")


def test_activity_is_told_only_where_it_is_not_detected() -> None:
    words = (
        "Explicit activity control is not supported when automatic activity detection is enabled."
    )
    assert close_of({"realtimeInput": {"activityStart": {}}}) == (1007, words)
    assert close_of({"realtimeInput": {"activityEnd": {}}}) == (1007, words)
    ended = {"realtimeInput": {"audioStreamEnd": True}}
    assert close_of(ended, realtimeInputConfig=MANUAL) == INVALID_ARGUMENT


def test_roles_that_nobody_has() -> None:
    words = (1007, "Please use a valid role: user, model.")
    turn = {"parts": [{"text": "Hi"}]}
    system = {"clientContent": {"turns": [{"role": "system", **turn}]}}
    assert close_of(system) == words
    assert close_of({"clientContent": {"turns": [turn]}}, MODEL_3_8) == words


def test_content_on_3_1_is_for_the_history_alone() -> None:
    async def main() -> None:
        async with session(model=MODEL_3_1) as client:
            await client.say("Hi")
            assert await client.closed() == INVALID_ARGUMENT
        async with session(model=MODEL_3_1, historyConfig=SEEDED) as client:
            await client.say("Hi", complete=False)
            await client.say("Hello", role="model")
            await client.realtime(text="So?")
            await client.until("turnComplete")
            await client.say("Hi again")
            assert await client.closed() == INVALID_ARGUMENT

    run(main())


def test_the_context_cannot_be_changed_before_3_8() -> None:
    update = {"contextUpdate": {"systemInstruction": {"parts": [{"text": "Be kind."}]}}}
    for model in (MODEL_2_5, MODEL_3_1):
        assert close_of(update, model) == NOT_IMPLEMENTED


@pytest.mark.parametrize("name", list(CLOSES))
def test_every_known_close_can_be_had_by_its_name(name: str) -> None:
    async def main() -> None:
        async with session(faults=[ServiceClose(name=name, after_ms=1000)]) as client:
            assert await client.closed() == (CLOSES[name].code, CLOSES[name].reason)

    run(main())


@pytest.mark.parametrize(
    ("fault", "close"),
    [
        (ServerError(after_ms=1000), (1011, "Internal error encountered.")),
        (Reset(after_ms=1000), (1006, "")),
    ],
)
def test_failures_of_the_service_and_of_the_network(fault: Fault, close: tuple[int, str]) -> None:
    async def main() -> None:
        async with session(faults=[fault]) as client:
            assert await client.closed() == close

    run(main())


def test_a_conversation_that_is_too_long_ends_unless_it_is_compressed() -> None:
    words = "word " * 60_000

    async def main() -> None:
        async with session(model=MODEL_3_8) as client:
            await client.say(words, complete=False)
            await client.say(words, complete=False)
            assert await client.closed() == INVALID_ARGUMENT
        compression = {"triggerTokens": "100000", "slidingWindow": {}}
        async with session(model=MODEL_3_8, contextWindowCompression=compression) as client:
            await client.say(words, complete=False)
            await client.say(words, complete=False)
            await client.say("So?")
            usage = (await client.until("turnComplete"))["usageMetadata"]
            assert usage["promptTokenCount"] < 100

    run(main())


def test_a_backend_that_fails_ends_the_session_alone() -> None:
    async def main() -> None:
        broken = Turn(on=None, say=("It is {nothing}.",))
        async with emulator_of(broken) as emulator:
            async with client_of(emulator) as client:
                await client.set_up()
                await client.say("Hi")
                assert await client.closed() == (1011, "Internal error encountered.")
            async with client_of(emulator) as client:
                await client.set_up()

    run(main())


def test_an_idle_client_is_cut_off_if_wanted() -> None:
    async def main() -> None:
        async with session(timing=Timing(idle_seconds=150, session_seconds=10_000)) as client:
            for _ in range(3):
                await client.rest(140)
                await client.append(bytes(640))
            assert await client.closed() == (1008, "The operation was aborted")

    run(main())
