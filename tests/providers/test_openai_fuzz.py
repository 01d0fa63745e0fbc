"""Nothing that a server may send breaks the protocol, or its promises to the caller."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    RespondAside,
    Say,
    SendImage,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.events import (
    AudioChunk,
    Event,
    Interruption,
    ResponseDone,
    ResponseStarted,
    SpeechDone,
    TextDelta,
)
from crossfade.providers.openai_dialects import DIALECTS, Dialect
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from tests.providers.openai_messages import (
    Message,
    arguments_done,
    audio,
    call_item,
    committed,
    created,
    done,
    error,
    item_added,
    item_done,
    session_updated,
    speech_started,
    speech_stopped,
    spoken_item,
    transcribed,
    words,
    written,
)

responses = st.sampled_from(["r1", "r2", "r3", "r4", "r5"])
items = st.sampled_from(["a", "b", "c"])

ASIDE = "aside"
TRANSCRIPTION = "conversation.item.input_audio_transcription"

# A server's messages in no order at all.
messages = st.one_of(
    st.sampled_from(
        [
            session_updated(),
            speech_started(),
            speech_stopped(),
            committed(),
            item_added(type="function_call_output"),
            {"type": "input_audio_buffer.cleared"},
            {"type": "input_audio_buffer.timeout_triggered", "item_id": "u2"},
            committed("u2", after="user_1"),
            committed("u3"),
            transcribed("One."),
            transcribed("", "u2"),
            {"type": f"{TRANSCRIPTION}.delta", "item_id": "u3", "delta": "Th"},
            {"type": f"{TRANSCRIPTION}.updated", "item_id": "u3", "transcript": "Thr"},
            {"type": f"{TRANSCRIPTION}.failed", "item_id": "u3", "error": None},
            {"type": "conversation.item.deleted", "item_id": "user_1"},
            error("conversation_already_has_active_response"),
            error("invalid_value"),
            error(None, "No active response."),
            error(None, "Something else.", "crossfade_item_1"),
            error(None, "Something else.", "crossfade_response_1"),
            {"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "limit": 1}]},
            item_added(type="message", role="user", content=[{"type": "input_text"}]),
        ]
    ),
    st.builds(created, responses),
    st.builds(
        lambda response, name: created(response, {"crossfade_injected": name}),
        responses,
        st.sampled_from(["true", "crossfade_response_1", "crossfade_response_2"]),
    ),
    st.builds(done, responses, st.sampled_from(["completed", "cancelled", "failed", "odd"])),
    st.builds(audio, st.binary(max_size=7), items, responses),
    st.builds(words, st.text(max_size=3), items, responses),
    st.builds(written, st.text(max_size=3), items, responses),
    st.builds(lambda item, r: item_done(spoken_item("xyz", item), r), items, responses),
    st.builds(lambda r: item_done(call_item("c", "f", "{}"), r), responses),
    st.builds(lambda r: arguments_done("c", "f", "{", r), responses),
)
commands: st.SearchStrategy[Command] = st.one_of(
    st.sampled_from(
        [
            SendText(text="x"),
            SendText(text="x", respond=True),
            SendImage(data=b"x", media_type="image/png"),
            SendToolResult(result=ToolResult(call_id="c", output=None)),
            SendToolResult(result=ToolResult(call_id="c", output=1), final=False),
            Update(instructions="x"),
            Respond(),
            Say(text="x"),
            RespondAside(instructions="x", label=ASIDE),
            StartTurn(),
            EndTurn(),
        ]
    ),
    st.builds(Interrupt, played_ms=st.dictionaries(items, st.floats(allow_nan=True), max_size=3)),
)

json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


def mutate(message: Message, path: list[int], value: Any) -> Message:
    """Replace what lies at `path`, by positions of keys, or leave it out."""
    if not path:
        return message
    keys = sorted(message)
    key = keys[path[0] % len(keys)]
    inner = message[key]
    if len(path) > 1 and isinstance(inner, dict) and inner:
        return message | {key: mutate(inner, path[1:], value)}
    if value == "leave out":
        return {name: field for name, field in message.items() if name != key}
    return message | {key: value}


mutated = st.builds(
    mutate, messages, st.lists(st.integers(0, 20), max_size=4), json | st.just("leave out")
)


def check_promises(events: Iterable[Event], ended: set[str], running: dict[str, bool]) -> None:
    """Each response begins once and ends once, and what comes of it lies between, uncut."""
    for event in events:
        match event:
            case ResponseStarted(response_id=name):
                assert name not in running
                assert name not in ended
                running[name] = True
            case Interruption(response_id=name):
                # What is done already may still be playing.
                assert running.get(name, name in ended)
                if name in running:
                    running[name] = False
            case ResponseDone(response_id=name):
                del running[name]
                ended.add(name)
            case AudioChunk() | TextDelta() | SpeechDone() | ToolCall():
                assert running[event.response_id]
        if isinstance(event, AudioChunk):
            assert event.pcm
            assert len(event.pcm) % 2 == 0


@settings(max_examples=200, deadline=None)
@given(
    detection=st.sampled_from(TurnDetection),
    interruptible=st.booleans(),
    dialect=st.sampled_from(list(DIALECTS.values())),
    steps=st.lists(messages | commands, max_size=40),
)
def test_any_order_of_messages_and_commands_keeps_the_promises(
    detection: TurnDetection, interruptible: bool, dialect: Dialect, steps: list[Message | Command]
) -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1", dialect)
    protocol.start(SessionConfig(turn_detection=detection, interruptible=interruptible))
    ended: set[str] = set()
    running: dict[str, bool] = {}
    # The one that was announced last holds others up, until somebody asks for an answer in vain
    # and then again.
    latest = ""
    in_vain = False
    asides: set[str] = set()
    for step in steps:
        if in_vain and asks(step):
            latest = ""
        if isinstance(step, dict):
            events = protocol.receive(orjson.dumps(step))
            check_promises(events, ended, running)
            asides |= {
                event.response_id
                for event in events
                if isinstance(event, ResponseStarted) and event.label == ASIDE
            }
            for event in events:
                if isinstance(event, ResponseStarted) and "response" in step:
                    latest = latest if event.label == ASIDE else event.response_id
                elif isinstance(event, ResponseDone):
                    latest = "" if latest == event.response_id else latest
            sent = protocol.replies()
        elif isinstance(step, StartTurn | EndTurn) and detection is not TurnDetection.CALLER:
            continue
        else:
            if isinstance(step, Interrupt):
                running = {name: name in asides for name in running}
            sent = protocol.send(step)
        asked = sum(b'"response.create"' in message for message in sent)
        assert asked <= 1
        if asks(step) and not asked:
            in_vain = True
        elif any(b'"response.create"' in m and b'"metadata"' not in m for m in sent):
            in_vain = False
        if not isinstance(step, RespondAside):
            assert not asked or not latest, "one response at a time"


def asks(step: Message | Command) -> bool:
    """Whether somebody may ask for the next answer: the caller, or the protocol for them."""
    if isinstance(step, dict):
        return step["type"] in ("input_audio_buffer.committed", "error")
    return isinstance(step, Respond | EndTurn) or (isinstance(step, SendText) and step.respond)


def serve(protocol: OpenAIRealtimeProtocol, sent: list[bytes], names: Iterator[int]) -> int:
    """A service that answers whatever is asked for, and says how often that was."""
    asked = 0
    for _ in range(20):
        creates = [orjson.loads(m) for m in sent if b'"response.create"' in m]
        asked += len(creates)
        sent = []
        for create in creates:
            name = f"answer_{next(names)}"
            for message in (
                created(name, create.get("response", {}).get("metadata")),
                done(name),
            ):
                protocol.receive(orjson.dumps(message))
                sent += protocol.replies()
        if not sent:
            break
    return asked


@settings(max_examples=200, deadline=None)
@given(
    interruptible=st.booleans(),
    dialect=st.sampled_from(list(DIALECTS.values())),
    steps=st.lists(messages | commands, max_size=30),
)
def test_nothing_makes_the_caller_wait_forever(
    interruptible: bool, dialect: Dialect, steps: list[Message | Command]
) -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1", dialect)
    protocol.start(SessionConfig(interruptible=interruptible))
    for step in steps:
        if isinstance(step, dict):
            protocol.receive(orjson.dumps(step))
            protocol.replies()
        elif not isinstance(step, StartTurn | EndTurn):
            protocol.send(step)
    names = count()
    if not interruptible:
        # A service that never answers by itself ends what it announced, and fails at the rest.
        begun = [step for step in steps if isinstance(step, dict) and "response" in step]
        ends = [done(step["response"]["id"]) for step in begun]
        for message in (*ends, error(None, "Something failed.")):
            protocol.receive(orjson.dumps(message))
            serve(protocol, protocol.replies(), names)
        protocol.receive(orjson.dumps(error(None, "Something failed.")))
    for turn in range(3):
        item = f"turn_{turn}"
        for message in (speech_started(item), speech_stopped(item), committed(item)):
            protocol.receive(orjson.dumps(message))
        sent = protocol.replies()
        if interruptible:
            name = f"own_{turn}"
            for message in (created(name), done(name)):
                protocol.receive(orjson.dumps(message))
                sent += protocol.replies()
        serve(protocol, sent, names)
    assert serve(protocol, protocol.send(Respond()), names) >= 1


@settings(max_examples=300, deadline=None)
@given(
    detection=st.sampled_from(TurnDetection),
    interruptible=st.booleans(),
    interrupts=st.booleans(),
    dialect=st.sampled_from(list(DIALECTS.values())),
    steps=st.lists(messages | commands, max_size=30),
)
def test_who_asks_again_is_never_held_by_a_service_that_says_nothing_more(
    detection: TurnDetection,
    interruptible: bool,
    interrupts: bool,
    dialect: Dialect,
    steps: list[Message | Command],
) -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1", dialect)
    protocol.start(SessionConfig(turn_detection=detection, interruptible=interruptible))
    owns_turns = detection is TurnDetection.CALLER
    for step in steps:
        if isinstance(step, dict):
            protocol.receive(orjson.dumps(step))
            protocol.replies()
        elif owns_turns or not isinstance(step, StartTurn | EndTurn):
            protocol.send(step)
    if owns_turns:
        protocol.send(EndTurn())
    asked: list[list[bytes]] = []
    # The first ask may wait, the second looks whether what runs is still alive, the third goes,
    # or one of the phrases that were asked for before.
    for _ in range(3 + 2 * 8):
        sent = protocol.send(Interrupt(played_ms={})) if interrupts else []
        sent += protocol.send(Respond())
        asked.append([message for message in sent if b'"response.create"' in message])
    assert all(any(asked[at : at + 3]) for at in range(len(asked) - 2))
    assert any(b'"metadata"' not in message for creates in asked for message in creates)


@settings(max_examples=300, deadline=None)
@given(
    dialect=st.sampled_from(list(DIALECTS.values())),
    steps=st.lists(messages | commands, max_size=30),
)
def test_who_writes_is_held_by_no_turn(dialect: Dialect, steps: list[Message | Command]) -> None:
    """However the user's turn stands, only a response that runs holds what they write up."""
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1", dialect)
    protocol.start(SessionConfig())
    turn = [step for step in steps if isinstance(step, dict) and "response" not in str(step)]
    for message in turn:
        protocol.receive(orjson.dumps(message))
        protocol.replies()
    sent = protocol.send(SendText(text="Hello?", respond=True))
    assert any(b'"response.create"' in message for message in sent)


@settings(max_examples=300, deadline=None)
@given(st.lists(mutated, max_size=25))
def test_mutated_messages_never_raise(broken: list[Message]) -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    protocol.start(SessionConfig())
    for message in broken:
        try:
            data = orjson.dumps(message)
        except TypeError:
            continue
        protocol.receive(data)
        protocol.replies()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.text(max_size=60), max_size=10))
def test_noise_never_raises(noise: list[bytes | str]) -> None:
    protocol = OpenAIRealtimeProtocol("gpt-realtime-2.1")
    for message in noise:
        protocol.receive(message)
        assert protocol.replies() == []
