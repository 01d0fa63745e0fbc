"""Nothing that a server may send breaks the protocol, or its promises to the caller."""

import tracemalloc
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    SendText,
    SendToolResult,
    StartTurn,
)
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    ResponseDone,
    ResponseStarted,
    SpeechDone,
    TextDelta,
    UserTranscript,
    UserTurnCommitted,
)
from tests.providers.gemini_messages import (
    COMPLETE,
    FLASH,
    GENERATED,
    INTERRUPTED,
    LIVE,
    NATIVE,
    OPENED,
    THINKING,
    Message,
    Wire,
    call,
    content,
    heard,
    sound,
    words,
)

models = st.sampled_from([LIVE, THINKING, FLASH, NATIVE])

# A server's messages in no order at all.
messages = st.one_of(
    st.sampled_from(
        [
            OPENED,
            GENERATED,
            COMPLETE,
            INTERRUPTED,
            words("w"),
            heard("h"),
            content(turnComplete=True, interactionStatus="IN_PROGRESS"),
            content(interactionStatus="IDLE"),
            content(interrupted=True, turnComplete=True, inputTranscription={"text": "x"}),
            content(modelTurn={"parts": [{"text": "written"}]}),
            content(turnComplete=True, turnCompleteReason="RESPONSE_REJECTED"),
            {"usageMetadata": {"promptTokenCount": 1, "responseTokenCount": 1}},
            {"toolCallCancellation": {"ids": ["a", "b"]}},
            {"goAway": {"timeLeft": "9.5s"}},
            {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
        ]
    ),
    st.builds(sound, st.binary(max_size=5)),
    st.sampled_from([call("f", ids=("a",)), call("f", "g", ids=("a", "b")), call("f")]),
)
commands: st.SearchStrategy[Command] = st.sampled_from(
    [
        SendText(text="x"),
        SendText(text="y", respond=True),
        SendToolResult(result=ToolResult(call_id="a", output=None)),
        SendToolResult(result=ToolResult(call_id="b", output=1), final=False),
        Respond(),
        Interrupt(played_ms={}),
        StartTurn(),
        EndTurn(),
    ]
)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


def mutate(value: Any, path: list[int], new: Any) -> Any:
    """Replace what lies at `path`, by positions of keys and elements, or leave it out."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    if isinstance(value, list):
        at = path[0] % len(value)
        return [*value[:at], mutate(value[at], path[1:], new), *value[at + 1 :]]
    key = sorted(value)[path[0] % len(value)]
    if new == "leave out":
        return {name: field for name, field in value.items() if name != key}
    return value | {key: mutate(value[key], path[1:], new)}


def check_promises(events: Iterable[Event]) -> None:
    begun: set[str] = set()
    open_: set[str] = set()
    turns: set[str] = set()
    for event in events:
        match event:
            case ResponseStarted(response_id=name):
                assert name not in begun
                assert not open_
                begun.add(name)
                open_.add(name)
            case ResponseDone(response_id=name):
                open_.remove(name)
            case AudioChunk(response_id=name, pcm=pcm):
                assert name in open_
                assert pcm
                assert len(pcm) % 2 == 0
            case TextDelta(response_id=name) | SpeechDone(response_id=name):
                assert name in open_
            case ToolCall(response_id=name):
                assert name in open_
            case Interruption(response_id=name):
                assert name in begun
            case UserTurnCommitted(item_id=name):
                assert name not in turns
                turns.add(name)
            case UserTranscript(item_id=name):
                assert name in turns


@settings(max_examples=300)
@given(models, st.lists(messages | commands, max_size=40))
def test_messages_in_any_order_keep_the_promises(
    model: str, steps: list[Message | Command]
) -> None:
    wire = Wire(model)
    events: list[Event] = []
    for step in steps:
        if isinstance(step, dict):
            events += wire.receive(step)
        else:
            wire.protocol.append_audio(bytes(4))
            try:
                wire.send(step)
            except SettingsError:
                assert isinstance(step, SendToolResult)
    check_promises(events)


@settings(max_examples=300)
@given(
    st.lists(
        st.builds(
            mutate, messages, st.lists(st.integers(0, 9), max_size=6), json | st.just("leave out")
        ),
        max_size=12,
    )
)
def test_broken_messages_keep_the_promises(broken: list[Any]) -> None:
    wire = Wire()
    events: list[Event] = []
    for message in broken:
        events += wire.protocol.receive(orjson.dumps(message))
        wire.protocol.replies()
    check_promises(events)


@given(st.binary() | st.text())
def test_any_bytes_are_an_event_or_nothing(message: bytes | str) -> None:
    assert isinstance(Wire().protocol.receive(message), list)


@pytest.mark.parametrize("model", [LIVE, FLASH])
def test_a_service_that_never_ends_a_turn_fills_no_memory(model: str) -> None:
    wire = Wire(model)

    def flood(number: int) -> None:
        many = "x" * 1000
        for step in (words(many), heard(many), call(many, ids=(f"{number}",))):
            wire.protocol.receive(orjson.dumps(step))
            wire.protocol.replies()
        wire.protocol.receive(orjson.dumps({f"key_{number}": {}}))
        wire.protocol.append_audio(bytes(3200))
        wire.protocol.send(SendText(text="x"))
        wire.protocol.send(EndTurn())

    for number in range(1500):
        flood(number)
    tracemalloc.start()
    for number in range(1500, 3000):
        flood(number)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 6_000_000
