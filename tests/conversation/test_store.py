"""What the store keeps, gives back and forgets, in each database."""

import asyncio
import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from crossfade.conversation.heard import WordTiming
from crossfade.conversation.store import CallStore, open_store
from crossfade.conversation.store_entries import entry_of, entry_row
from crossfade.conversation.store_records import (
    AudioChange,
    CallChanges,
    CallStatus,
    LeftOut,
    StoredHandle,
)
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import (
    AgentItem,
    AgentTurn,
    Entry,
    Summary,
    ToolRound,
    UserImage,
    UserTurn,
)
from crossfade.errors import SettingsError, StoreError, StoreUnavailable

from .stores import KINDS, STARTED_AT, call, empty_database, in_store, order

# Odd on purpose: PostgreSQL has no zero character, and neither has half a surrogate pair.
ODD = "zero \0, half \ud800, whole 👋"
ENTRIES: tuple[Entry, ...] = (
    UserTurn(started_at_s=100.0, stopped_at_s=101.5, item_id="i1", text=ODD, final=True),
    UserImage(image_id="p1", shown_at_s=102.0, media_type="image/png", sha256="ab", size_bytes=9),
    ToolRound(
        call=ToolCall(id="c1", name="look", arguments={"at": [1, {"deep": None}]}),
        called_at_s=103.0,
        result=ToolResult(call_id="c1", output={"seen": ODD}),
        answered_at_s=104.0,
    ),
    AgentTurn(
        response_id="r1",
        started_at_s=105.0,
        items=(
            AgentItem(
                item_id="a1",
                text="I see.",
                played_ms=300.0,
                received_ms=500.0,
                timings=(WordTiming(end_character=1, end_ms=100.0),),
            ),
        ),
        status="completed",
    ),
    Summary(text="They looked.", upto=2, made_at_s=106.0),
)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_database(request.param, tmp_path) as found:
        yield found


def rows(entries: tuple[Entry, ...] = ENTRIES) -> tuple[Any, ...]:
    return tuple(entry_row(position, entry, 100.0) for position, entry in enumerate(entries))


def began(name: str = "a", **fields: Any) -> CallChanges:
    return CallChanges(call_id=name, began=call(name), **fields)


def speaking(part: int, chunk: bytes, *, anew: bool = False) -> CallChanges:
    return CallChanges(call_id="a", audio=AudioChange(anew=anew, part=part, chunk=chunk))


def test_a_call_comes_back_as_it_was(url: str) -> None:
    handle = StoredHandle(spec="gemini:m", value="h1")
    config = {"instructions": ODD, "voice": None}

    async def main(store: CallStore) -> None:
        new = call(config=config, audio_rate_hz=24000)
        changes = CallChanges(
            call_id="a", began=new, entries=rows(), handle=handle, state='{"heard_ms": 20}'
        )
        await store.write([changes])
        stored = await store.load_call("a", started_at_s=100.0)
        assert stored is not None
        assert stored.entries == ENTRIES
        assert stored.state == '{"heard_ms": 20}'
        assert (stored.spec, stored.config, stored.handle) == ("openai:m", config, handle)
        assert (stored.started_at, stored.audio_rate_hz) == (STARTED_AT, 24000)
        assert (stored.status, stored.ended_at) == (CallStatus.RUNNING, None)
        assert await store.load_call("b") is None

    in_store(url, main)


def test_the_newest_state_of_an_entry_is_kept(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began(entries=rows())])
        later = UserTurn(started_at_s=100.0, text="later", final=True)
        await store.write([CallChanges(call_id="a", entries=(entry_row(0, later, 100.0),))])
        stored = await store.load_call("a", started_at_s=100.0)
        assert stored is not None
        assert stored.entries == (later, *ENTRIES[1:])

    in_store(url, main)


def test_times_are_told_on_the_clock_of_the_process_that_loads(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began(entries=rows())])
        stored = await store.load_call("a", started_at_s=7.0)
        assert stored is not None
        (first, *_) = stored.entries
        assert isinstance(first, UserTurn)
        assert first.started_at_s == 7.0
        own = await store.load_call("a")
        assert own is not None
        # It began in 2023.
        assert own.started_at_s < asyncio.get_running_loop().time() - 86_400

    in_store(url, main)


