"""The ledger of a conversation: what was said, called and heard, in spoken order.

It is told what happens as it happens, in whatever order that is: events that repeat, come late or
fit nothing never raise. Times are seconds on the caller's clock, the event loop's.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from crossfade.conversation.heard import WordTiming
from crossfade.conversation.history import HistoryItem, Picture
from crossfade.conversation.local_ear import LocalEar
from crossfade.conversation.naming import unnamed_turn, was_answered
from crossfade.conversation.pace import average_pace
from crossfade.conversation.pictures import Pictures
from crossfade.conversation.retelling import latest_summary, retell
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.transcript import describe, describe_later
from crossfade.conversation.turns import (
    AgentItem,
    AgentTurn,
    Entry,
    Summary,
    ToolRound,
    UserImage,
    UserTurn,
)
from crossfade.conversation.usage import Usage

# The oldest that the provider has not named is found by its time.
_MOST_UNNAMED = 64
CUT = "cut"
"""The status of a response of which the rest comes in another one."""


class Conversation:
    """One call's conversation, in memory.

    Args:
        started_at_s: When the call began; `to_dict` counts from there.
    """

    on_change: Callable[[int], None] | None
    """Told the position of each entry that is new or was replaced. It neither blocks nor raises."""

    def __init__(self, *, started_at_s: float = 0.0) -> None:
        self.on_change = None
        self._started_at_s = started_at_s
        self._now_s = started_at_s
        self._ear = LocalEar()
        self._heard_turn: int | None = None
        self._pictures = Pictures()
        self._entries: list[Entry] = []
        self._usage = Usage()
        self._users: dict[str, int] = {}
        # Our own names of turns that the provider has not named.
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._responses: dict[str, int] = {}
        self._items: dict[str, int] = {}
        self._calls: dict[str, int] = {}

    @classmethod
    def restored(
        cls,
        entries: Iterable[Entry],
        *,
        started_at_s: float = 0.0,
        pictures: Mapping[str, Picture] | None = None,
    ) -> Self:
        """Take a conversation up where another process left it.

        Args:
            entries: All its entries in order, their times on this process's clock.
            started_at_s: When the call began, on the same clock.
            pictures: Those that are still there, by `UserImage.image_id`.
        """
        made = cls(started_at_s=started_at_s)
        for entry in entries:
            made._take_up(entry)
        for image_id, picture in (pictures or {}).items():
            made._pictures.keep(image_id, picture)
        return made

    @property
    def started_at_s(self) -> float:
        """When the call began."""
        return self._started_at_s

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All turns, images and tool rounds, in the order in which they began."""
        return tuple(self._entries)

    @property
    def usage(self) -> Usage:
        """What all responses cost together."""
        return self._usage

    def speech_heard(self, at_s: float) -> None:
        """The user was heard to speak from then on. A turn that has no start of its own gets it."""
        self._ear.started(at_s)
        self._heard_turn = None

    def speech_over(self, at_s: float) -> None:
        """The speech that was heard ended."""
        self._ear.stopped(at_s)
        position, self._heard_turn = self._heard_turn, None
        if position is not None and self._user(position).stopped_at_s is None:
            self._put(position, replace(self._user(position), stopped_at_s=at_s))

    def speech_dropped(self) -> None:
        """What was heard last was no speech."""
        self._ear.dropped()
        self._heard_turn = None

    def user_started(self, item_id: str | None, at_s: float, *, turn_id: str = "") -> None:
        """The user began to speak. Told twice for one turn, with and without its id, is fine.

        Args:
            item_id: The provider's name for the turn, if it has one already.
            at_s: When.
            turn_id: A name of our own, by which `user_committed` finds the turn.
        """
        self._now_s = at_s
        if item_id in self._users:
            return
        last = self._last_spoken()
        if last is not None:
            turn = self._user(last)
            if turn.stopped_at_s is None and None in (item_id, turn.item_id):
                if item_id is not None:
                    self._name_user(last, item_id)
                self._call_user(last, turn_id)
                return
        position = self._add_user(UserTurn(item_id=item_id, started_at_s=at_s))
        self._call_user(position, turn_id)

    def user_stopped(self, at_s: float) -> None:
        """The user's latest spoken turn ended."""
        self._now_s = at_s
        last = self._last_spoken()
        if last is not None and self._user(last).stopped_at_s is None:
            self._put(last, replace(self._user(last), stopped_at_s=at_s))

    def user_committed(self, item_id: str, *, turn_id: str = "") -> None:
        """The user's turn became an item of the model's conversation.

        Args:
            item_id: The provider's name for it.
            turn_id: Our own, if it had one when it began: then it is that turn, however late the
                provider names it and whatever was said since.
        """
        called = self._turns.pop(turn_id, None)
        unnamed = called is not None and self._user(called).item_id is None
        if called is not None and unnamed and item_id not in self._users:
            self._name_user(called, item_id)
        position = self._user_position(item_id)
        self._put(position, replace(self._user(position), committed=True))

    def user_transcript(self, item_id: str, text: str, final: bool) -> None:
        """The user's words; may come late. A final one without text keeps what was known, and
        gives way to one with text: another session may have heard the turn again."""
        position = self._user_position(item_id)
        turn = self._user(position)
        if turn.final and (turn.text or not final):
            return
        self._put(position, replace(turn, text=text or turn.text, final=final))

    def user_text(self, text: str, at_s: float) -> None:
        """The user said something in writing."""
        self._now_s = at_s
        turn = UserTurn(
            text=text, started_at_s=at_s, stopped_at_s=at_s, final=True, committed=True, typed=True
        )
        self._add_user(turn)

    def user_image(self, data: bytes, media_type: str, at_s: float) -> str:
        """The user showed something; give its image id. The newest pictures are kept in memory.

        Args:
            data: The file.
            media_type: image/jpeg or image/png.
            at_s: When.
        """
        self._now_s = at_s
        image_id = f"image_{len(self._entries) + 1}"
        self._append(
            UserImage(
                image_id=image_id,
                shown_at_s=at_s,
                media_type=media_type,
                sha256=hashlib.sha256(data).hexdigest(),
                size_bytes=len(data),
            )
        )
        self._pictures.keep(image_id, Picture(data=data, media_type=media_type))
        return image_id

    def response_started(self, response_id: str, injected: bool, at_s: float) -> None:
        self._now_s = at_s
        self._response(response_id, injected)

    def agent_text(
        self,
        response_id: str,
        item_id: str,
        text: str,
        injected: bool = False,
        *,
        spoken: bool = True,
    ) -> None:
        """More text of an item; `text` is added to what there is. A cut response gets no more."""
        if self._is_cut(self._items.get(item_id, self._responses.get(response_id))):
            return
        self._change_item(
            response_id,
            item_id,
            lambda item: replace(item, text=item.text + text, spoken=spoken),
            injected,
        )

    def agent_played(
        self,
        item_id: str,
        played_ms: float,
        received_ms: float,
        interrupted: bool = False,
        *,
        response_id: str = "",
    ) -> None:
        """The playout of an item ended: by itself, or because it was interrupted.

        Args:
            item_id: The item.
            played_ms: How much of its audio was played.
            received_ms: How much of its audio had arrived.
            interrupted: Whether it was cut.
            response_id: Its response, needed where no text of it has come yet.
        """
        received_ms = max(0.0, received_ms)
        played_ms = min(max(0.0, played_ms), received_ms)
        self._change_item(
            response_id,
            item_id,
            lambda item: replace(
                item, played_ms=played_ms, received_ms=received_ms, interrupted=interrupted
            ),
        )

    def agent_timed(
        self, item_id: str, timings: Sequence[WordTiming], *, response_id: str = ""
    ) -> None:
        """Where words of an item end, from a synthesiser that knows; added to what there is."""
        self._change_item(
            response_id,
            item_id,
            lambda item: replace(item, timings=(*item.timings, *timings)),
        )

    def response_ended(
        self,
        response_id: str,
        status: str,
        usage: Usage | None = None,
        *,
        received_ms: Mapping[str, float] | None = None,
    ) -> None:
        """A response is generated to its end, or was cut or failed. Only the first end counts.

        Of a cut one, the text that its audio does not cover is taken out: it comes again. The
        response that follows, with no turn of the user in between, continues it.

        Args:
            response_id: The response.
            status: completed, interrupted, incomplete, failed or cut.
            usage: What it cost, if known.
            received_ms: How much audio of each item had come; needed for a cut one.
        """
        position = self._response(response_id)
        turn = self._agent(position)
        if turn.status is not None:
            return
        turn = replace(turn, status=status, usage=usage)
        if status == CUT:
            turn = turn.covered(received_ms or {}, average_pace(self._entries))
        self._put(position, turn)
        if usage is not None:
            self._usage += usage

    def tool_called(self, call: ToolCall, at_s: float) -> None:
        self._now_s = at_s
        if call.id not in self._calls:
            self._calls[call.id] = self._append(ToolRound(call=call, called_at_s=at_s))

    def tool_answered(self, result: ToolResult, at_s: float) -> None:
        """A call got its final result. Only the first counts; unknown calls have none."""
        self._now_s = at_s
        position = self._calls.get(result.call_id)
        if position is None:
            return
        round_ = self._entries[position]
        assert isinstance(round_, ToolRound)
        if round_.result is None:
            self._put(position, replace(round_, result=result, answered_at_s=at_s))

    def summarised(self, text: str, upto: int, at_s: float) -> None:
        """From now on, a model is told this in place of the first `upto` entries.

        One that covers no more than an earlier one is passed over.
        """
        self._now_s = at_s
        upto = min(upto, len(self._entries))
        before = latest_summary(self._entries)
        if upto > (0 if before is None else before.upto):
            self._append(Summary(text=text, upto=upto, made_at_s=at_s))

    def history(
        self,
        *,
        open_calls: bool = False,
        without: Collection[str] = (),
        unheard: Mapping[str, HistoryItem] | None = None,
    ) -> tuple[HistoryItem, ...]:
        """Tell the conversation as a model shall know it.

        What was injected is left out, as are pictures that are not in memory any more; of an
        interrupted answer only what was heard is told, and of what a summary covers the summary.

        Args:
            open_calls: Whether calls without an answer are told, behind all else.
            without: Item ids of user turns to leave out, because they are told in another way.
            unheard: What is told of user turns without words, by item id.
        """
        return retell(
            self._entries,
            self._pictures,
            open_calls=open_calls,
            without=without,
            unheard=unheard,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the transcript as JSON can hold it; times in seconds from the call's start."""
        return describe(self._entries, self._usage, self._started_at_s)

    def snapshot(self) -> dict[str, Any]:
        """Give the same of this moment at once, however long the conversation is: its turns are an
        iterator, which describes each when it is asked for it, once, in any thread."""
        return describe_later(self.entries, self._usage, self._started_at_s)

    def _append(self, entry: Entry) -> int:
        position = len(self._entries)
        self._entries.append(entry)
        self._changed(position)
        return position

    def _put(self, position: int, entry: Entry) -> None:
        if self._entries[position] != entry:
            self._entries[position] = entry
            self._changed(position)

    def _changed(self, position: int) -> None:
        if self.on_change is not None:
            self.on_change(position)

    def _take_up(self, entry: Entry) -> None:
        position = self._append(entry)
        match entry:
            case UserTurn():
                self._now_s = max(self._now_s, entry.stopped_at_s or entry.started_at_s)
                if entry.item_id is not None:
                    self._users[entry.item_id] = position
            case AgentTurn():
                self._now_s = max(self._now_s, entry.started_at_s)
                self._responses[entry.response_id] = position
                self._items |= {item.item_id: position for item in entry.items}
                if entry.usage is not None:
                    self._usage += entry.usage
            case ToolRound():
                self._now_s = max(self._now_s, entry.answered_at_s or entry.called_at_s)
                self._calls[entry.call.id] = position

    def _user(self, position: int) -> UserTurn:
        turn = self._entries[position]
        assert isinstance(turn, UserTurn)
        return turn

    def _agent(self, position: int) -> AgentTurn:
        turn = self._entries[position]
        assert isinstance(turn, AgentTurn)
        return turn

    def _last_spoken(self) -> int | None:
        for position in range(len(self._entries) - 1, -1, -1):
            entry = self._entries[position]
            if isinstance(entry, UserTurn) and not entry.typed:
                return position
        return None

    def _add_user(self, turn: UserTurn) -> int:
        position = self._append(turn)
        if turn.item_id is not None:
            self._users[turn.item_id] = position
        return position

    def _call_user(self, position: int, turn_id: str) -> None:
        if turn_id:
            self._turns[turn_id] = position
            if len(self._turns) > _MOST_UNNAMED:
                self._turns.popitem(last=False)

    def _name_user(self, position: int, item_id: str) -> None:
        self._put(position, replace(self._user(position), item_id=item_id))
        self._users[item_id] = position

    def _user_position(self, item_id: str) -> int:
        """Find the turn of an item: the known one, else the one that waits for a name."""
        if item_id in self._users:
            return self._users[item_id]
        position = unnamed_turn(self._entries)
        if position is None:
            return self._add_heard(item_id)
        self._name_user(position, item_id)
        self._ear.take()
        return position

    def _add_heard(self, item_id: str) -> int:
        """Add a turn of which nothing but its name was told."""
        heard = self._ear.take()
        if heard is None or was_answered(self._entries, heard.stopped_at_s):
            return self._add_user(UserTurn(item_id=item_id, started_at_s=self._now_s))
        turn = UserTurn(
            item_id=item_id, started_at_s=heard.started_at_s, stopped_at_s=heard.stopped_at_s
        )
        position = self._add_user(turn)
        if turn.stopped_at_s is None:
            self._heard_turn = position
        return position

    def _response(self, response_id: str, injected: bool = False) -> int:
        position = self._responses.get(response_id)
        if position is None:
            turn = AgentTurn(
                response_id=response_id,
                injected=injected,
                started_at_s=self._now_s,
                continues=None if injected else self._awaits_its_rest(),
            )
            position = self._responses[response_id] = self._append(turn)
        elif injected:
            self._put(position, replace(self._agent(position), injected=True, continues=None))
        return position

    def _awaits_its_rest(self) -> str | None:
        """The cut response that nothing has followed yet, if anything had come of it."""
        for entry in reversed(self._entries):
            match entry:
                case AgentTurn(injected=False):
                    return entry.response_id if entry.status == CUT and entry.text else None
                case UserTurn() if entry.text or entry.committed or entry.stopped_at_s is None:
                    return None
        return None

    def _is_cut(self, position: int | None) -> bool:
        return position is not None and self._agent(position).status == CUT

    def _change_item(
        self,
        response_id: str,
        item_id: str,
        change: Callable[[AgentItem], AgentItem],
        injected: bool = False,
    ) -> None:
        position = self._items.get(item_id)
        if position is None:
            if not response_id:
                return
            position = self._items[item_id] = self._response(response_id, injected)
        turn = self._agent(position)
        items = list(turn.items)
        index = next((i for i, item in enumerate(items) if item.item_id == item_id), len(items))
        if index == len(items):
            items.append(AgentItem(item_id=item_id))
        items[index] = change(items[index])
        self._put(position, replace(turn, items=tuple(items)))


__all__ = ["CUT", "Conversation"]
