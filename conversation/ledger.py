"""The ledger of a conversation: what was said, called and heard, in spoken order.

It is told what happens as it happens, in whatever order that is: events that repeat, come late or
fit nothing never raise. Times are seconds on the caller's clock, the event loop's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from crossfade.conversation.heard import WordTiming
from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.transcript import describe
from crossfade.conversation.turns import AgentItem, AgentTurn, Entry, ToolRound, UserTurn
from crossfade.conversation.usage import Usage


class Conversation:
    """One call's conversation, in memory.

    Args:
        started_at_s: When the call began; `to_dict` counts from there.
    """

    def __init__(self, *, started_at_s: float = 0.0) -> None:
        self._started_at_s = started_at_s
        self._now_s = started_at_s
        self._entries: list[Entry] = []
        self._usage = Usage()
        self._users: dict[str, int] = {}
        self._responses: dict[str, int] = {}
        self._items: dict[str, int] = {}
        self._calls: dict[str, int] = {}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All turns and tool rounds, in the order in which they began."""
        return tuple(self._entries)

    @property
    def usage(self) -> Usage:
        """What all responses cost together."""
        return self._usage

    def user_started(self, item_id: str | None, at_s: float) -> None:
        """The user began to speak. Told twice for one turn, with and without its id, is fine."""
        self._now_s = at_s
        if item_id in self._users:
            return
        last = self._last_user()
        if last is not None:
            turn = self._user(last)
            if turn.stopped_at_s is None and not turn.typed and None in (item_id, turn.item_id):
                if item_id is not None:
                    self._name_user(last, item_id)
                return
        self._add_user(UserTurn(item_id=item_id, started_at_s=at_s))

    def user_stopped(self, at_s: float) -> None:
        """The user's latest turn ended."""
        self._now_s = at_s
        last = self._last_user()
        if last is not None and self._user(last).stopped_at_s is None:
            self._entries[last] = replace(self._user(last), stopped_at_s=at_s)

    def user_committed(self, item_id: str) -> None:
        """The user's turn became an item of the model's conversation."""
        position = self._user_position(item_id)
        self._entries[position] = replace(self._user(position), committed=True)

    def user_transcript(self, item_id: str, text: str, final: bool) -> None:
        """The user's words; may come late. A final one without text keeps what was known."""
        position = self._user_position(item_id)
        turn = self._user(position)
        if turn.final:
            return
        self._entries[position] = replace(turn, text=text or turn.text, final=final)

    def user_text(self, text: str, at_s: float) -> None:
        """The user said something in writing."""
        self._now_s = at_s
        turn = UserTurn(
            text=text, started_at_s=at_s, stopped_at_s=at_s, final=True, committed=True, typed=True
        )
        self._add_user(turn)

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
        """More text of an item; `text` is added to what there is."""
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

    def response_ended(self, response_id: str, status: str, usage: Usage | None = None) -> None:
        """A response is generated to its end, or was cut or failed. Only the first end counts."""
        position = self._response(response_id)
        turn = self._agent(position)
        if turn.status is not None:
            return
        self._entries[position] = replace(turn, status=status, usage=usage)
        if usage is not None:
            self._usage += usage

    def tool_called(self, call: ToolCall, at_s: float) -> None:
        self._now_s = at_s
        if call.id not in self._calls:
            self._calls[call.id] = len(self._entries)
            self._entries.append(ToolRound(call=call, called_at_s=at_s))

    def tool_answered(self, result: ToolResult, at_s: float) -> None:
        """A call got its final result. Only the first counts; unknown calls have none."""
        self._now_s = at_s
        position = self._calls.get(result.call_id)
        if position is None:
            return
        round_ = self._entries[position]
        assert isinstance(round_, ToolRound)
        if round_.result is None:
            self._entries[position] = replace(round_, result=result, answered_at_s=at_s)

    def history(self) -> tuple[HistoryItem, ...]:
        """Tell the conversation as a model shall know it.

        What was injected is left out, as are calls without an answer; of an interrupted answer
        only what was heard is told.
        """
        items: list[HistoryItem] = []
        for entry in self._entries:
            if isinstance(entry, UserTurn):
                if entry.text.strip():
                    items.append(Utterance(speaker=Speaker.USER, text=entry.text.strip()))
            elif isinstance(entry, AgentTurn):
                text = entry.heard if entry.interrupted else entry.text
                if text and not entry.injected:
                    items.append(Utterance(speaker=Speaker.AGENT, text=text))
            elif entry.result is not None:
                items += (entry.call, entry.result)
        return tuple(items)

    def to_dict(self) -> dict[str, Any]:
        """Give the transcript as JSON can hold it; times in seconds from the call's start."""
        return describe(self._entries, self._usage, self._started_at_s)

    def _user(self, position: int) -> UserTurn:
        turn = self._entries[position]
        assert isinstance(turn, UserTurn)
        return turn

    def _agent(self, position: int) -> AgentTurn:
        turn = self._entries[position]
        assert isinstance(turn, AgentTurn)
        return turn

    def _last_user(self) -> int | None:
        for position in range(len(self._entries) - 1, -1, -1):
            if isinstance(self._entries[position], UserTurn):
                return position
        return None

    def _add_user(self, turn: UserTurn) -> int:
        position = len(self._entries)
        self._entries.append(turn)
        if turn.item_id is not None:
            self._users[turn.item_id] = position
        return position

    def _name_user(self, position: int, item_id: str) -> None:
        self._entries[position] = replace(self._user(position), item_id=item_id)
        self._users[item_id] = position

    def _user_position(self, item_id: str) -> int:
        """Find the turn of an item: the known one, else the oldest spoken one without a name."""
        if item_id in self._users:
            return self._users[item_id]
        for position, entry in enumerate(self._entries):
            if isinstance(entry, UserTurn) and entry.item_id is None and not entry.typed:
                self._name_user(position, item_id)
                return position
        return self._add_user(UserTurn(item_id=item_id, started_at_s=self._now_s))

    def _response(self, response_id: str, injected: bool = False) -> int:
        position = self._responses.get(response_id)
        if position is None:
            position = self._responses[response_id] = len(self._entries)
            turn = AgentTurn(response_id=response_id, injected=injected, started_at_s=self._now_s)
            self._entries.append(turn)
        elif injected and not self._agent(position).injected:
            self._entries[position] = replace(self._agent(position), injected=True)
        return position

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
        self._entries[position] = replace(turn, items=tuple(items))


__all__ = ["Conversation"]