def test_tool_calls_can_be_queried(url: str) -> None:
    in_store(url, lambda store: store.write([began(entries=rows())]))
    found = asyncio.run(
        order(url, "SELECT name, called_at_s, answered_at_s, is_error FROM crossfade_tool_calls")
    )
    assert [tuple(row) for row in found] == [("look", 3.0, 4.0, False)]


def test_unfinished_audio_grows_and_goes(url: str) -> None:
    async def unfinished(store: CallStore) -> bytes:
        stored = await store.load_call("a")
        assert stored is not None
        return stored.unfinished

    async def main(store: CallStore) -> None:
        await store.write([began(audio=AudioChange(anew=True, part=0, chunk=b"ab"))])
        await store.write([speaking(1, b"cd")])
        assert await unfinished(store) == b"abcd"
        await store.write([speaking(2, b"ef", anew=True)])
        stored = await store.load_call("a")
        assert stored is not None
        assert (stored.unfinished, stored.unfinished_part) == (b"ef", 3)
        await store.write([speaking(3, b"", anew=True)])
        assert await unfinished(store) == b""

    in_store(url, main)


def test_the_end_of_a_call_leaves_neither_audio_nor_handle(url: str) -> None:
    async def main(store: CallStore) -> None:
        handle = StoredHandle(spec="gemini:m", value="h1")
        audio = AudioChange(anew=True, part=0, chunk=b"ab")
        await store.write([began(audio=audio, handle=handle)], owner="me")
        end = CallChanges(call_id="a", ended=CallStatus.ENDED, ended_at=STARTED_AT + 60)
        await store.write([end], owner="me")
        stored = await store.load_call("a")
        assert stored is not None
        assert (stored.unfinished, stored.handle) == (b"", None)
        assert (stored.status, stored.ended_at) == (CallStatus.ENDED, STARTED_AT + 60)
        assert await store.holder("a") is None

    in_store(url, main)


def test_a_handle_that_does_not_hold_any_more_is_forgotten(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began(handle=StoredHandle(spec="gemini:m", value="h1"))])
        await store.write([CallChanges(call_id="a", forget_handle=True)])
        stored = await store.load_call("a")
        assert stored is not None
        assert stored.handle is None

    in_store(url, main)


def test_a_batch_is_written_whole_or_not_at_all(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began("a")])
        broken = AudioChange(anew=False, part=2**70, chunk=b"ab")
        with pytest.raises((StoreError, OverflowError)) as told:
            await store.write(
                [
                    CallChanges(call_id="a", entries=rows()),
                    CallChanges(call_id="b", began=call("b"), audio=broken),
                ]
            )
        # It would not help to try again.
        assert not isinstance(told.value, StoreUnavailable)
        assert [(one.id, one.entries) for one in await store.calls()] == [("a", 0)]

    in_store(url, main)


def test_many_calls_and_entries_are_written_at_once(url: str) -> None:
    async def main(store: CallStore) -> None:
        many = tuple(UserTurn(started_at_s=100.0 + n) for n in range(150))
        await store.write([began(f"c{n}", entries=rows(many)) for n in range(3)])
        assert [one.entries for one in await store.calls()] == [150, 150, 150]
        assert len(await store.calls(limit=2)) == 2

    in_store(url, main)


def test_a_lease_has_one_holder(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began()])
        assert await store.acquire("none", "me", 60) is None
        got = await asyncio.gather(*(store.acquire("a", f"p{n}", 60) for n in range(8)))
        (lease,) = [one for one in got if one is not None]
        held = await store.holder("a")
        assert held == lease
        other = "other" if lease.owner != "other" else "another"
        assert await store.acquire("a", other, 60) is None
        again = await store.acquire("a", lease.owner, 120)
        assert again is not None
        assert again.until > lease.until
        assert await store.renew(["a"], other, 60) == frozenset()
        assert not await store.release("a", other)
        assert await store.release("a", lease.owner)
        assert await store.acquire("a", other, 60) is not None

    in_store(url, main)


