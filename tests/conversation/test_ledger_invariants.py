"""Whatever happens in whatever order, the ledger holds its rules."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crossfade.conversation.heard import WordTiming
from crossfade.conversation.history import Speaker, Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import AgentTurn, Entry, ToolRound, UserTurn
from crossfade.conversation.usage import Usage

# Few names, so that events meet.
users = st.sampled_from(["u1", "u2", "u3"])
responses = st.sampled_from(["r1", "r2", "r3"])
items = st.sampled_from(["a1", "a2", "a3", "a4"])
calls = st.sampled_from(["c1", "c2"])
texts = st.sampled_from(["", " ", "one ", " two three", "four.", "日本"])
milliseconds = st.floats(-100, 10_000)


def key(entry: Entry) -> tuple[str, object]:
    """What stays of an entry for good."""
    if isinstance(entry, UserTurn):
        return "user", entry.started_at_s
    if isinstance(entry, AgentTurn):
        return "agent", entry.response_id
    return "tool", entry.call.id


class Ledger(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.conversation = Conversation()
        self.now_s = 0.0
        self.order: list[tuple[str, object]] = []
        self.results: dict[str, ToolResult] = {}
        self.injected: set[str] = set()

    def tick(self) -> float:
        self.now_s += 1.0
        return self.now_s

    @rule(item_id=st.none() | users)
    def user_starts(self, item_id: str | None) -> None:
        self.conversation.user_started(item_id, self.tick())

    @rule()
    def user_stops(self) -> None:
        self.conversation.user_stopped(self.tick())

    @rule(item_id=users)
    def user_is_committed(self, item_id: str) -> None:
        self.conversation.user_committed(item_id)

    @rule(item_id=users, text=texts, final=st.booleans())
    def user_is_transcribed(self, item_id: str, text: str, final: bool) -> None:
        self.conversation.user_transcript(item_id, text, final)

    @rule(text=texts)
    def user_types(self, text: str) -> None:
        self.conversation.user_text(text, self.tick())

    @rule(response_id=responses, injected=st.booleans())
    def response_starts(self, response_id: str, injected: bool) -> None:
        self.conversation.response_started(response_id, injected, self.tick())
        if injected:
            self.injected.add(response_id)

    @rule(response_id=responses, item_id=items, text=texts, spoken=st.booleans())
    def agent_says(self, response_id: str, item_id: str, text: str, spoken: bool) -> None:
        self.conversation.agent_text(response_id, item_id, text, spoken=spoken)

    @rule(
        item_id=items,
        played_ms=milliseconds,
        received_ms=milliseconds,
        interrupted=st.booleans(),
        response_id=st.just("") | responses,
    )
    def agent_is_played(
        self,
        item_id: str,
        played_ms: float,
        received_ms: float,
        interrupted: bool,
        response_id: str,
    ) -> None:
        self.conversation.agent_played(
            item_id, played_ms, received_ms, interrupted, response_id=response_id
        )

    @rule(item_id=items, end_character=st.integers(0, 20), end_ms=milliseconds)
    def word_is_timed(self, item_id: str, end_character: int, end_ms: float) -> None:
        timing = WordTiming(end_character=end_character, end_ms=end_ms)
        self.conversation.agent_timed(item_id, [timing])

    @rule(
        response_id=responses,
        status=st.sampled_from(["completed", "interrupted", "incomplete", "failed"]),
    )
    def response_ends(self, response_id: str, status: str) -> None:
        self.conversation.response_ended(response_id, status, Usage(input_text_tokens=1))

    @rule(call_id=calls, response_id=responses)
    def tool_is_called(self, call_id: str, response_id: str) -> None:
        call = ToolCall(id=call_id, name="tool", arguments={}, response_id=response_id)
        self.conversation.tool_called(call, self.tick())

    @rule(call_id=calls, output=st.sampled_from([None, 0, "", {}, "done"]))
    def tool_answers(self, call_id: str, output: object) -> None:
        result = ToolResult(call_id=call_id, output=output)
        self.conversation.tool_answered(result, self.tick())
        if any(
            isinstance(e, ToolRound) and e.call.id == call_id for e in self.conversation.entries
        ):
            self.results.setdefault(call_id, result)

    @invariant()
    def order_is_stable(self) -> None:
        keys = [key(entry) for entry in self.conversation.entries]
        assert keys[: len(self.order)] == self.order
        named = [kind_and_name for kind_and_name in keys if kind_and_name[0] != "user"]
        assert len(set(named)) == len(named)
        self.order = keys

    @invariant()
    def heard_begins_what_was_generated(self) -> None:
        for turn in self.conversation.entries:
            if isinstance(turn, AgentTurn):
                assert turn.text.startswith(turn.heard)
                for item, heard in zip(turn.items, turn.heard_by_item(), strict=True):
                    assert item.text.startswith(heard)
                    assert item.played_ms is None or 0 <= item.played_ms <= item.received_ms

    @invariant()
    def names_are_given_once(self) -> None:
        names = [e.item_id for e in self.conversation.entries if isinstance(e, UserTurn)]
        given = [name for name in names if name is not None]
        assert len(given) == len(set(given))

    @invariant()
    def each_call_has_its_first_result(self) -> None:
        for entry in self.conversation.entries:
            if isinstance(entry, ToolRound):
                assert entry.result == self.results.get(entry.call.id)

    @invariant()
    def history_is_what_the_model_knows(self) -> None:
        agent = [
            entry
            for entry in self.conversation.entries
            if isinstance(entry, AgentTurn) and not entry.injected
        ]
        assert not self.injected & {turn.response_id for turn in agent}
        told = [
            item.text
            for item in self.conversation.history()
            if isinstance(item, Utterance) and item.speaker is Speaker.AGENT
        ]
        texts = [turn.heard if turn.interrupted else turn.text for turn in agent]
        assert told == [text for text in texts if text]

    @invariant()
    def usage_counts_each_response_once(self) -> None:
        ended = [
            entry
            for entry in self.conversation.entries
            if isinstance(entry, AgentTurn) and entry.status is not None
        ]
        assert self.conversation.usage.input_text_tokens == len(ended)
        self.conversation.to_dict()


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
