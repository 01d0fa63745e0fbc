"""A session that goes on over another connection."""

import pytest

from crossfade.emulators.backends import Trigger
from crossfade.emulators.backends.scenario import Turn
from crossfade.emulators.faults import Fault
from crossfade.emulators.gemini import GeminiEmulator, Timing
from crossfade.emulators.gemini.faults import RefuseResume
from tests.clock import run
from tests.emulators.gemini.wire_client import (
    GET_WEATHER,
    GREETING,
    MODEL_2_5,
    MODEL_3_8,
    TOKYO,
    WireClient,
    client_of,
    emulator_of,
    session,
)

FIRST = Turn(on=None, say=("The first answer.",))
SECOND = Turn(on=None, say=("The second answer.",))


async def handle_of(client: WireClient) -> str:
    """The next handle that is good for something."""
    while True:
        update = (await client.until("sessionResumptionUpdate"))["sessionResumptionUpdate"]
        if update["resumable"]:
            return str(update["newHandle"])
        assert update["newHandle"] == ""


async def answered_once(emulator: GeminiEmulator) -> str:
    """A session that has had one turn and is left; its handle."""
    async with client_of(emulator) as client:
        await client.set_up(MODEL_3_8, sessionResumption={})
        await client.say("One.")
        return await handle_of(client)


async def close_of_resume(emulator: GeminiEmulator, handle: str) -> tuple[int, str]:
    async with client_of(emulator) as client:
        setup = {"model": f"models/{MODEL_3_8}", "sessionResumption": {"handle": handle}}
        await client.send(setup=setup)
        return await client.closed()


def test_a_resumed_session_remembers_and_goes_on() -> None:
    async def main() -> None:
        async with emulator_of(FIRST, SECOND) as emulator:
            handle = await answered_once(emulator)
            async with client_of(emulator) as client:
                await client.set_up(MODEL_3_8, sessionResumption={"handle": handle})
                await client.say("Two.")
                usage = (await client.until("turnComplete"))["usageMetadata"]
                assert client.words() == "The second answer."
                counted = {e["modality"]: e["tokenCount"] for e in usage["promptTokensDetails"]}
                # The first question and answer are read again.
                assert counted["TEXT"] == 1 + 1
                assert counted["AUDIO"] > 20
                assert await handle_of(client) != handle

    run(main())


def test_without_a_handle_a_session_begins_anew() -> None:
    async def main() -> None:
        async with emulator_of(FIRST, SECOND) as emulator:
            await answered_once(emulator)
            async with client_of(emulator) as client:
                await client.set_up(MODEL_3_8)
                await client.say("Two.")
                await client.until("turnComplete")
                assert client.words() == "The first answer."
                assert not client.of("sessionResumptionUpdate")

    run(main())


def test_an_older_handle_brings_back_what_was_known_then() -> None:
    async def main() -> None:
        async with emulator_of() as emulator:
            async with client_of(emulator) as client:
                await client.set_up(MODEL_3_8, sessionResumption={})
                await client.say("One.")
                handle = await handle_of(client)
                first = client.of("usageMetadata")[0]
                await client.say("Two.")
                await handle_of(client)
            async with client_of(emulator) as client:
                await client.set_up(MODEL_3_8, sessionResumption={"handle": handle})
                await client.say("Two.")
                usage = (await client.until("turnComplete"))["usageMetadata"]
                grown = usage["promptTokenCount"] - first["promptTokenCount"]
                assert grown == first["responseTokenCount"] + 1

    run(main())


def test_a_session_cannot_be_resumed_while_it_speaks_or_calls() -> None:
    async def main() -> None:
        turns = (
            Turn(on=Trigger.TEXT, call=(TOKYO,)),
            Turn(on=Trigger.TOOL_RESULTS, say=("Fine.",)),
        )
        tools = [{"functionDeclarations": [GET_WEATHER]}]
        async with session(*turns, tools=tools, sessionResumption={}) as client:
            await client.say("Weather?")
            (call,) = await client.calls()
            assert client.of("sessionResumptionUpdate") == [{"newHandle": "", "resumable": False}]
            await client.respond(call["id"], {})
            await client.until("turnComplete")
            assert len(client.of("sessionResumptionUpdate")) == 1
            await handle_of(client)

    run(main())


def test_a_resume_is_refused_while_the_old_connection_is_open() -> None:
    async def main() -> None:
        async with emulator_of(FIRST, SECOND) as emulator:
            async with client_of(emulator) as client:
                await client.set_up(MODEL_3_8, sessionResumption={})
                await client.say("One.")
                handle = await handle_of(client)
                close = await close_of_resume(emulator, handle)
                assert close == (1011, "Internal error encountered.")
            async with client_of(emulator) as client:
                await client.set_up(MODEL_3_8, sessionResumption={"handle": handle})

    run(main())


def test_handles_that_are_unknown_or_too_old() -> None:
    async def main() -> None:
        async with emulator_of(timing=Timing(handle_seconds=60)) as emulator:
            close = await close_of_resume(emulator, "nonsense")
            assert close == (1007, "Invalid session handle")
            handle = await answered_once(emulator)
            async with client_of(emulator) as client:
                await client.rest(61)
            close = await close_of_resume(emulator, handle)
            assert close == (1008, "BidiGenerateContent session not found")

    run(main())


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1007, "Invalid session handle"),
        (1008, "BidiGenerateContent session not found"),
        (1011, "Internal error encountered."),
    ],
)
def test_a_resume_can_be_refused_by_a_fault(code: int, reason: str) -> None:
    fault = RefuseResume.model_validate({"session": 2, "code": code})

    async def main() -> None:
        faults: list[Fault] = [fault]
        async with emulator_of(FIRST, SECOND, faults=faults) as emulator:
            handle = await answered_once(emulator)
            assert await close_of_resume(emulator, handle) == (code, reason)
            # It strikes once.
            async with client_of(emulator) as client:
                await client.set_up(MODEL_3_8, sessionResumption={"handle": handle})

    run(main())


def test_the_age_of_a_session_is_kept_over_its_connections() -> None:
    async def main() -> None:
        timing = Timing(session_seconds=100)
        async with emulator_of(GREETING, GREETING, timing=timing) as emulator:
            async with client_of(emulator) as client:
                await client.set_up(MODEL_2_5, sessionResumption={})
                await client.say("One.")
                handle = await handle_of(client)
                await client.rest(60)
            async with client_of(emulator) as client:
                await client.set_up(MODEL_2_5, sessionResumption={"handle": handle})
                began_s = client.times_s[0]
                await client.rest(30)
                assert (await client.closed())[0] == 1007
                assert began_s > 1000

    run(main())