def test_a_lease_that_ran_out_is_anybodys(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began()], owner="dead", lease_s=0)
        assert await store.holder("a") is None
        assert await store.abandoned() == ("a",)
        # Nobody has taken it: a process that was slow goes on.
        assert await store.renew(["a"], "dead", 0) == {"a"}
        lease = await store.acquire("a", "heir", 60)
        assert lease is not None
        assert await store.renew(["a"], "dead", 60) == frozenset()
        assert await store.abandoned() == ()
        assert [one.owner for one in await store.calls()] == ["heir"]

    in_store(url, main)


def test_who_lost_the_lease_writes_no_more(url: str) -> None:
    async def main(store: CallStore) -> None:
        assert await store.write([began("a"), began("b")], owner="old") == {}
        assert await store.take("a", "new", 60) is not None
        late = [CallChanges(call_id=name, entries=rows()) for name in "ab"]
        assert await store.write(late, owner="old") == {"a": LeftOut.TAKEN}
        assert {one.id: one.entries for one in await store.calls()} == {"a": 0, "b": len(ENTRIES)}
        assert await store.write(late[:1], owner="new") == {}

    in_store(url, main)


def test_a_name_is_given_once(url: str) -> None:
    async def main(store: CallStore) -> None:
        made = await asyncio.gather(*(store.begin(call(), f"server {n}", 60) for n in range(4)))
        assert sorted(made) == [False, False, False, True]
        first = f"server {made.index(True)}"
        held = await store.holder("a")
        assert held is not None
        assert held.owner == first
        # Neither a lease that was given back nor an end makes it anybody else's.
        await store.release("a", first)
        assert not await store.begin(call(spec="openai:other"), "thief", 60)
        other = began(entries=rows(ENTRIES[:1]))
        assert await store.write([other], owner="thief") == {"a": LeftOut.TAKEN}
        assert await store.holder("a") is None
        end = CallChanges(call_id="a", ended=CallStatus.ENDED, ended_at=STARTED_AT)
        await store.write([end])
        assert not await store.begin(call(), first, 60)
        assert await store.write([other], owner="thief") == {"a": LeftOut.TAKEN}
        stored = await store.load_call("a")
        assert stored is not None
        assert (stored.spec, stored.status) == ("openai:m", CallStatus.ENDED)
        assert stored.entries == ()

    in_store(url, main)


def test_a_call_that_begins_may_be_written_again(url: str) -> None:
    async def main(store: CallStore) -> None:
        for _ in range(2):
            # Its writer was not told that it succeeded.
            assert await store.write([began(entries=rows())], owner="me") == {}
        assert [one.entries for one in await store.calls()] == [len(ENTRIES)]

    in_store(url, main)


def test_a_name_that_is_withdrawn_is_free(url: str) -> None:
    async def main(store: CallStore) -> None:
        assert await store.begin(call(), "me", 60)
        assert not await store.withdraw("a", "other")
        assert await store.withdraw("a", "me")
        assert not await store.withdraw("a", "me")
        assert await store.begin(call(), "other", 60)

    in_store(url, main)


def test_a_call_that_is_handed_over_runs_on_without_a_lease(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began()], owner="old")
        await store.write([CallChanges(call_id="a", entries=rows(), free=True)], owner="old")
        assert await store.abandoned() == ("a",)
        assert await store.acquire("a", "new", 60) is not None

    in_store(url, main)


def test_a_deleted_call_stays_deleted_while_it_runs(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began()], owner="me")
        assert await store.delete(["a", "none"]) == 1
        late = CallChanges(call_id="a", entries=rows())
        assert await store.write([late], owner="me") == {"a": LeftOut.DELETED}
        assert await store.write([late]) == {"a": LeftOut.DELETED}
        assert await store.calls() == ()

    in_store(url, main)


def test_calls_that_nobody_serves_are_ended_as_failed_after_a_while(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began("lost", audio=AudioChange(anew=True, part=0, chunk=b"ab"))])
        await store.write([began("served")], owner="me", lease_s=60)
        await store.write([began("over", ended=CallStatus.ENDED, ended_at=STARTED_AT)])
        assert await store.end_abandoned(60) == ()
        assert await store.abandoned() == ("lost",)
        assert await store.end_abandoned(-1) == ("lost",)
        assert await store.end_abandoned(-1) == ()
        lost = await store.load_call("lost")
        assert lost is not None
        assert (lost.status, lost.unfinished) == (CallStatus.FAILED, b"")
        assert lost.ended_at is not None
        statuses = {one.id: one.status for one in await store.calls()}
        assert statuses["served"] is CallStatus.RUNNING
        assert statuses["over"] is CallStatus.ENDED

    in_store(url, main)


