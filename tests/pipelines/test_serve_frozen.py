"""A server that was stopped, and goes on: it says nothing in a call that is another's by now."""

import asyncio
import functools
from pathlib import Path

import pytest

from crossfade.conversation.store import open_store
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost
from crossfade.pipelines import serve_store
from crossfade.pipelines.serve_wake import Wakefulness
from crossfade.transports.websocket_client import CallClient
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run
from tests.pipelines.serving import STORY, Caller, question, scripted, serving


class Uptime:
    """Goes on with the loop, and while the process is stopped."""

    slept_s = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.slept_s


@pytest.fixture
def uptime(monkeypatch: pytest.MonkeyPatch) -> Uptime:
    clock = Uptime()
    monkeypatch.setattr(serve_store, "Wakefulness", functools.partial(Wakefulness, clock=clock))
    return clock


def test_what_another_process_took_meanwhile_is_not_spoken_in(
    tmp_path: Path, uptime: Uptime
) -> None:
    async def scenario() -> None:
        store, caller = str(tmp_path / "calls.db"), Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as server,
            await open_store(store) as opened,
            CallClient([server.url], on_sound=caller.hear, on_message=caller.note) as c,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            await asyncio.sleep(0.5)
            assert c.call_id is not None
            assert await opened.take(c.call_id, "another", 60) is not None
            arrived = c.speaker.heard.samples + len(c.speaker._waiting) // 2
            uptime.slept_s = 30.0
            with pytest.raises(ConnectionLost) as lost:
                await c.over()
            assert lost.value.close_code == CloseCode.REPLACED
            assert c.speaker.heard.samples + len(c.speaker._waiting) // 2 == arrived

    run(scenario())


def test_what_is_still_its_own_goes_on_where_it_was(tmp_path: Path, uptime: Uptime) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        heard = []
        for slept_s in (0.0, 30.0):
            caller = Caller()
            async with (
                OpenAIEmulator(scripted(tmp_path)) as emulator,
                serving(tmp_path, emulator, store=store) as server,
                CallClient([server.url], on_sound=caller.hear, on_message=caller.note) as c,
            ):
                await c.attached()
                c.speak(question())
                await caller.hears_sound()
                await asyncio.sleep(0.5)
                uptime.slept_s += slept_s
                await asyncio.sleep(6)
                assert caller.words.strip() == STORY
                assert c.attachments == 1
                heard.append(b"".join(pcm for _, pcm in caller.sounds))
                await c.hang_up()
        assert heard[0] == heard[1]

    run(scenario())


def test_who_comes_to_a_server_that_slept_waits_until_that_knows_whose_the_call_is(
    tmp_path: Path, uptime: Uptime
) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as here,
            serving(tmp_path, emulator, store=store) as there,
            CallClient([here.url]) as first,
        ):
            await first.attached()
            await asyncio.sleep(0.5)
            async with CallClient([there.url], token=first.token) as second:
                await second.attached()
                # Here nobody has looked at the store since; a client that is sent from there
                # finds the call all the same.
                uptime.slept_s = 30.0
                token = second.token
                async with CallClient([here.url], token=token) as third:
                    await third.attached()
                    await asyncio.sleep(2)
                    assert third.attachments == 1
                    assert second.close_code == CloseCode.REPLACED
                    await third.hang_up()
                with pytest.raises(ConnectionLost):
                    await second.over()
            with pytest.raises(ConnectionLost):
                await first.over()

    run(scenario())
