"""Whatever happens in whatever order, the ledger holds its rules."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crossfade.conversation.heard import (
    TYPICAL_CHARACTERS_PER_S,
    WordTiming,
    spoken_length,
)
from crossfade.conversation.history import Notice, Speaker, Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.records import from_record, to_record
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import (
    AgentTurn,
    Entry,
    Summary,
    ToolRound,
    UserImage,
    UserTurn,
)
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
    if isinstance(entry, ToolRound):
        return "tool", entry.call.id
    if isinstance(entry, UserImage):
        return "image", entry.image_id
    return "summary", entry


class Ledger(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.conversation = Conversation()
        self.conversation.on_change = self.store
        self.stored: dict[int, dict[str, object]] = {}
        self.cut: dict[str, str] = {}
        self.now_s = 0.0
        self.order: list[tuple[str, object]] = []
        self.results: dict[str, ToolResult] = {}
        self.injected: set[str] = set()

    def store(self, position: int) -> None:
        self.stored[position] = to_record(self.conversation.entries[position])

    def tick(self) -> float:
        self.now_s += 1.0
        return self.now_s

    @rule(item_id=st.none() | users)
    def user_starts(self, item_id: str | None) -> None:
        self.conversation.user_started(item_id, self.tick())

    @rule()
    def user_stops(self) -> None:
        self.conversation.user_stopped(self.tick())

    @rule(for_s=st.floats(0.1, 3.0))
    def noise_is_taken_for_a_turn(self, for_s: float) -> None:
        self.conversation.user_started(None, self.tick())
        self.now_s += for_s
        self.conversation.user_stopped(self.now_s)

    @rule()
    def speech_is_heard(self) -> None:
        self.conversation.speech_heard(self.tick())

    @rule()
    def speech_is_over(self) -> None:
        self.conversation.speech_over(self.tick())

    @rule()
    def speech_is_dropped(self) -> None:
        self.conversation.speech_dropped()

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

    @rule(response_id=responses, received_ms=st.dictionaries(items, milliseconds))
    def line_dies(self, response_id: str, received_ms: dict[str, float]) -> None:
        usage = Usage(input_text_tokens=1)
        self.conversation.response_ended(response_id, "cut", usage, received_ms=received_ms)
        for turn in self.conversation.entries:
            if isinstance(turn, AgentTurn) and turn.status == "cut":
                self.cut.setdefault(turn.response_id, turn.text)

    @rule(data=st.sampled_from([b"one", b"two"]))
    def user_shows(self, data: bytes) -> None:
        self.conversation.user_image(data, "image/png", self.tick())

    @rule(upto=st.integers(0, 12), text=texts)
    def oldest_is_summarised(self, upto: int, text: str) -> None:
        self.conversation.summarised(text, upto, self.tick())

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
    def no_spoken_turn_ends_before_it_begins(self) -> None:
        for entry in self.conversation.entries:
            if isinstance(entry, UserTurn) and entry.stopped_at_s is not None:
                assert entry.started_at_s <= entry.stopped_at_s

    @invariant()
    def each_call_has_its_first_result(self) -> None:
        for entry in self.conversation.entries:
            if isinstance(entry, ToolRound):
                assert entry.result == self.results.get(entry.call.id)

    @invariant()
    def a_cut_answer_gets_no_more_words_and_is_continued_once(self) -> None:
        continued = []
        for turn in self.conversation.entries:
            if isinstance(turn, AgentTurn):
                assert turn.text == self.cut.get(turn.response_id, turn.text)
                if turn.continues is not None:
                    assert turn.continues in self.cut
                    assert not turn.injected
                    continued.append(turn.continues)
        assert len(continued) == len(set(continued))

    @invariant()
    def what_is_stored_is_the_conversation(self) -> None:
        entries = [from_record(self.stored[at]) for at in range(len(self.stored))]
        again = Conversation.restored(entries)
        assert again.entries == self.conversation.entries
        assert again.usage == self.conversation.usage

    @invariant()
    def open_calls_are_told_last_and_only_if_asked_for(self) -> None:
        told = self.conversation.history()
        calls = [e for e in self.conversation.entries if isinstance(e, ToolRound)]
        waiting = tuple(round_.call for round_ in calls if round_.call.id not in self.results)
        assert self.conversation.history(open_calls=True) == (*told, *waiting)

    @invariant()
    def history_is_what_the_model_knows(self) -> None:
        entries, history = self.conversation.entries, self.conversation.history()
        summaries = [entry for entry in entries if isinstance(entry, Summary)]
        if summaries:
            assert history[0] == Notice(text=summaries[-1].text)
            assert [s.upto for s in summaries] == sorted({s.upto for s in summaries})
            entries = entries[summaries[-1].upto :]
        agent = [entry for entry in entries if isinstance(entry, AgentTurn) and not entry.injected]
        assert not self.injected & {turn.response_id for turn in agent}
        told = [
            item.text
            for item in history
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


@given(
    words=st.lists(st.sampled_from(["one", "twelve", "a", "日本", "Saturday,"]), min_size=1),
    said=st.integers(0, 60),
    received_ms=st.floats(0, 20_000),
    played=st.floats(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_a_cut_answer_and_its_rest_are_the_whole(
    words: list[str], said: int, received_ms: float, played: float
) -> None:
    whole = " ".join(words)
    conversation = Conversation()
    conversation.response_started("r1", False, 1.0)
    conversation.agent_text("r1", "a1", whole[:said])
    conversation.response_ended("r1", "cut", received_ms={"a1": received_ms})
    conversation.agent_text("r1", "a1", " too late")
    cut = conversation.entries[0]
    assert isinstance(cut, AgentTurn)
    assert whole.startswith(cut.text)
    # No more than half a word beyond what a typical voice says.
    assert spoken_length(cut.text) <= received_ms / 1000 * TYPICAL_CHARACTERS_PER_S + 5

    conversation.response_started("r2", False, 2.0)
    conversation.agent_text("r2", "a2", whole[len(cut.text) :])
    conversation.response_ended("r2", "completed")
    conversation.agent_played("a1", played * received_ms, received_ms, True)
    first, rest = conversation.entries
    assert isinstance(first, AgentTurn)
    assert isinstance(rest, AgentTurn)
    assert rest.continues == ("r1" if first.text else None)
    assert first.text + rest.items[0].text == whole
    assert first.text.startswith(first.heard)
    parts = [part["text"] for part in conversation.to_dict()["turns"]]
    assert parts == ([first.text, rest.text] if first.text else [rest.text])


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
