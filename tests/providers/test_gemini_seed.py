"""What was said before, as Gemini is told it, and what may follow it."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.conversation.history import HistoryItem, Notice, Picture, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers import SessionConfig, TurnDetection
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Respond,
    SendText,
    SendToolResult,
    StartTurn,
)
from crossfade.providers.gemini_live import GeminiLiveProtocol
from tests.providers.gemini_messages import (
    FLASH,
    LIVE,
    NATIVE,
    OPENED,
    THINKING,
    Message,
    Wire,
    loads,
)

MODELS = [LIVE, THINKING, FLASH, NATIVE]
ANNOUNCING = [LIVE, THINKING, FLASH]
USER = Utterance(speaker=Speaker.USER, text="My boat is called Petrel.")
CUT = Utterance(speaker=Speaker.AGENT, text="A fine name, it")
GO_ON = Notice(text="Your answer was cut off there.")


def opened(model: str, config: SessionConfig | None = None) -> GeminiLiveProtocol:
    """A session that is open and was not told its history yet."""
    protocol = GeminiLiveProtocol(model)
    protocol.start(config or SessionConfig(), seeded=True)
    protocol.receive(orjson.dumps(OPENED))
    assert protocol.replies() == []
    return protocol


def told(model: str, *history: HistoryItem) -> Message:
    (message,) = loads(opened(model).seed(history))
    content: Message = message["clientContent"]
    return content


@pytest.mark.parametrize("model", ANNOUNCING)
def test_a_history_may_come_long_after_the_session_was_opened(model: str) -> None:
    content = told(model, USER, CUT)
    assert [turn["role"] for turn in content["turns"]] == ["user", "model"]
    assert content["turnComplete"] is True


@pytest.mark.parametrize("model", ANNOUNCING)
def test_an_announced_history_that_is_empty_is_completed(model: str) -> None:
    assert told(model) == {"turnComplete": True}


def test_where_none_is_announced_an_empty_history_is_nothing() -> None:
    assert opened(NATIVE).seed(()) == []


@pytest.mark.parametrize("model", MODELS)
def test_nothing_goes_before_an_announced_history(model: str) -> None:
    protocol = opened(model)
    announced = model in ANNOUNCING
    assert bool(protocol.keepalive()) is not announced
    protocol.seed((USER,))
    assert protocol.keepalive()


def test_a_resumed_session_knows_its_history() -> None:
    protocol = GeminiLiveProtocol(LIVE, resume="handle-1")
    (setup,) = loads(protocol.start(SessionConfig(), seeded=True))
    assert "historyConfig" not in setup["setup"]
    protocol.receive(orjson.dumps(OPENED))
    assert protocol.seed((USER,)) == []
    assert protocol.replies() == []
    assert protocol.keepalive()


def test_pictures_are_shown_and_what_nobody_said_is_in_brackets() -> None:
    content = told(LIVE, USER, Picture(data=b"abc", media_type="image/png"), CUT, GO_ON)
    user, agent, notice = content["turns"]
    assert user["parts"][1] == {"inlineData": {"mimeType": "image/png", "data": "YWJj"}}
    assert agent["parts"] == [{"text": CUT.text}]
    assert notice == {"role": "user", "parts": [{"text": f"[{GO_ON.text}]"}]}


def test_an_open_call_is_told_in_words_and_cannot_be_answered() -> None:
    call = ToolCall(id="call_1", name="depth", arguments={"lake": "Thun"})
    protocol = opened(LIVE)
    (message,) = loads(protocol.seed((USER, call)))
    text = message["clientContent"]["turns"][0]["parts"][1]["text"]
    assert 'depth({"lake":"Thun"})' in text
    with pytest.raises(SettingsError, match="call_1"):
        protocol.send(SendToolResult(result=ToolResult(call_id="call_1", output=217)))


@pytest.mark.parametrize(
    ("model", "request_"),
    [
        (LIVE, {"realtimeInput": {"text": " "}}),
        (THINKING, {"realtimeInput": {"text": " "}}),
        (FLASH, {"realtimeInput": {"text": " "}}),
        (NATIVE, {"clientContent": {"turnComplete": True}}),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_to_go_on_after_a_cut_is_asked_once(model: str, request_: Message, early: bool) -> None:
    history = (USER, CUT, GO_ON)
    if early:
        wire = Wire(model, history=history)
        seed, protocol = wire.replies, wire.protocol
    else:
        protocol = opened(model)
        seed = loads(protocol.seed(history))
    assert len(seed) == 1, "which is no request: it was announced, or is not complete"
    assert seed[0]["clientContent"]["turnComplete"] is (model in ANNOUNCING)
    assert seed[0]["clientContent"]["turns"][-1]["role"] == "user"
    assert loads(protocol.send(Respond())) == [request_]
    assert protocol.replies() == []


TEXTS = st.text(st.characters(), max_size=8)
OUTPUTS = st.integers() | TEXTS
HISTORIES = st.lists(
    st.builds(Utterance, speaker=st.sampled_from(Speaker), text=TEXTS)
    | st.builds(Notice, text=TEXTS)
    | st.builds(Picture, data=st.binary(min_size=1, max_size=4), media_type=st.just("image/png"))
    | st.builds(
        ToolCall,
        id=st.just("a"),
        name=st.just("depth"),
        arguments=st.fixed_dictionaries({"lake": OUTPUTS}),
    )
    | st.builds(ToolResult, call_id=st.sampled_from("ab"), output=OUTPUTS),
    max_size=12,
)


@given(HISTORIES, st.sampled_from(MODELS))
def test_roles_alternate_and_no_part_is_empty(history: list[HistoryItem], model: str) -> None:
    messages = loads(opened(model).seed(history))
    assert len(messages) <= 1
    for message in messages:
        turns = message["clientContent"].get("turns", [])
        roles = [turn["role"] for turn in turns]
        assert all(one != other for one, other in pairwise(roles))
        for turn in turns:
            assert all(part.get("inlineData") or part["text"].strip() for part in turn["parts"])
        assert model != NATIVE or roles[-1] == "user"


STEPS = st.lists(st.sampled_from(["audio", "start", "end", "text", "ask"]), max_size=8)


@given(st.sampled_from(MODELS), STEPS, st.booleans())
def test_the_history_goes_first_then_all_else_in_order(
    model: str, steps: list[str], early: bool
) -> None:
    """Whether the session was open or not when the history was given."""
    config = SessionConfig(turn_detection=TurnDetection.CALLER)
    protocol = GeminiLiveProtocol(model)
    protocol.start(config, seeded=True)
    sent = protocol.seed((USER, CUT)) if early else []
    assert sent == []
    protocol.receive(orjson.dumps(OPENED))
    sent += protocol.replies()
    if not early:
        sent += protocol.seed((USER, CUT))
    commands: dict[str, Command] = {
        "start": StartTurn(),
        "end": EndTurn(),
        "text": SendText(text="Hello"),
        "ask": Respond(),
    }
    expected = []
    for number, step in enumerate(steps):
        if step == "audio":
            pcm = bytes([number] * 640)
            expected.append(pcm)
            sent.append(protocol.append_audio(pcm))
        else:
            sent += protocol.send(commands[step])
    first, *rest = loads(sent)
    assert "Petrel" in str(first)
    assert not any("Petrel" in str(message) for message in rest)
    audio = [message["realtimeInput"]["audio"]["data"] for message in rest if _is_audio(message)]
    assert len(audio) == len(expected)
    marks = [key for message in rest for key in message.get("realtimeInput", {})]
    kinds = {"start": "activityStart", "end": "activityEnd", "audio": "audio"}
    assert [key for key in marks if key != "text"] == [kinds[s] for s in steps if s in kinds]


def _is_audio(message: Message) -> bool:
    return "audio" in message.get("realtimeInput", {})
