"""Whose a call is: neither its name nor an old token gives it to anybody."""

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from crossfade.conversation import store as store_module
from crossfade.conversation.store import CallStore, open_store
from crossfade.conversation.store_records import CallStatus, NewCall, StoredCall
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import ConnectionLost, StoreUnavailable
from crossfade.pipelines import serve_call, serve_calls
from crossfade.pipelines.takeover_state import UNBORN
from crossfade.transports.websocket_client import CallClient, Retry
from crossfade.transports.websocket_messages import CloseCode
from tests.clock import run
from tests.pipelines.serving import Caller, question, scripted, serving, until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_call, "UNBORN_S", 1.0)


def client(caller: Caller, *urls: str, **options: Any) -> CallClient:
    return CallClient(list(urls), on_sound=caller.hear, on_message=caller.note, **options)


async def kept(store: str) -> StoredCall:
    async with await open_store(store) as opened:
        found = await opened.load_call("room-12", started_at_s=0.0)
    assert found is not None
    return found


async def has_ended(store: str) -> bool:
    return (await kept(store)).status is CallStatus.ENDED


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
                await until(lambda: has_ended(store))
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

    async def slowly(store: CallStore, *args: Any, **options: Any) -> bool:
        if slow:
            slow.clear()
            # It is made in the end, when nobody waits for it any more.
            await asyncio.sleep(2.1)
        return await begin(store, *args, **options)

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
        store = str(tmp_path / "calls.db")
        async with OpenAIEmulator(scripted(tmp_path)) as emulator:
            async with (
                serving(tmp_path, emulator, store=store, voice="no such voice") as bad,
                client(Caller(), bad.url, call_id="room-12") as c,
            ):
                with pytest.raises(ConnectionLost, match="service refuses the call"):
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
            assert [m["token_lifetime_s"] for m in caller.of("token")][:2] == [10.0] * 2
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


async def hello_and_gone(url: str, name: str) -> None:
    """A client whose line dies before it is told its token."""
    async with connect(url, proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", "call_id": name}))
        socket.transport.abort()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_name_whose_client_went_before_it_had_its_token_is_free_again(
    tmp_path: Path, elsewhere: bool
) -> None:
    async def scenario() -> None:
        store, caller = str(tmp_path / "calls.db"), Caller()
        loop = asyncio.get_running_loop()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as here,
            serving(tmp_path, emulator, store=store) as there,
        ):
            await hello_and_gone(here.url, "room-12")
            await asyncio.sleep(0.5)
            again_s = loop.time()
            url = there.url if elsewhere else here.url
            async with client(caller, url, call_id="room-12") as c:
                await c.attached()
                assert loop.time() - again_s < serve_call.UNBORN_S + 3
                await asyncio.sleep(serve_call.UNBORN_S + 1)
                assert c.attachments == 1
                async with client(Caller(), url, call_id="room-12") as thief:
                    with pytest.raises(ConnectionLost, match="token is needed"):
                        await thief.over()
                await c.hang_up()
        assert (await kept(store)).status is CallStatus.ENDED

    run(scenario())


def test_the_name_of_a_call_whose_server_died_before_anybody_was_in_it_is_free_again(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        unborn = NewCall(id="room-12", spec="openai:m", started_at=time.time(), state=UNBORN)
        async with await open_store(store) as opened:
            assert await opened.begin(unborn, "a server that is dead", 1.5)
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as server,
            client(Caller(), server.url, call_id="room-12") as c,
        ):
            await c.attached()
            await c.hang_up()

    # The lease is the database's, in real time.
    asyncio.run(scenario())


def test_who_was_told_its_token_and_said_no_word_yet_may_come_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as server,
        ):
            async with connect(server.url, proxy=None) as socket:
                await socket.send(json.dumps({"type": "hello", "call_id": "room-12"}))
                ready = json.loads(await socket.recv())
                socket.transport.abort()
            await asyncio.sleep(0.5)
            async with client(Caller(), server.url, token=ready["token"]) as c:
                await c.attached()
                await asyncio.sleep(serve_call.UNBORN_S + 2)
                assert c.attachments == 1
                await c.hang_up()
            assert len(emulator.sessions) == 1

    run(scenario())