def test_who_takes_an_abandoned_call_has_it_or_finds_it_ended(url: str) -> None:
    async def main(store: CallStore) -> None:
        names = [f"call-{number}" for number in range(20)]
        await store.write([began(name) for name in names])

        async def taken(name: str) -> bool:
            await store.take(name, "me", 60)
            found = await store.load_call(name)
            return found is not None and found.status is CallStatus.RUNNING

        *took, ended = await asyncio.gather(*map(taken, names), store.end_abandoned(-1))
        has = {name for name, mine in zip(names, took, strict=True) if mine}
        running = {one.id for one in await store.calls(status=CallStatus.RUNNING)}
        assert isinstance(ended, tuple)
        assert has == running == set(names) - set(ended)

    in_store(url, main)


def test_a_call_that_goes_on_with_another_model_has_its_name_and_rate(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began()])
        other = call(spec="gemini:m", audio_rate_hz=16000, started_at=0.0)
        await store.write([CallChanges(call_id="a", changed=other)])
        stored = await store.load_call("a")
        assert stored is not None
        assert (stored.spec, stored.audio_rate_hz) == ("gemini:m", 16000)
        assert stored.started_at == STARTED_AT

    in_store(url, main)


def test_retention_deletes_what_is_old_and_not_served(url: str) -> None:
    async def main(store: CallStore) -> None:
        ended = {"ended": CallStatus.ENDED, "ended_at": STARTED_AT}
        await store.write([began("old", **ended), began("crashed")])
        await store.write([began("served")], owner="me", lease_s=60)
        assert await store.delete_older(3600) == 1
        assert {one.id for one in await store.calls()} == {"crashed", "served"}
        assert await store.delete_older(-1) == 1
        assert {one.id for one in await store.calls()} == {"served"}

    in_store(url, main)


def test_deleted_words_and_audio_are_not_in_the_files(tmp_path: Path) -> None:
    secret, sound = "the code is mellon", b"\x07\x13sound that nobody may keep\x07" * 99
    path = tmp_path / "calls.db"

    def kept(what: bytes) -> bool:
        return any(what in file.read_bytes() for file in tmp_path.iterdir())

    async def main(store: CallStore) -> None:
        said = (UserTurn(started_at_s=100.0, text=secret),)
        audio = AudioChange(anew=True, part=0, chunk=sound)
        await store.write([began(entries=rows(said), audio=audio)])
        assert kept(secret.encode())
        assert kept(sound[:64])
        await store.write([speaking(1, b"", anew=True)])
        await store.forget_audio()
        assert not kept(sound[:64])
        await store.delete(["a"])
        assert not kept(secret.encode())

    in_store(str(path), main)


def test_words_that_another_program_keeps_in_the_log_are_told(tmp_path: Path) -> None:
    secret = b"the code is mellon"
    path = tmp_path / "calls.db"

    def kept() -> bool:
        return any(secret in file.read_bytes() for file in tmp_path.iterdir())

    async def main(store: CallStore) -> None:
        await store.write(
            [began(entries=rows((UserTurn(started_at_s=1.0, text=secret.decode()),)))]
        )
        with contextlib.closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM crossfade_entries").fetchall()
            deleting = asyncio.create_task(store.delete(["a"]))
            await asyncio.sleep(0.3)
            # Who waits for the reader does not keep others from writing for long.
            async with asyncio.timeout(1.0):
                await store.write([began("b")])
            with pytest.raises(StoreUnavailable, match="log"):
                await store.forget_audio()
        assert await deleting == 1
        assert not kept()

    in_store(str(path), main)


def test_a_deletion_that_leaves_words_in_the_log_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossfade.conversation.store._FORGETTING", 2)
    path = tmp_path / "calls.db"

    async def main(store: CallStore) -> None:
        await store.write([began()])
        with contextlib.closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM crossfade_calls").fetchall()
            with pytest.raises(StoreUnavailable, match="still in the log"):
                await store.delete(["a"])
        assert await store.calls() == ()

    in_store(str(path), main)


