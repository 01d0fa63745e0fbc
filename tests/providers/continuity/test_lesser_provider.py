"""Who stands in for a provider cannot do all that the session was asked to."""

import asyncio

import pytest

from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, RefuseHandshake, Reset
from crossfade.errors import SettingsError
from crossfade.providers import Continuity, Endpoint, SessionConfig
from crossfade.providers.events import Handover, SessionContinued, ToolCall
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    LOOK_UP,
    OPENAI,
    TOOLS,
    Caller,
    calling,
    emulator_of,
)

SOON = Continuity(return_after_s=5.0)
REFUSED: list[Fault] = [RefuseHandshake(session=2), RefuseHandshake(session=3)]


async def until_returned(caller: Caller) -> None:
    async with asyncio.timeout(120):
        while caller.of(SessionContinued)[-1].why is not Handover.RETURN:
            await caller.send(bytes(2 * caller.session.input_rate_hz))


@pytest.mark.parametrize("answers", [True, False])
def test_a_tool_of_the_preferred_one_runs_on(answers: bool) -> None:
    pytest.importorskip("sphn")
    from crossfade.emulators.backends import ScriptedBackend
    from crossfade.emulators.moshi import MoshiEmulator

    async def main() -> None:
        faults = [Reset(at=State.TOOL_PENDING, after_ms=300), *REFUSED]
        preferred = emulator_of(OPENAI, faults=faults, scenario=TOOLS)
        lesser = MoshiEmulator(ScriptedBackend(TOOLS))
        async with preferred, lesser:
            endpoint = Endpoint(spec="moshi:moshi", base_url=lesser.url, changes={"tools": ()})
            config = SessionConfig(tools=[LOOK_UP])
            async with calling(
                OPENAI, preferred, config, continuity=SOON, route=[endpoint]
            ) as caller:
                await caller.say()
                call = await caller.until(ToolCall)
                await caller.until(SessionContinued)
                if answers:
                    await caller.session.send_tool_response(call.id, {"found": "a treasure"})
                    await caller.session.respond()
                await until_returned(caller)
                told = str([each.body for each in preferred.sessions[-1].line.received])
                assert told.count("a treasure") == answers
                if answers:
                    await caller.until_answered(2)
                whys = [one.why for one in caller.of(SessionContinued)]
                assert whys == [Handover.FAILOVER, Handover.RETURN]

    run(main())


def test_a_change_that_it_cannot_make_waits_for_the_preferred_one() -> None:
    async def main() -> None:
        preferred = emulator_of(OPENAI, faults=[Reset(after_ms=300), *REFUSED])
        lesser = emulator_of(GEMINI)
        async with preferred, lesser:
            endpoint = Endpoint(
                spec=GEMINI, base_url=lesser.url, api_key="k", changes={"voice": "Puck"}
            )
            async with calling(
                OPENAI, preferred, SessionConfig(voice="marin"), continuity=SOON, route=[endpoint]
            ) as caller:
                await caller.until(SessionContinued)
                await caller.session.update(voice="cedar")
                with pytest.raises(SettingsError):
                    await caller.session.send_tool_response("call", 1, final=True, delivery="now")  # type: ignore[arg-type]
                assert caller.session.config.voice == "Puck"
                await until_returned(caller)
                assert caller.session.config.voice == "cedar"
                assert "cedar" in str([e.body for e in preferred.sessions[-1].line.received])

    run(main())


@pytest.mark.parametrize("lost", [False, True])
def test_the_second_result_of_a_call_is_passed_over(lost: bool) -> None:
    async def main() -> None:
        emulator = emulator_of(OPENAI, scenario=TOOLS)
        config = SessionConfig(tools=[LOOK_UP])
        async with emulator, calling(OPENAI, emulator, config) as caller:
            await caller.say()
            call = await caller.until(ToolCall)
            await caller.session.send_tool_response(call.id, {"found": "gold"})
            if lost:
                await asyncio.sleep(1)
                caller.session.rotate()
                await caller.session.respond()
                await caller.until(SessionContinued)
            await caller.session.send_tool_response(call.id, {"found": "lead"})
            await asyncio.sleep(1)
            sent = str(
                [each.body for session in emulator.sessions for each in session.line.received]
            )
            assert "gold" in sent
            assert "lead" not in sent

    run(main())


def test_a_key_that_cannot_be_had_leads_to_the_next_of_the_route() -> None:
    def no_key() -> str:
        raise RuntimeError("the vault is closed")

    async def main() -> None:
        preferred, lesser = emulator_of(OPENAI), emulator_of(GEMINI)
        async with preferred, lesser:
            route = [Endpoint(spec=GEMINI, base_url=lesser.url, api_key="k")]
            async with calling(OPENAI, preferred, api_key=no_key, route=route) as caller:
                assert caller.session.serving.provider == GEMINI

    run(main())
