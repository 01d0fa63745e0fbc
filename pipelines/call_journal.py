"""What changed in one call since it was last written to the store."""

from collections.abc import Callable

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.store_entries import entry_row
from crossfade.conversation.store_records import (
    AudioChange,
    CallChanges,
    CallFolder,
    CallStatus,
    EntryRow,
    NewCall,
    StoredCall,
    StoredHandle,
)

_MOST_ENTRIES = 64
"""Taken at once, the longest waiting first; the others are taken next time."""


class CallJournal:
    """Notes what changes in a call, until the writer takes it. Made by `JournalWriter.open`.

    Nothing here waits. What is noted of an entry is only that it changed: its newest state is what
    is written, so that what waits is never more than the ledger itself.

    Args:
        call: The call.
        conversation: Its ledger, whose `on_change` the journal takes.
        unfinished: Gives the utterance that the caller has not finished, s16le mono at the call's
            audio rate, from its first sample; empty if there is none. None keeps no audio.
        state: Gives what else is to be kept, as short text without zero characters; it is asked
            right after `unfinished`, and written with that as it changes.
        handle: Gives what the provider resumes the session by; None if it cannot be resumed.
        begun: Whether the store has the call already, and nothing of it.
        stored: What is in the store already, for a call that another process began; if that was
            with another model, `call` tells the new one.
        folder: Where this process records the call.
    """

    def __init__(
        self,
        call: NewCall,
        conversation: Conversation,
        *,
        unfinished: Callable[[], bytes] | None = None,
        state: Callable[[], str] | None = None,
        handle: Callable[[], StoredHandle | None] | None = None,
        begun: bool = False,
        stored: StoredCall | None = None,
        folder: CallFolder | None = None,
    ) -> None:
        self.call_id = call.id
        self._conversation = conversation
        self._unfinished = unfinished
        self._state = state
        self._handle = handle
        self._to_begin = call if stored is None and not begun else None
        self._to_change = call if stored is not None and not _is_as(stored, call) else None
        self._folder = folder
        self._waiting: dict[int, None] = {}
        self._kept_audio: bytes | None = b"" if stored is None else stored.unfinished
        self._part = 0 if stored is None else stored.unfinished_part
        self._kept_state: str | None = call.state if stored is None else stored.state
        self._kept_handle = None if stored is None else stored.handle
        self._status: CallStatus | None = None
        self._ended_at: float | None = None
        self.closed = False
        self.kept = begun or stored is not None
        """Whether the store has the call: it was written once."""
        known = () if stored is None else stored.entries
        for position, entry in enumerate(conversation.entries):
            if position >= len(known) or known[position] != entry:
                self._changed(position)
        conversation.on_change = self._changed

    @property
    def waits(self) -> int:
        """How many entries have changed and are not taken."""
        return len(self._waiting)

    def end(self, status: CallStatus, at: float) -> None:
        """The call is over; the writer writes what is left and lets go of it.

        Args:
            status: How it ended.
            at: Unix time.
        """
        if not self.closed:
            self._status, self._ended_at = status, at
            self.closed = True

    def leave(self) -> None:
        """This process is done with the call, which goes on in another one: the lease is freed."""
        self.closed = True

    def take(self) -> CallChanges | None:
        """Take what is to be written; None if nothing is. `failed` gives it back."""
        began, self._to_begin = self._to_begin, None
        changed, self._to_change = self._to_change, None
        folder, self._folder = self._folder, None
        entries = self._take_entries()
        last = self.closed and not self._waiting
        audio, state = self._take_audio(), self._take_state()
        handle, forget = self._take_handle()
        news = began or changed or entries or audio or state is not None or handle or forget
        if not (last or news or folder):
            return None
        return CallChanges(
            call_id=self.call_id,
            began=began,
            changed=changed,
            entries=entries,
            audio=audio,
            state=state,
            handle=handle,
            forget_handle=forget,
            folder=folder,
            ended=self._status if last else None,
            ended_at=self._ended_at if last else None,
            free=last,
        )

    def failed(self, changes: CallChanges) -> None:
        """What was taken was not written: it waits again, before all else."""
        self._to_begin = changes.began or self._to_begin
        self._to_change = changes.changed or self._to_change
        self._folder = changes.folder or self._folder
        self._waiting = dict.fromkeys(entry.position for entry in changes.entries) | self._waiting
        if changes.audio is not None:
            self._kept_audio = None
        if changes.state is not None:
            self._kept_state = None
        if changes.handle is not None or changes.forget_handle:
            self._kept_handle = _UNKNOWN

    def detach(self) -> None:
        """Note nothing more."""
        self.closed = True
        if self._conversation.on_change == self._changed:
            self._conversation.on_change = None

    def _changed(self, position: int) -> None:
        self._waiting[position] = None

    def _take_entries(self) -> tuple[EntryRow, ...]:
        if not self._waiting:
            return ()
        positions = list(self._waiting)[:_MOST_ENTRIES]
        for position in positions:
            del self._waiting[position]
        entries, started_at_s = self._conversation.entries, self._conversation.started_at_s
        return tuple(entry_row(p, entries[p], started_at_s) for p in positions)

    def _take_audio(self) -> AudioChange | None:
        if self._unfinished is None or self._status is not None:
            return None
        pcm, kept = self._unfinished(), self._kept_audio
        if pcm == kept:
            return None
        grew = bool(kept) and pcm.startswith(kept or b"")
        chunk = pcm[len(kept or b"") :] if grew else pcm
        change = AudioChange(anew=not grew, part=self._part, chunk=chunk)
        self._kept_audio = pcm
        self._part += 1
        return change

    def _take_state(self) -> str | None:
        if self._state is None or self._status is not None:
            return None
        state = self._state()
        if state == self._kept_state:
            return None
        self._kept_state = state
        return state

    def _take_handle(self) -> tuple[StoredHandle | None, bool]:
        if self._handle is None or self._status is not None:
            return None, False
        handle = self._handle()
        if handle == self._kept_handle:
            return None, False
        self._kept_handle = handle
        return handle, handle is None


def _is_as(stored: StoredCall, call: NewCall) -> bool:
    return (stored.spec, stored.audio_rate_hz) == (call.spec, call.audio_rate_hz)


_UNKNOWN = StoredHandle(spec="", value="")

__all__ = ["CallJournal"]