def test_a_new_file_is_this_users_alone(tmp_path: Path) -> None:
    in_store(str(tmp_path / "new" / "calls.db"), lambda store: store.write([began()]))
    assert stat.S_IMODE((tmp_path / "new" / "calls.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_two_processes_may_open_a_new_store_at_once(url: str) -> None:
    async def main() -> None:
        stores = await asyncio.gather(open_store(url), open_store(url), open_store(url))
        for store in stores:
            assert await store.calls() == ()
            await store.close()

    asyncio.run(main())


def test_tables_of_a_newer_version_are_left_alone(url: str) -> None:
    in_store(url, lambda store: store.calls())
    asyncio.run(order(url, "UPDATE crossfade_revision SET version_num = '9999'"))
    with pytest.raises(StoreError, match="9999"):
        in_store(url, lambda store: store.calls())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("mysql://u@127.0.0.1/x", "mysql"),
        ("sqlite://", "outlive"),
        ("postgresql://127.0.0.1:port/x", "URL"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(wrong: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        asyncio.run(open_store(wrong))


def test_a_server_that_does_not_answer_is_told_without_its_password() -> None:
    pytest.importorskip("asyncpg")
    with pytest.raises(StoreUnavailable) as told:
        asyncio.run(open_store("postgresql://u:mellon@127.0.0.1:1/x"))
    assert "mellon" not in str(told.value)


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        asyncio.run(open_store(str(tmp_path / "file" / "calls.db")))


def test_a_store_that_is_down_when_it_is_opened_serves_later(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "place").write_text("")
        async with await open_store(str(tmp_path / "place" / "calls.db"), now=False) as store:
            with pytest.raises(StoreUnavailable):
                await store.write([began()])
            (tmp_path / "place").unlink()
            await store.write([began()])
            assert [one.id for one in await store.calls()] == ["a"]

    asyncio.run(main())


@pytest.mark.parametrize("url", KINDS[1:], indirect=True)
def test_connections_that_the_server_ended_are_made_anew(url: str) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began()])
        await order(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert [one.id for one in await store.calls()] == ["a"]

    in_store(url, main)


def test_a_full_disk_is_told_and_passes(tmp_path: Path) -> None:
    async def main(store: CallStore) -> None:
        await store.write([began()])
        await store._database.at_once(lambda s: s.execute(sql("PRAGMA max_page_count = 1")))
        many = rows(tuple(UserTurn(started_at_s=100.0, text="x" * 5000) for _ in range(200)))
        with pytest.raises(StoreUnavailable, match="full"):
            await store.write([CallChanges(call_id="a", entries=many)])
        assert [one.entries for one in await store.calls()] == [0]
        await store._database.at_once(lambda s: s.execute(sql("PRAGMA max_page_count = 100000")))
        await store.write([CallChanges(call_id="a", entries=many)])
        assert [one.entries for one in await store.calls()] == [200]

    in_store(str(tmp_path / "calls.db"), main)


@settings(suppress_health_check=[HealthCheck.differing_executors])
@given(text=st.text(), at_s=st.floats(0, 1e6), back_s=st.floats(0, 1e5))
def test_a_record_is_plain_text_and_gives_its_entry_back(
    text: str, at_s: float, back_s: float
) -> None:
    turn = UserTurn(started_at_s=at_s + back_s, text=text)
    row = entry_row(0, turn, back_s)
    assert row.record.isascii()
    assert "\0" not in row.record
    again = entry_of(row.record, back_s)
    assert isinstance(again, UserTurn)
    assert again.text == text
    assert again.started_at_s == pytest.approx(turn.started_at_s)


def test_what_json_cannot_say_becomes_text() -> None:
    result = ToolResult(call_id="c", output={"path": Path(os.sep)})
    round_ = ToolRound(
        call=ToolCall(id="c", name="n", arguments={}), called_at_s=1.0, result=result
    )
    again = entry_of(entry_row(0, round_, 0.0).record, 0.0)
    assert isinstance(again, ToolRound)
    assert again.result == ToolResult(call_id="c", output={"path": os.sep})
