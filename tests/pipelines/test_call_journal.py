"""What a journal notes between two writes, and that nothing of it is lost or told twice."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_entries import entry_of
from crossfade.conversation.store_records import (
    CallChanges,
    CallStatus,
    NewCall,
    StoredCall,
    StoredHandle,
)
from crossfade.conversation.turns import Entry
from crossfade.pipelines.call_journal import CallJournal

CALL = NewCall(id="a", spec="openai:m", started_at=0.0)


class Kept:
    """What a store would hold of a call, from changes that were written."""

    def __init__(self) -> None:
        self.began = False
        self.entries: dict[int, Entry] = {}
        self.audio: dict[int, bytes] = {}
        self.handle: StoredHandle | None = None
        self.ended: CallStatus | None = None

    def write(self, changes: CallChanges) -> None:
        self.began |= changes.began is not None
        assert self.began
        self.entries |= {row.position: entry_of(row.record, 0.0) for row in changes.entries}
        if changes.audio is not None:
            if changes.audio.anew:
                self.audio.clear()
            assert changes.audio.part not in self.audio
            if changes.audio.chunk:
                self.audio[changes.audio.part] = changes.audio.chunk
        self.handle = None if changes.forget_handle else changes.handle or self.handle
        self.ended = changes.ended or self.ended

    @property
    def unfinished(self) -> bytes:
        return b"".join(self.audio[part] for part in sorted(self.audio))


def taken(journal: CallJournal) -> CallChanges:
    changes = journal.take()
    assert changes is not None
    return changes


def test_only_what_changed_is_taken() -> None:
    ledger = Conversation()
    journal = CallJournal(CALL, ledger)
    assert taken(journal).began == CALL
    assert journal.take() is None
    ledger.user_started("u", 1.0)
    ledger.user_text("more", 2.0)
    assert [row.position for row in taken(journal).entries] == [0, 1]
    ledger.user_transcript("u", "late", True)
    (row,) = taken(journal).entries
    assert (row.position, row.at_s) == (0, 1.0)
    assert journal.take() is None


def test_states_that_were_passed_through_between_two_writes_are_not_told() -> None:
    ledger = Conversation()
    journal = CallJournal(CALL, ledger)
    for word in ["one", "two", "three"]:
        ledger.agent_text("r", "i", word)
    (row,) = taken(journal).entries
    assert "onetwothree" in row.record


def test_audio_is_told_in_chunks_and_anew_for_each_utterance() -> None:
    said = b""
    journal = CallJournal(CALL, Conversation(), unfinished=lambda: said)
    assert taken(journal).audio is None
    kept = Kept()
    kept.began = True
    # Committed and begun anew between two looks; then grown; then committed.
    for said in (b"ab", b"abcd", b"xyzuvw", b"xyzuvwst", b""):
        kept.write(taken(journal))
        assert kept.unfinished == said
        assert journal.take() is None


def test_the_state_is_told_as_it_changes_and_after_a_failure_again() -> None:
    state = ""
    journal = CallJournal(CALL, Conversation(), state=lambda: state)
    assert taken(journal).state is None
    state = "one"
    changes = taken(journal)
    assert changes.state == "one"
    assert journal.take() is None
    journal.failed(changes)
    assert taken(journal).state == "one"
    state = ""
    assert taken(journal).state == ""


def test_handles_come_and_go() -> None:
    handle: StoredHandle | None = None
    journal = CallJournal(CALL, Conversation(), handle=lambda: handle)
    kept = Kept()
    kept.write(taken(journal))
    one, two = (StoredHandle(spec="gemini:m", value=value) for value in "12")
    for handle in (one, two, None):
        kept.write(taken(journal))
        assert kept.handle == handle
        assert journal.take() is None


def test_a_call_that_another_process_began_is_not_written_again() -> None:
    ledger = Conversation()
    ledger.user_text("before", 1.0)
    stored = StoredCall(
        id="a",
        spec="openai:m",
        config={},
        status=CallStatus.RUNNING,
        started_at=0.0,
        started_at_s=0.0,
        ended_at=None,
        entries=ledger.entries,
        unfinished=b"ab",
        unfinished_part=4,
    )
    again = Conversation.restored(stored.entries)
    journal = CallJournal(CALL, again, unfinished=lambda: b"abcd", stored=stored)
    changes = taken(journal)
    assert (changes.began, changes.entries) == (None, ())
    assert changes.audio is not None
    assert (changes.audio.anew, changes.audio.part, changes.audio.chunk) == (False, 4, b"cd")
    again.user_text("after", 2.0)
    assert [row.position for row in taken(journal).entries] == [1]


def test_a_call_that_goes_on_with_another_model_tells_its_name_once_it_is_written() -> None:
    stored = StoredCall(
        id="a",
        spec="gemini:m",
        config={},
        status=CallStatus.RUNNING,
        started_at=0.0,
        started_at_s=0.0,
        ended_at=None,
        entries=(),
    )
    journal = CallJournal(CALL, Conversation(), stored=stored)
    changes = taken(journal)
    assert changes.changed == CALL
    journal.failed(changes)
    assert taken(journal).changed == CALL
    assert journal.take() is None


def test_the_end_is_told_last_and_again_until_it_was_written() -> None:
    ledger = Conversation()
    journal = CallJournal(CALL, ledger, unfinished=lambda: b"ab")
    for at_s in range(100):
        ledger.user_text("much", float(at_s))
    journal.end(CallStatus.ENDED, 5.0)
    first, second = taken(journal), taken(journal)
    assert (first.ended, first.free) == (None, False)
    assert (second.ended, second.ended_at, second.free) == (CallStatus.ENDED, 5.0, True)
    assert len(first.entries) + len(second.entries) == 100
    journal.failed(second)
    assert taken(journal).ended is CallStatus.ENDED


def test_who_leaves_a_call_does_not_end_it() -> None:
    journal = CallJournal(CALL, Conversation(), unfinished=lambda: b"ab")
    journal.leave()
    changes = taken(journal)
    assert (changes.ended, changes.free) == (None, True)
    assert changes.audio is not None


def _change(ledger: Conversation, what: int, now_s: float) -> None:
    turn = f"{what // 4}"
    match what % 4:
        case 0:
            ledger.user_text(turn, now_s)
        case 1:
            ledger.user_started(turn, now_s)
        case 2:
            ledger.user_transcript(turn, f"{now_s}", False)
        case _:
            ledger.agent_text(turn, turn, f"{now_s}")


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("change"), st.integers(0, 15)),
            st.tuples(st.just("say"), st.integers(0, 3)),
            st.tuples(st.sampled_from(["commit", "write", "fail"]), st.just(0)),
        ),
        max_size=40,
    )
)
def test_whatever_fails_the_store_has_all_in_the_end(steps: list[tuple[str, int]]) -> None:
    ledger, said, kept = Conversation(), bytearray(), Kept()
    journal = CallJournal(CALL, ledger, unfinished=lambda: bytes(said))
    for now, (what, how) in enumerate(steps):
        changes: Any = None
        if what == "change":
            _change(ledger, how, float(now))
        elif what == "say":
            said += bytes([how]) * 2
        elif what == "commit":
            said.clear()
        elif (changes := journal.take()) is not None:
            kept.write(changes) if what == "write" else journal.failed(changes)
    while (changes := journal.take()) is not None:
        kept.write(changes)
    assert tuple(kept.entries[p] for p in sorted(kept.entries)) == ledger.entries
    assert kept.unfinished == bytes(said)
