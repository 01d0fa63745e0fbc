"""Another provider takes over, with other rates, and gives back."""

import asyncio
from contextlib import suppress

import pytest

from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, RefuseHandshake, RefuseKey, Reset
from crossfade.emulators.openai.faults import FailedResponse
from crossfade.errors import ProviderFault, SettingsError
from crossfade.providers import Continuity, Encoding, Endpoint, SessionConfig, connect
from crossfade.providers.events import (
    AudioChunk,
    Handover,
    LineLost,
    ResponseDone,
    ResponseStatus,
    SessionContinued,
    UserTurnCommitted,
)
from tests.clock import run
from tests.providers.continuity.calls import (
    GEMINI,
    LONG,
    OPENAI,
    calling,
    emulator_of,
)

ORDERS = ((OPENAI, GEMINI), (GEMINI, OPENAI))


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_a_provider_that_refuses_the_key_is_followed_by_the_next(first: str, second: str) -> None:
    async def main() -> None:
        failing = emulator_of(first, faults=[Reset(after_ms=1000), RefuseKey(session=2)])
        standing_by = emulator_of(second)
        async with failing, standing_by:
            route = [Endpoint(spec=second, base_url=standing_by.url, api_key="other")]
            async with calling(first, failing, route=route) as caller:
                rate_hz = caller.session.input_rate_hz
                continued = await caller.until(SessionContinued)
                assert continued.why is Handover.FAILOVER
                assert continued.provider == second
                await caller.say()
                await caller.until_answered()
                assert caller.words.strip() == LONG
                assert caller.session.input_rate_hz == rate_hz
                assert len(caller.of(UserTurnCommitted)) == 1
                assert caller.session.profile.model == second.partition(":")[2]
                # As long as the words take: nothing of the sound is lost in the conversion.
                spoken_ms = sum(len(chunk.pcm) for chunk in caller.of(AudioChunk)) / 48
                assert spoken_ms > 1000
                assert caller.session.statistics().failovers == 1

    run(main())


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_a_turn_goes_along_and_the_first_provider_takes_over_again(first: str, second: str) -> None:
    async def main() -> None:
        faults: list[Fault] = [Reset(at=State.USER_SPEAKING, after_ms=300)]
        faults += [RefuseHandshake(session=number) for number in (2, 3)]
        failing, standing_by = emulator_of(first, faults=faults), emulator_of(second)
        async with failing, standing_by:
            route = [Endpoint(spec=second, base_url=standing_by.url, api_key="other")]
            settings = Continuity(return_after_s=20.0)
            async with calling(first, failing, continuity=settings, route=route) as caller:
                await caller.say(2000)
                await caller.until_answered()
                assert caller.words.strip() == LONG
                silence = bytes(2 * caller.session.input_rate_hz)
                for _ in range(40):
                    await caller.send(silence)
                whys = [one.why for one in caller.of(SessionContinued)]
                assert whys == [Handover.FAILOVER, Handover.RETURN]
                await caller.say()
                await caller.until_answered(2)
                assert caller.words.strip().endswith("The second answer.")

    run(main())


def spent() -> Fault:
    return FailedResponse(turn=1, at=State.THINKING, code="insufficient_quota")


def test_what_a_spent_quota_leaves_unanswered_the_next_provider_answers() -> None:
    async def main() -> None:
        failing, standing_by = emulator_of(OPENAI, faults=[spent()]), emulator_of(GEMINI)
        async with failing, standing_by:
            route = [Endpoint(spec=GEMINI, base_url=standing_by.url, api_key="other")]
            async with calling(OPENAI, failing, route=route) as caller:
                await caller.say()
                continued = await caller.until(SessionContinued)
                assert continued.why is Handover.FAILOVER
                assert caller.of(LineLost)[0].code == "insufficient_quota"
                await caller.until_answered()
                assert caller.words.strip() == LONG
                assert len(caller.of(UserTurnCommitted)) == 1
                assert len(failing.sessions) == 1

    run(main())


def test_an_answer_that_a_spent_quota_broke_off_has_failed() -> None:
    async def main() -> None:
        fault = FailedResponse(at=State.SPEAKING, after_ms=400, code="insufficient_quota")
        failing, standing_by = emulator_of(OPENAI, faults=[fault]), emulator_of(GEMINI)
        async with failing, standing_by:
            route = [Endpoint(spec=GEMINI, base_url=standing_by.url, api_key="other")]
            async with calling(OPENAI, failing, route=route) as caller:
                await caller.say()
                await caller.until(SessionContinued)
                assert caller.of(ResponseDone)[0].status is ResponseStatus.FAILED
                await caller.say()
                await caller.until_answered()

    run(main())


def test_a_spent_quota_ends_a_session_that_has_no_other_provider() -> None:
    async def main() -> None:
        failing = emulator_of(OPENAI, faults=[spent()])
        async with failing, calling(OPENAI, failing) as caller:
            with suppress(ProviderFault):
                await caller.say()
            with pytest.raises(ProviderFault, match="quota"):
                await caller.until(SessionContinued)
            assert [done.status for done in caller.of(ResponseDone)] == [ResponseStatus.FAILED]
            assert len(failing.sessions) == 1

    run(main())


def test_telephone_sound_goes_along() -> None:
    async def main() -> None:
        failing = emulator_of(OPENAI, faults=[Reset(after_ms=200), RefuseKey(session=2)])
        standing_by = emulator_of(GEMINI)
        async with failing, standing_by:
            pcm = {"encoding": Encoding.PCM}
            route = [Endpoint(spec=GEMINI, base_url=standing_by.url, api_key="k", changes=pcm)]
            config = SessionConfig(encoding=Encoding.ULAW)
            async with calling(OPENAI, failing, config, route=route) as caller:
                session = caller.session
                assert session.input_rate_hz == 8000
                await caller.until(SessionContinued)
                caller.session.send_audio_nowait(bytes(range(0, 128)) * 40)
                for _ in range(60):
                    session.send_audio_nowait(b"\xff" * 160)
                    await asyncio.sleep(0.02)
                await caller.until_answered()
                assert caller.words.strip() == LONG
                assert caller.of(AudioChunk)
                last = standing_by.sessions[-1]
                assert last.user_audio is not None

    run(main())


def test_a_route_that_cannot_be_what_is_asked_is_refused_before_anything_is_sent() -> None:
    config = SessionConfig(encoding=Encoding.ULAW)
    route = [Endpoint(spec=GEMINI, api_key="k")]
    with pytest.raises(SettingsError, match=r"gemini.*route.*changes"):
        connect(OPENAI, config, api_key="k", route=route)
    with pytest.raises(SettingsError, match="outlives"):
        connect(OPENAI, api_key="k", route=route, continuity=None)


def test_the_first_that_serves_is_taken_at_the_beginning() -> None:
    async def main() -> None:
        failing = emulator_of(OPENAI, faults=[RefuseHandshake(session=1)])
        standing_by = emulator_of(GEMINI)
        async with failing, standing_by:
            route = [Endpoint(spec=GEMINI, base_url=standing_by.url, api_key="k")]
            async with calling(OPENAI, failing, route=route) as caller:
                await caller.say()
                await caller.until_answered()
                assert caller.session.serving.provider == GEMINI

    run(main())
