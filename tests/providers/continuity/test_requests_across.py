"""What the caller asked for survives its connection: texts, requests, tools, changes, phrases."""

import asyncio

import pytest

from crossfade.conversation.history import Utterance
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, RefuseHandshake, Reset
from crossfade.providers import SessionConfig
from crossfade.providers.events import (
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionContinued,
    ToolCall,
)
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    LOOK_UP,
    OPENAI,
    TOOLS,
    calling,
    emulator_of,
)

WIRES = (OPENAI, GEMINI)


@pytest.mark.parametrize("spec", WIRES)
def test_a_text_that_is_written_while_nothing_serves_is_answered_once(spec: str) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(after_ms=1000), *(RefuseHandshake(session=n) for n in (2, 3))]
        emulator = emulator_of(spec, faults=faults)
        async with emulator, calling(spec, emulator) as caller:
            await asyncio.sleep(1.01)
            assert not caller.of(SessionContinued)
            await caller.session.send_text("Are you there?")
            await caller.until(SessionContinued)
            await caller.until_answered()
            await asyncio.sleep(5)
            assert caller.ends(ResponseStatus.COMPLETED) == 1
            conversation = caller.session.conversation
            assert conversation is not None
            said = [item for item in conversation.history() if isinstance(item, Utterance)]
            assert said[0].text == "Are you there?"
            assert not caller.of(ProviderError)

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_a_request_whose_answer_has_not_begun_is_made_again(spec: str) -> None:
    async def main() -> None:
        fault = Reset(at=State.THINKING, after_ms=100)
        emulator = emulator_of(spec, faults=[fault], think_ms=500)
        async with emulator, calling(spec, emulator) as caller:
            await caller.session.send_text("Hello")
            await caller.until_answered()
            await asyncio.sleep(5)
            assert caller.ends(ResponseStatus.COMPLETED) == 1

    run(main())


@pytest.mark.parametrize("answer_first", [False, True])
@pytest.mark.parametrize("spec", WIRES)
def test_a_tool_that_runs_is_spoken_of_by_the_next_session(spec: str, answer_first: bool) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(at=State.TOOL_PENDING, after_ms=500)]
        faults += [RefuseHandshake(session=number) for number in (2, 3, 4)]
        emulator = emulator_of(spec, faults=faults, scenario=TOOLS)
        config = SessionConfig(tools=[LOOK_UP])
        async with emulator, calling(spec, emulator, config) as caller:
            await caller.say()
            call = await caller.until(ToolCall)
            await caller.until(ResponseDone)
            if answer_first:
                await asyncio.sleep(0.51)
            else:
                await caller.until(SessionContinued)
            await caller.session.send_tool_response(call.id, {"found": "treasure"})
            await caller.session.respond()
            await caller.until(SessionContinued)
            await caller.until_answered(2)
            assert "treasure" in caller.words
            await asyncio.sleep(5)
            assert caller.ends(ResponseStatus.COMPLETED) == 2
            assert len(caller.of(ToolCall)) == 1
            assert not caller.of(ProviderError)

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_changes_hold_on_every_later_connection(spec: str) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(after_ms=1000), RefuseHandshake(session=2)]
        emulator = emulator_of(spec, faults=faults)
        config = SessionConfig(instructions="first")
        async with emulator, calling(spec, emulator, config) as caller:
            await caller.session.update(instructions="second")
            await asyncio.sleep(1.001)
            await caller.session.update(tools=[LOOK_UP])
            await caller.until(SessionContinued)
            assert caller.session.config.instructions == "second"
            assert caller.session.config.tools == [LOOK_UP]
            await asyncio.sleep(0.1)
            sent = str([entry.body for entry in emulator.sessions[-1].line.received])
            assert "second" in sent
            assert "look_up" in sent

    run(main())


def test_a_change_while_the_next_connection_waits_reaches_it() -> None:
    async def main() -> None:
        emulator = emulator_of(OPENAI)
        config = SessionConfig(instructions="first")
        async with emulator, calling(OPENAI, emulator, config) as caller:
            caller.session.playing = True
            caller.session.rotate()
            await asyncio.sleep(1)
            await caller.session.update(instructions="second")
            caller.session.playing = False
            await caller.until(SessionContinued)
            assert caller.session.config.instructions == "second"
            await asyncio.sleep(0.1)
            assert "second" in str([e.body for e in emulator.sessions[-1].line.received])

    run(main())


def test_phrases_and_asides_that_have_not_begun_are_asked_for_again() -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(after_ms=1000), RefuseHandshake(session=2)]
        emulator = emulator_of(OPENAI, faults=faults)
        async with emulator, calling(OPENAI, emulator) as caller:
            await asyncio.sleep(1.001)
            await caller.session.say("One moment.", label="phrase")
            await caller.session.respond_aside("Sum up.", text="", label="aside")
            await caller.until(ResponseDone, 2)
            assert {one.label for one in caller.of(ResponseStarted)} == {"phrase", "aside"}
            assert caller.ends(ResponseStatus.COMPLETED) == 2

    run(main())


def test_the_key_is_asked_for_again_for_each_connection() -> None:
    async def main() -> None:
        given: list[str] = []

        async def key() -> str:
            given.append(f"key-{len(given)}")
            return given[-1]

        emulator = emulator_of(OPENAI, faults=[Reset(after_ms=1000)])
        async with emulator, calling(OPENAI, emulator, api_key=key) as caller:
            await caller.until(SessionContinued)
            assert len(given) == 2

    run(main())
