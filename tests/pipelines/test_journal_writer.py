"""The writer: in time, in order, and at no cost to the call whatever the store does."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store import CallStore
from crossfade.conversation.store_records import CallChanges, CallStatus, LeftOut, NewCall
from crossfade.errors import StoreError, StoreUnavailable
from crossfade.pipelines.call_journal import CallJournal
from crossfade.pipelines.journal_writer import JournalState, JournalWriter
from tests.clock import run
from tests.conversation.stores import KINDS, empty_database, in_store


class FakeStore:
    """Takes 10 ms for a write, and does what the test wants."""

    def __init__(self) -> None:
        self.written: list[list[CallChanges]] = []
        self.at_s: list[float] = []
        self.down = False
        self.refused: set[str] = set()
        self.left_out: dict[str, LeftOut] = {}
        self.forgot = 0
        self.busy = False

    async def write(
        self, batch: Sequence[CallChanges], *, owner: str | None = None, lease_s: float = 10.0
    ) -> Mapping[str, LeftOut]:
        await asyncio.sleep(0.01)
        self.at_s.append(asyncio.get_running_loop().time())
        if self.down:
            raise StoreUnavailable("it is down")
        if any(changes.call_id in self.refused for changes in batch):
            raise StoreError("it is refused")
        self.written.append(list(batch))
        ids = {changes.call_id for changes in batch}
        return {call_id: why for call_id, why in self.left_out.items() if call_id in ids}

    async def forget_audio(self) -> None:
        if self.busy:
            raise StoreUnavailable("somebody reads it")
        self.forgot += 1

    def of(self, call_id: str) -> list[CallChanges]:
        return [one for batch in self.written for one in batch if one.call_id == call_id]

    def positions(self, call_id: str) -> set[int]:
        return {row.position for one in self.of(call_id) for row in one.entries}


def opened(writer: JournalWriter, name: str = "a") -> tuple[Conversation, CallJournal]:
    ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
    return ledger, writer.open(NewCall(id=name, spec="openai:m", started_at=0.0), ledger)


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_changes_of_all_calls_are_written_soon_and_together() -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store) as writer:
            ledgers = [opened(writer, name)[0] for name in "abc"]
            await asyncio.sleep(1.0)
            store.written.clear()
            for ledger in ledgers:
                ledger.user_text("hello", now_s())
            await asyncio.sleep(0.15)
            (batch,) = store.written
            assert [one.call_id for one in batch] == ["a", "b", "c"]
            await asyncio.sleep(5.0)
            assert len(store.written) == 1

    run(main())


def test_unfinished_audio_is_kept_at_most_200_ms_apart() -> None:
    async def main() -> None:
        store, said = FakeStore(), bytearray()
        async with JournalWriter(store) as writer:
            call = NewCall(id="a", spec="openai:m", started_at=0.0)
            writer.open(call, Conversation(), unfinished=lambda: bytes(said))
            for _ in range(100):
                said += b"ab" * 320
                await asyncio.sleep(0.02)
            apart = [b - a for a, b in zip(store.at_s, store.at_s[1:], strict=False)]
            assert max(apart) < 0.2
            said.clear()
            await asyncio.sleep(0.2)
            assert store.forgot == 1

    run(main())


def test_the_last_calls_audio_is_forgotten_though_nobody_calls_any_more() -> None:
    async def main() -> None:
        store, spoken = FakeStore(), b"spoken"
        async with JournalWriter(store) as writer:
            new = NewCall(id="a", spec="openai:m", started_at=0.0)
            journal = writer.open(new, Conversation(), unfinished=lambda: spoken)
            await asyncio.sleep(1.0)
            spoken = b""
            await asyncio.sleep(1.0)
            # It was deleted, and once more with the end of the call, too soon after.
            journal.end(CallStatus.ENDED, 2.0)
            store.busy = True
            await asyncio.sleep(30.0)
            before, store.busy = store.forgot, False
            await asyncio.sleep(11.0)
            assert store.forgot == before + 1
            await asyncio.sleep(60.0)
            assert store.forgot == before + 1

    run(main())


def test_a_write_that_nobody_waits_for_any_more_is_still_made() -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store) as writer:
            ledger, journal = opened(writer)
            ledger.user_text("hello", now_s())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.005):
                    await writer.flush()
            await asyncio.sleep(0.01)
            assert store.positions("a") == {0}
            ledger.user_text("and then", now_s())
            # Ends in the middle of the next one.
            await asyncio.sleep(0.095)
        assert store.positions("a") == {0, 1}
        assert journal.waits == 0

    run(main())


def test_many_that_wait_for_their_own_calls_share_a_write_and_do_not_wait_for_the_others() -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store, interval_s=60.0) as writer:
            ledgers = [opened(writer, f"{n}")[0] for n in range(50)]
            await asyncio.sleep(1.0)
            store.written.clear()
            talking = asyncio.create_task(talk(ledgers[0]))
            for ledger in ledgers:
                ledger.user_text("hello", now_s())
            before_s = now_s()
            assert all(await asyncio.gather(*(writer.flush(f"{n}") for n in range(1, 50))))
            assert len(store.written) == 1
            assert now_s() - before_s < 0.03
            talking.cancel()

    async def talk(ledger: Conversation) -> None:
        while True:
            ledger.user_text("and on", now_s())
            await asyncio.sleep(0.001)

    run(main())


def test_a_call_is_known_to_be_kept_when_it_was_written_once() -> None:
    async def main() -> None:
        store = FakeStore()
        store.down = True
        async with JournalWriter(store) as writer:
            _, journal = opened(writer)
            await asyncio.sleep(1.0)
            assert not journal.kept
            store.down = False
            await asyncio.sleep(5.0)
            assert journal.kept

    run(main())


def test_a_store_that_is_down_costs_states_and_nothing_else() -> None:
    async def main() -> None:
        store, told = FakeStore(), list[JournalState]()
        async with JournalWriter(store, listener=told.append) as writer:
            ledger, _ = opened(writer)
            store.down = True
            for n in range(600):
                ledger.user_text(f"{n}", now_s())
                await asyncio.sleep(0.1)
            assert [state.well for state in told] == [False]
            # Asked less and less often.
            assert len(store.at_s) < 20
            store.down = False
            await asyncio.sleep(10.0)
            assert [state.well for state in told] == [False, True]
            assert store.positions("a") == set(range(600))
            assert writer.state.lost == 0

    run(main())


def test_of_calls_that_end_while_the_store_is_down_the_oldest_are_lost() -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store) as writer:
            store.down = True
            for n in range(300):
                opened(writer, f"c{n}")[1].end(CallStatus.ENDED, 0.0)
            await asyncio.sleep(20.0)
            assert writer.state.lost == 44
            store.down = False
            await asyncio.sleep(10.0)
            assert [one.call_id for one in store.written[0]] == [f"c{n}" for n in range(44, 300)]

    run(main())


def test_one_call_that_cannot_be_written_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        store, told = FakeStore(), list[JournalState]()
        async with JournalWriter(store, listener=told.append) as writer:
            store.refused = {"b"}
            for name in "abc":
                opened(writer, name)[0].user_text("hello", now_s())
            await asyncio.sleep(1.0)
            assert store.positions("a") == store.positions("c") == {0}
            assert not store.of("b")
            assert [(state.well, state.lost) for state in told] == [(True, 1)]

    run(main())


def test_a_call_that_is_refused_again_and_again_is_told_once() -> None:
    async def main() -> None:
        store, told = FakeStore(), list[JournalState]()
        async with JournalWriter(store, listener=told.append) as writer:
            ledger, _ = opened(writer)
            await asyncio.sleep(1.0)
            store.refused = {"a"}
            for n in range(10):
                ledger.user_text(f"{n}", now_s())
                await asyncio.sleep(0.2)
            store.refused.clear()
            ledger.user_text("well again", now_s())
            await asyncio.sleep(1.0)
            assert store.positions("a") == {10}
            assert [state.lost for state in told] == [1]

    run(main())


def test_a_listener_that_fails_costs_nothing() -> None:
    async def main() -> None:
        store, heard = FakeStore(), list[str]()

        def broken(state: JournalState) -> None:
            raise RuntimeError("no")

        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: heard.append(context["message"]))
        async with JournalWriter(store, listener=broken) as writer:
            ledger, _ = opened(writer)
            store.down = True
            await asyncio.sleep(1.0)
            store.down = False
            ledger.user_text("hello", now_s())
            await asyncio.sleep(3.0)
            assert store.positions("a") == {0}
        assert len(heard) == 2

    run(main())


def test_leases_are_renewed_while_nothing_happens() -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store, owner="me", lease_s=3.0) as writer:
            opened(writer)
            await asyncio.sleep(10.0)
            apart = [b - a for a, b in zip(store.at_s, store.at_s[1:], strict=False)]
            assert max(apart) < 1.5
            assert len(apart) < 15

    run(main())


def test_who_lost_the_lease_is_told_once_and_writes_no_more() -> None:
    async def main() -> None:
        store, lost = FakeStore(), list[str]()
        async with JournalWriter(store, owner="me") as writer:
            ledger, _ = opened(writer, "mine")
            call = NewCall(id="other", spec="openai:m", started_at=0.0)
            theirs = Conversation()
            writer.open(call, theirs, taken=lambda: lost.append("other"))
            await asyncio.sleep(1.0)
            store.left_out = {"other": LeftOut.TAKEN}
            for each in (ledger, theirs):
                each.user_text("hello", now_s())
            await asyncio.sleep(1.0)
            assert lost == ["other"]
            count = len(store.of("other"))
            theirs.user_text("more", now_s())
            await asyncio.sleep(10.0)
            assert len(store.of("other")) == count
            assert theirs.on_change is None

    run(main())


def test_leaving_writes_the_rest() -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store, owner="me") as writer:
            ledger, journal = opened(writer)
            await asyncio.sleep(1.0)
            ledger.user_text("the last word", now_s())
            journal.end(CallStatus.ENDED, 5.0)
        (*_, last) = store.of("a")
        assert last.ended is CallStatus.ENDED
        assert store.positions("a") == {0}

    run(main())


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 30])
def test_leaving_loses_nothing_in_whatever_moment(turns: int) -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store, interval_s=0.0) as writer:
            names = [f"c{n}" for n in range(20)]
            for name in names:
                opened(writer, name)[0].user_text("hello", now_s())
            for _ in range(turns):
                await asyncio.sleep(0)
        assert all(store.positions(name) == {0} for name in names)

    run(main())


def test_leaving_a_store_that_is_down_does_not_take_long_and_is_told() -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store) as writer:
            _, journal = opened(writer)
            store.down = True
            journal.end(CallStatus.ENDED, 5.0)
            started_s = now_s()
        assert now_s() - started_s < 6.0
        assert writer.state.lost == 1

    run(main())


def test_a_ledger_that_cannot_be_told_costs_its_own_call_only() -> None:
    async def main() -> None:
        store = FakeStore()
        async with JournalWriter(store) as writer:

            def broken() -> bytes:
                raise OSError("gone")

            call = NewCall(id="broken", spec="openai:m", started_at=0.0)
            writer.open(call, Conversation(), unfinished=broken)
            opened(writer)
            await asyncio.sleep(1.0)
            assert store.of("a")
            assert writer.state.lost == 1

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_goes_from_one_process_to_another_through_the_store(
    kind: str, tmp_path: Path
) -> None:
    """The first is killed in the middle of a question; the second goes on and ends the call."""

    async def main(store: CallStore) -> None:
        said = bytearray(b"what is")
        async with JournalWriter(store, owner="first") as first:
            ledger = Conversation(started_at_s=now_s())
            call = NewCall(id="a", spec="openai:m", started_at=0.0)
            first.open(call, ledger, unfinished=lambda: bytes(said))
            ledger.user_text("hello", now_s())
            assert await first.flush()
            said += b" the weather"
            assert await first.flush()
            assert await store.acquire("a", "second", 30) is None
            assert await store.take("a", "second", 30) is not None
            stored = await store.load_call("a")
            assert stored is not None
            assert stored.unfinished == said
            again = Conversation.restored(stored.entries, started_at_s=stored.started_at_s)
            async with JournalWriter(store, owner="second") as second:
                journal = second.open(call, again, unfinished=lambda: b"", stored=stored)
                again.user_text("and now", now_s())
                ledger.user_text("too late", now_s())
                assert await first.flush()
                journal.end(CallStatus.ENDED, 60.0)
        ended = await store.load_call("a", started_at_s=again.started_at_s)
        assert ended is not None
        assert ended.status is CallStatus.ENDED
        assert ended.unfinished == b""
        assert len(ended.entries) == 2
        texts = [entry.text for entry in again.entries if hasattr(entry, "text")]
        assert texts == ["hello", "and now"]

    with empty_database(kind, tmp_path) as url:
        in_store(url, main)


def test_the_virtual_clock_waits_for_the_store(tmp_path: Path) -> None:
    async def main() -> None:
        from crossfade.conversation.store import open_store

        async with await open_store(str(tmp_path / "calls.db")) as store:
            started_s = now_s()
            async with JournalWriter(store) as writer:
                ledger, journal = opened(writer)
                for n in range(20):
                    ledger.user_text(f"{n}", now_s())
                    await asyncio.sleep(0.5)
                journal.end(CallStatus.ENDED, 5.0)
            assert now_s() - started_s == pytest.approx(10.0, abs=0.5)
            assert [one.entries for one in await store.calls()] == [20]

    run(main())
