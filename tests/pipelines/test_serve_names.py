"""Whose a call is: neither its name nor an old token gives it to anybody."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crossfade.conversation.store import CallStore, open_store
from crossfade.conversation.store_records import CallStatus, StoredCall
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost
from crossfade.pipelines import serve_call
from crossfade.transports.websocket_client import CallClient, Retry
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run
from tests.pipelines.serving import Caller, question, scripted, serving


def client(caller: Caller, *urls: str, **options: Any) -> CallClient:
    return CallClient(list(urls), on_sound=caller.hear, on_message=caller.note, **options)


async def kept(store: str) -> StoredCall:
    async with await open_store(store) as opened:
        found = await opened.load_call("room-12", started_at_s=0.0)
    assert found is not None
    return found


@pytest.mark.parametrize("how", ["ended", "handed over", "served elsewhere"])
def test_a_call_is_not_had_by_its_name(tmp_path: Path, how: str) -> None:
    async def scenario() -> None:
        store, caller, thief = str(tmp_path / "calls.db"), Caller(), Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store, drain_s=0) as here,
            serving(tmp_path, emulator, store=store) as there,
            client(caller, here.url, call_id="room-12") as c,
        ):
            await c.attached()
            c.speak(question())
            await caller.hears_sound()
            await asyncio.sleep(1)
            if how == "ended":
                await c.hang_up()
            elif how == "handed over":
                await here.terminate()
            before, sessions = await kept(store), len(emulator.sessions)
            assert before.entries
            async with client(thief, there.url, call_id="room-12") as t:
                with pytest.raises(ConnectionLost, match="token is needed") as lost:
                    await t.over()
            assert lost.value.close_code == CloseCode.REFUSED
            assert t.token is None
            assert len(emulator.sessions) == sessions
            after = await kept(store)
            assert after.status is (CallStatus.ENDED if how == "ended" else CallStatus.RUNNING)
            assert after.entries[0] == before.entries[0]
            assert after.started_at == before.started_at
            if how == "handed over":
                async with client(Caller(), there.url, token=c.token) as owner:
                    await owner.attached()
                    assert owner.call_id == "room-12"

    run(scenario())


def test_a_store_that_does_not_answer_gives_no_name_and_the_client_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, slow = CallStore.begin, [True]

    async def slowly(store: CallStore, *args: Any) -> bool:
        if slow:
            slow.clear()
            # It is made in the end, when nobody waits for it any more.
            await asyncio.sleep(2.1)
        return await begin(store, *args)

    monkeypatch.setattr(CallStore, "begin", slowly)

    async def scenario() -> None:
        store, caller = str(tmp_path / "calls.db"), Caller()
        retry = Retry(first_delay_s=1.0)
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as server,
            client(caller, server.url, call_id="room-12", retry=Retry(give_up_s=0.1)) as hasty,
        ):
            with pytest.raises(ConnectionLost, match="store does not answer") as lost:
                await hasty.over()
            assert lost.value.close_code == CloseCode.TAKEN
            assert hasty.token is None
            assert not emulator.sessions
            await asyncio.sleep(0.5)
            async with client(Caller(), server.url, call_id="room-12", retry=retry) as again:
                await again.attached()
                assert again.token is not None
                await again.hang_up()
        assert (await kept(store)).status is CallStatus.ENDED

    run(scenario())


def test_the_name_of_a_call_that_the_provider_refuses_is_free_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        store, once = str(tmp_path / "calls.db"), Retry(give_up_s=0.1)
        async with OpenAIEmulator(scripted(tmp_path)) as emulator:
            async with (
                serving(tmp_path, emulator, store=store, voice="no such voice") as bad,
                client(Caller(), bad.url, call_id="room-12", retry=once) as c,
            ):
                with pytest.raises(ConnectionLost, match="voice"):
                    await c.over()
            async with (
                serving(tmp_path, emulator, store=store) as good,
                client(Caller(), good.url, call_id="room-12") as c,
            ):
                await c.attached()
                await c.hang_up()

    run(scenario())


def test_a_call_can_be_resumed_however_long_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_call, "LIFETIME_S", 10.0)

    async def scenario() -> None:
        store, caller = str(tmp_path / "calls.db"), Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store, drain_s=0) as here,
            serving(tmp_path, emulator, store=store) as there,
            client(caller, here.url, there.url) as c,
        ):
            await c.attached()
            first = c.token
            await asyncio.sleep(17)
            assert [m["token_lifetime_s"] for m in caller.of("token")] == [10.0] * 3
            assert c.token == caller.of("token")[-1]["token"]
            # To the same server, and then to another.
            c.cut_line()
            await asyncio.sleep(0.5)
            assert c.attachments == 2
            await asyncio.sleep(12)
            await here.terminate()
            await asyncio.sleep(1)
            assert (c.attached_to, c.close_code) == (there.url, None)
            async with client(Caller(), there.url, token=first) as late:
                with pytest.raises(ConnectionLost, match="expired"):
                    await late.over()
            await c.hang_up()

    run(scenario())