def test_a_token_of_a_deleted_call_opens_no_later_one_of_its_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        store, caller = str(tmp_path / "calls.db"), Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as here,
            serving(tmp_path, emulator, store=store) as there,
        ):
            async with client(Caller(), here.url, call_id="room-12") as first:
                await first.attached()
                await asyncio.sleep(1)
                await first.hang_up()
            await asyncio.sleep(1)
            async with await open_store(store) as opened:
                assert await opened.delete(["room-12"]) == 1
            async with client(caller, here.url, call_id="room-12") as second:
                await second.attached()
                await asyncio.sleep(0.5)
                for url in (here.url, there.url):
                    async with client(Caller(), url, token=first.token) as late:
                        with pytest.raises(ConnectionLost) as lost:
                            await late.over()
                    assert lost.value.close_code == CloseCode.UNKNOWN
                await asyncio.sleep(2)
                assert second.attachments == 1
                await second.hang_up()

    run(scenario())


def test_while_the_store_is_down_a_token_is_good_for_its_server_and_no_other_ends_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, down = CallStore.write, [True]

    async def failing(store: CallStore, *args: Any, **options: Any) -> Any:
        if down:
            raise StoreUnavailable("the disk is full")
        return await write(store, *args, **options)

    monkeypatch.setattr(CallStore, "write", failing)

    async def scenario() -> None:
        store, caller = str(tmp_path / "calls.db"), Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as here,
            serving(tmp_path, emulator, store=store) as there,
            client(caller, here.url) as c,
        ):
            await c.attached()
            assert caller.of("ready")[0]["kept"] is False
            first, once = c.token, Retry(give_up_s=0.1)
            async with client(Caller(), there.url, token=first, retry=once) as lost:
                with pytest.raises(ConnectionLost, match="only the server") as told:
                    await lost.over()
                assert told.value.close_code == CloseCode.TAKEN
            c.cut_line()
            await asyncio.sleep(1)
            assert c.attachments == 2
            down.clear()
            await asyncio.sleep(10)
            assert [m["kept"] for m in caller.of("token")] == [True]
            async with client(Caller(), there.url, token=c.token) as other:
                await other.attached()
                assert other.call_id == c.call_id
                await other.hang_up()

    run(scenario())


@pytest.mark.parametrize("off_s", [-1800.0, 1800.0])
def test_a_server_whose_clock_is_off_goes_on_with_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off_s: float
) -> None:
    class Off:
        @staticmethod
        def time() -> float:
            return time.time() + off_s

    async def scenario() -> None:
        store, caller = str(tmp_path / "calls.db"), Caller()
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store, drain_s=0) as here,
            serving(tmp_path, emulator, store=store) as there,
            client(caller, here.url, there.url) as c,
        ):
            await c.attached()
            c.speak(question())
            begun_s = await caller.hears_sound()
            await asyncio.sleep(0.5)
            for module in (store_module, serve_call, serve_calls):
                monkeypatch.setattr(module, "time", Off)
            await here.terminate()
            assert c.attached_to != here.url
            await caller.hears_sound(begun_s + 1.5)
            assert c.attached_to == there.url
            await asyncio.sleep(3)
            c.cut_line()
            await asyncio.sleep(1)
            assert (c.attachments, c.attached_to) == (3, there.url)
            await c.hang_up()

    run(scenario())


def test_of_many_with_one_token_at_two_servers_one_has_the_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = str(tmp_path / "calls.db")
        async with (
            OpenAIEmulator(scripted(tmp_path)) as emulator,
            serving(tmp_path, emulator, store=store) as here,
            serving(tmp_path, emulator, store=store) as there,
            client(Caller(), here.url) as first,
            contextlib.AsyncExitStack() as stack,
        ):
            await first.attached()
            await asyncio.sleep(0.5)
            devices = [client(Caller(), url, token=first.token) for url in (here.url, there.url)]
            devices += [client(Caller(), url, token=first.token) for url in (there.url, here.url)]
            for device in devices:
                await stack.enter_async_context(device)
            await asyncio.sleep(5)
            everybody = [first, *devices]
            assert [one.attached_to is not None for one in everybody].count(True) == 1
            gone = [one.close_code for one in everybody if one.attached_to is None]
            assert set(gone) <= {CloseCode.REPLACED, CloseCode.REFUSED}
            async with await open_store(store) as opened:
                assert first.call_id is not None
                assert await opened.holder(first.call_id) is not None

    run(scenario())
