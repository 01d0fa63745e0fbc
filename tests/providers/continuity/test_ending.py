"""When a session gives up, and what it leaves when it is closed."""

import asyncio

import pytest

from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import (
    Close,
    Fault,
    HalfOpen,
    RefuseHandshake,
    RefuseKey,
    Reset,
    Stall,
)
from crossfade.errors import ConnectionLost, CredentialsRefused, ProviderFault
from crossfade.providers import Continuity, connect
from crossfade.providers.events import LineLost, ResponseDone, ResponseStatus, SessionContinued
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    LONG,
    OPENAI,
    Caller,
    answered,
    calling,
    emulator_of,
)
from tests.providers.loopback import Peer, loopback
from tests.providers.openai_messages import error
from tests.providers.test_session_lifecycle import open_sockets

WIRES = (OPENAI, GEMINI)


@pytest.mark.parametrize("spec", WIRES)
def test_a_key_that_is_refused_ends_it_at_once(spec: str) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(after_ms=1000), RefuseKey(session=2)]
        emulator = emulator_of(spec, faults=faults)
        async with emulator, calling(spec, emulator) as caller:
            await asyncio.sleep(2)
            assert isinstance(caller.ended, CredentialsRefused)
            with pytest.raises(CredentialsRefused):
                await caller.session.respond()
            assert len(caller.of(LineLost)) == 1

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_attempts_that_fail_are_made_again_until_the_budget_is_spent(spec: str) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(after_ms=1000)]
        faults += [RefuseHandshake(session=number) for number in range(2, 30)]
        emulator = emulator_of(spec, faults=faults)
        settings = Continuity(attempts=4)
        async with emulator, calling(spec, emulator, continuity=settings) as caller:
            await asyncio.sleep(60)
            assert isinstance(caller.ended, ProviderFault | ConnectionLost)
            assert not caller.of(SessionContinued)

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_what_is_said_while_it_reconnects_is_heard(spec: str) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(at=State.USER_SPEAKING, after_ms=200)]
        faults += [RefuseHandshake(session=number) for number in range(2, 6)]
        emulator = emulator_of(spec, faults=faults)
        async with emulator, calling(spec, emulator) as caller:
            loud = await caller.say(3000)
            await caller.until_answered()
            assert answered(emulator, loud) == 1
            assert caller.words.strip() == LONG
            (continued,) = caller.of(SessionContinued)
            assert continued.gap_ms > 0

    run(main())


@pytest.mark.parametrize("spec", WIRES)
@pytest.mark.parametrize("stage", [0.5, 1.2, 1.35, 2.0, 3.0])
def test_closing_leaves_nothing_whatever_it_does(spec: str, stage: float) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(at=State.USER_SPEAKING, after_ms=400)]
        faults += [RefuseHandshake(session=number) for number in range(2, 4)]
        emulator = emulator_of(spec, faults=faults)
        async with emulator, calling(spec, emulator) as caller:
            speaking = asyncio.create_task(caller.say(1000))
            await asyncio.sleep(stage)
            speaking.cancel()
            await asyncio.wait([speaking])

    run(main())


@pytest.mark.parametrize("spec", WIRES)
@pytest.mark.parametrize("fault", [HalfOpen, Stall])
def test_a_line_that_falls_silent_is_left(spec: str, fault: type[HalfOpen | Stall]) -> None:
    async def main() -> None:
        strike = fault(at=State.THINKING, after_ms=50)
        emulator = emulator_of(spec, faults=[strike], think_ms=300)
        async with emulator, calling(spec, emulator) as caller:
            loud = await caller.say(1200)
            task = asyncio.create_task(caller.send(bytes(2 * caller.session.input_rate_hz * 20)))
            await caller.until_answered()
            assert answered(emulator, loud) == 1
            assert caller.words.strip() == LONG
            task.cancel()
            await asyncio.wait([task])

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_a_silent_line_ends_its_session_when_no_other_is_had(spec: str) -> None:
    """Who stands behind the session would wait for ever else."""

    async def main() -> None:
        faults: list[Fault] = [
            Stall(at=State.THINKING, after_ms=50),
            *(RefuseHandshake(session=number) for number in range(2, 20)),
        ]
        emulator = emulator_of(spec, faults=faults, think_ms=300)
        continuity = Continuity(attempts=2)
        async with emulator, calling(spec, emulator, continuity=continuity) as caller:
            await caller.say(1200)
            with pytest.raises((ConnectionLost, ProviderFault)):
                await caller.until_answered()

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_an_answer_that_stops_in_the_middle_is_gone_on_with(spec: str) -> None:
    async def main() -> None:
        emulator = emulator_of(spec, faults=[HalfOpen(at=State.SPEAKING, after_ms=400)])
        async with emulator, calling(spec, emulator) as caller:
            await caller.say()
            await caller.until_answered()
            assert caller.ends(ResponseStatus.CUT) == 1
            assert caller.agent_said == LONG

    run(main())


def test_an_expired_session_is_followed_by_another() -> None:
    async def main() -> None:
        faults = [Close(code=1001, reason="Your session hit the maximum duration.", after_ms=500)]
        emulator = emulator_of(OPENAI, faults=faults)
        async with emulator, calling(OPENAI, emulator) as caller:
            await caller.until(SessionContinued)
            await caller.say()
            await caller.until(ResponseDone)

    run(main())


@pytest.mark.parametrize("spec", WIRES)
def test_closing_at_any_step_of_a_handover(spec: str) -> None:
    """Whatever step of reconnecting close meets, no task and no socket stays."""

    async def main() -> None:
        emulator = emulator_of(spec, faults=[Reset(session="every", after_ms=500)])
        async with emulator:
            for steps in range(0, 60, 2):
                async with calling(spec, emulator) as caller:
                    await caller.until(LineLost)
                    for _ in range(steps):
                        await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            assert len(open_sockets()) == 0

    run(main())


def test_closing_while_the_next_connection_waits() -> None:
    async def main() -> None:
        emulator = emulator_of(OPENAI)
        async with emulator:
            async with calling(OPENAI, emulator) as caller:
                caller.session.playing = True
                caller.session.rotate()
                await asyncio.sleep(1)
                assert len(emulator.sessions) == 2
            await asyncio.sleep(0.1)
            assert len(open_sockets()) == 0

    run(main())


def test_a_fatal_error_in_the_middle_ends_it_by_its_name() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(error("insufficient_quota", "No money."))
        await peer.websocket.close(1000)

    async def main() -> None:
        async with loopback(script) as url, connect(OPENAI, base_url=url, api_key="key") as session:
            caller = Caller(session)
            await caller.listen()
            assert isinstance(caller.ended, ProviderFault)
            assert caller.ended.code == "insufficient_quota"
            assert not caller.of(LineLost)

    run(main())


def test_what_is_told_of_a_lost_line_holds_no_key() -> None:
    key = "0a1b2c3d4e5f6789"

    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.websocket.close(1011, f"{key} met an internal error")

    async def main() -> None:
        async with loopback(script) as url, connect(OPENAI, base_url=url, api_key=key) as session:
            caller = Caller(session)
            await caller.listen()
            assert key not in f"{caller.events} {caller.ended} {session.serving}"
            assert "[key] met an internal error" in caller.of(LineLost)[0].message
            assert len(caller.of(SessionContinued)) == 10, "one attempt of ten after the other"

    run(main())
