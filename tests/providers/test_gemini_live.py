"""What goes to the service, and the messages about the session."""

import base64

import orjson
import pytest

from crossfade.conversation.history import HistoryItem, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers.commands import (
    Delivery,
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
    ProviderError,
    ResumptionHandle,
    SessionExpiring,
    SessionOpened,
    Severity,
    ToolCallCancelled,
)
from crossfade.providers.events import ToolCall as CallEvent
from crossfade.providers.gemini_address import Vertex
from crossfade.providers.gemini_live import gemini_protocol
from tests.providers.gemini_messages import (
    COMPLETE,
    FLASH,
    GENERATED,
    LIVE,
    NATIVE,
    OPENED,
    THINKING,
    Message,
    Wire,
    call,
    sound,
)

USER = Utterance(speaker=Speaker.USER, text="My boat is called Petrel.")
AGENT = Utterance(speaker=Speaker.AGENT, text="A fine name.")
PCM = b"\x01\x02" * 320


def texts(*lines: str, complete: bool) -> Message:
    parts = [{"text": line} for line in lines]
    turns = {"turns": [{"role": "user", "parts": parts}]} if lines else {}
    return {"clientContent": {**turns, "turnComplete": complete}}


def realtime(text: str) -> Message:
    return {"realtimeInput": {"text": text}}


def audio(pcm: bytes) -> Message:
    data = base64.b64encode(pcm).decode()
    return {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}}


def answer(
    call_id: str,
    output: object = "ok",
    *,
    final: bool = True,
    delivery: Delivery = Delivery.WHEN_IDLE,
) -> SendToolResult:
    result = ToolResult(call_id=call_id, output=output)
    return SendToolResult(result=result, final=final, delivery=delivery)


def response(message: Message) -> Message:
    (entry,) = message["toolResponse"]["functionResponses"]
    assert isinstance(entry, dict)
    return entry


def blocking(model: str) -> Wire:
    tool = ToolDeclaration(name="depth", description="d", blocking=True)
    wire = Wire(model, SessionConfig(tools=[tool]))
    wire.receive(call("depth", ids=("a",)))
    return wire


def test_the_session_is_open_when_the_setup_is_accepted_and_only_once() -> None:
    wire = Wire(opened=False)
    opened = {"setupComplete": {"sessionId": "s1"}}
    assert wire.receive(opened, OPENED) == [SessionOpened(session_id="s1", model=LIVE)]


@pytest.mark.parametrize("frame", [b'{"setupComplete":{}}', '{"setup_complete":{}}'])
def test_text_and_binary_frames_say_the_same(frame: str | bytes) -> None:
    (event,) = Wire(opened=False).protocol.receive(frame)
    assert isinstance(event, SessionOpened)


def test_audio_is_told_with_its_rate() -> None:
    assert orjson.loads(Wire().protocol.append_audio(PCM)) == audio(PCM)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (NATIVE, texts("Hello", complete=True)),
        (FLASH, realtime("Hello")),
        (LIVE, realtime("Hello")),
        (THINKING, realtime("Hello")),
    ],
)
def test_text_to_be_answered_goes_the_way_of_the_generation(model: str, message: Message) -> None:
    assert Wire(model).send(SendText(text="Hello", respond=True)) == [message]


@pytest.mark.parametrize(
    ("model", "said", "asked"),
    [
        (NATIVE, [texts("Hello", complete=False)], [texts(complete=True)]),
        (FLASH, [], [realtime("Hello")]),
        (LIVE, [texts("Hello", complete=False)], [texts(complete=True), realtime(" ")]),
    ],
)
def test_text_not_to_be_answered_waits_for_the_request(
    model: str, said: list[Message], asked: list[Message]
) -> None:
    wire = Wire(model)
    assert wire.send(SendText(text="Hello")) == said
    assert wire.send(Respond()) == asked


@pytest.mark.parametrize(
    ("model", "message"),
    [(NATIVE, texts(complete=True)), (FLASH, realtime(" ")), (LIVE, realtime(" "))],
)
def test_the_agent_is_asked_to_begin(model: str, message: Message) -> None:
    assert Wire(model).send(Respond()) == [message]


def test_text_waits_while_the_agent_speaks_for_it_would_cut_the_answer() -> None:
    wire = Wire()
    wire.receive(sound())
    assert wire.send(SendText(text="And then?", respond=True)) == []
    wire.receive(GENERATED)
    assert wire.replies == []
    wire.receive(COMPLETE)
    assert wire.replies == [realtime("And then?")]


def test_text_goes_when_the_caller_interrupts() -> None:
    wire = Wire()
    wire.receive(sound())
    wire.send(SendText(text="Stop.", respond=True))
    assert wire.send(Interrupt(played_ms={})) == [realtime("Stop.")]


@pytest.mark.parametrize("model", [LIVE, FLASH, THINKING])
def test_an_announced_history_follows_the_setup_and_is_complete(model: str) -> None:
    wire = Wire(model, history=(USER, AGENT), opened=False)
    assert wire.setup["historyConfig"] == {"initialHistoryInClientContent": True}
    assert wire.protocol.replies() == []
    wire.receive(OPENED)
    assert wire.replies == [
        {
            "clientContent": {
                "turns": [
                    {"role": "user", "parts": [{"text": "My boat is called Petrel."}]},
                    {"role": "model", "parts": [{"text": "A fine name."}]},
                ],
                "turnComplete": True,
            }
        }
    ]


def test_the_older_history_ends_with_the_user_and_waits() -> None:
    wire = Wire(NATIVE, history=(USER, AGENT))
    assert "historyConfig" not in wire.setup
    (message,) = wire.replies
    assert [turn["role"] for turn in message["clientContent"]["turns"]] == ["user", "model", "user"]
    assert message["clientContent"]["turnComplete"] is False


def test_a_history_alternates_and_tells_tools_in_words() -> None:
    history: tuple[HistoryItem, ...] = (
        USER,
        ToolCall(id="c", name="depth", arguments={"lake": "Thun"}),
        ToolResult(call_id="c", output={"metres": 217}),
        Utterance(speaker=Speaker.AGENT, text=" "),
        USER,
    )
    (message,) = Wire(NATIVE, history=history).replies
    (turn,) = message["clientContent"]["turns"]
    assert [part["text"] for part in turn["parts"]] == [
        USER.text,
        '[depth({"lake":"Thun"}) gave: {"metres":217}]',
        USER.text,
    ]


def test_an_image_is_shown() -> None:
    assert Wire().send(SendImage(data=b"abc", media_type="image/png")) == [
        {"realtimeInput": {"video": {"mimeType": "image/png", "data": "YWJj"}}}
    ]


def test_the_caller_marks_the_turns() -> None:
    wire = Wire(config=SessionConfig(turn_detection=TurnDetection.CALLER))
    assert wire.send(StartTurn(), EndTurn()) == [
        {"realtimeInput": {"activityStart": {}}},
        {"realtimeInput": {"activityEnd": {}}},
    ]


def test_instructions_and_tools_are_changed_in_the_middle() -> None:
    tools = [ToolDeclaration(name="depth", description="d")]
    assert Wire().send(Update(instructions="Be kind.", tools=tools)) == [
        {
            "contextUpdate": {
                "systemInstruction": {"role": "user", "parts": [{"text": "Be kind."}]},
                "tools": {
                    "tools": [{"functionDeclarations": [{"name": "depth", "description": "d"}]}]
                },
            }
        }
    ]


def test_an_update_says_what_differs_and_nothing_else() -> None:
    tools = [ToolDeclaration(name="depth", description="d")]
    wire = Wire(config=SessionConfig(instructions="Be brief.", tools=tools))
    same = Update(instructions="Be brief.", tools=tuple(tools))
    assert wire.send(Update(), same) == []
    (message,) = wire.send(Update(instructions="Be kind.", tools=tools))
    assert list(message["contextUpdate"]) == ["systemInstruction"]
    assert wire.send(Update(instructions="Be kind.")) == []
    assert len(wire.send(Update(instructions="Be brief."), Update(tools=[]))) == 2


@pytest.mark.parametrize("aside", [Say(text="One moment."), RespondAside(instructions="Sum up.")])
def test_nothing_is_said_outside_the_conversation(aside: Say | RespondAside) -> None:
    with pytest.raises(SettingsError, match="outside"):
        Wire().send(aside)


# Tools


def test_a_tool_is_answered_by_name_and_spoken_of_without_being_asked() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    (message,) = wire.send(answer("a", {"metres": 217}), Respond())
    assert response(message) == {
        "id": "a",
        "name": "depth",
        "response": {"output": {"metres": 217}},
        "scheduling": "WHEN_IDLE",
    }


def test_a_request_that_waits_for_a_tool_is_answered_with_its_result() -> None:
    wire = blocking(FLASH)
    assert wire.send(Respond()) == []
    (message,) = wire.send(answer("a"))
    assert "toolResponse" in message


def test_an_answer_is_asked_for_again_once_the_turn_of_the_tool_is_over() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)), GENERATED, COMPLETE)
    wire.send(answer("a"))
    wire.receive(sound())
    assert wire.send(Respond(), Respond()) == []
    wire.receive(GENERATED, COMPLETE)
    assert wire.send(Respond()) == [realtime(" ")]


@pytest.mark.parametrize("fast", [False, True])
def test_what_the_model_says_while_a_tool_runs_is_not_yet_the_answer(fast: bool) -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    if fast:
        wire.send(answer("a"))
    wire.receive(sound())
    if not fast:
        wire.send(answer("a"))
    assert wire.send(Respond()) == []
    wire.receive(GENERATED, COMPLETE)
    assert wire.send(Respond()) == [], "it answers by itself"
    assert wire.replies == []
    assert wire.send(SendText(text="And how wide?", respond=True)) == [realtime("And how wide?")]


def test_partial_results_say_that_more_comes() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    partial, final = wire.send(answer("a", final=False), answer("a"))
    assert response(partial)["willContinue"] is True
    assert "willContinue" not in response(final)
    assert wire.send(answer("a")) == []


def test_a_result_that_cannot_be_said_leaves_the_call_open() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    with pytest.raises(SettingsError):
        wire.send(answer("a", object()))
    assert len(wire.send(answer("a"))) == 1


def test_an_error_is_told_as_such() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    failed = ToolResult(call_id="a", output="no such lake", is_error=True)
    (message,) = wire.send(SendToolResult(result=failed))
    assert response(message)["response"] == {"error": "no such lake"}


def test_a_call_that_was_taken_back_is_not_answered() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    taken_back = {"toolCallCancellation": {"ids": ["a", "unknown", 7]}}
    assert wire.receive(taken_back, taken_back) == [ToolCallCancelled(call_id="a")]
    assert wire.send(answer("a")) == []


@pytest.mark.parametrize("settled", [False, True])
def test_a_call_that_is_repeated_is_one_call(settled: bool) -> None:
    wire = Wire()
    first = wire.receive(call("depth", ids=("a",)))
    assert len([event for event in first if isinstance(event, CallEvent)]) == 1
    if settled:
        wire.send(answer("a"))
    assert wire.receive(call("depth", ids=("a",))) == []
    beside_another = wire.receive(call("depth", "width", ids=("a", "b")))
    assert [event.id for event in beside_another if isinstance(event, CallEvent)] == ["b"]
    twice_at_once = wire.receive(call("depth", "depth", ids=("c", "c")))
    assert [event.id for event in twice_at_once if isinstance(event, CallEvent)] == ["c"]


@pytest.mark.parametrize(
    ("delivery", "scheduling"),
    [
        (Delivery.INTERRUPT, "INTERRUPT"),
        (Delivery.WHEN_IDLE, "WHEN_IDLE"),
        (Delivery.SILENT, "SILENT"),
    ],
)
def test_the_caller_chooses_when_a_result_is_spoken_of(delivery: Delivery, scheduling: str) -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    partial, final = wire.send(
        answer("a", final=False, delivery=delivery), answer("a", delivery=delivery)
    )
    assert response(partial)["scheduling"] == response(final)["scheduling"] == scheduling


def test_a_model_that_falls_silent_over_a_result_is_asked_the_second_time() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    wire.send(answer("a"))
    wire.receive(GENERATED, COMPLETE)
    assert wire.send(Respond()) == []
    assert wire.send(Respond()) == [realtime(" ")]


def test_a_silent_result_is_spoken_of_only_when_asked() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    _, asked = wire.send(answer("a", delivery=Delivery.SILENT), Respond())
    assert asked == realtime(" ")


@pytest.mark.parametrize("model", [LIVE, FLASH, NATIVE])
def test_who_waits_for_a_result_speaks_of_it(model: str) -> None:
    wire = blocking(model)
    with pytest.raises(SettingsError, match="waits for"):
        wire.send(answer("a", delivery=Delivery.SILENT))
    (message,) = wire.send(answer("a", delivery=Delivery.INTERRUPT))
    assert "scheduling" not in response(message)


def test_vertex_knows_no_delivery() -> None:
    wire = Wire(service=Vertex(project="p", location="l"))
    assert not wire.protocol.profile.interrupting_results
    wire.receive(call("depth", ids=("a",)))
    with pytest.raises(SettingsError, match="Vertex"):
        wire.send(answer("a", delivery=Delivery.SILENT))
    (message,) = wire.send(answer("a"))
    assert "scheduling" not in response(message)


def test_vertex_is_told_no_behavior_so_no_tool_holds_the_microphone() -> None:
    tool = ToolDeclaration(name="depth", description="d", blocking=True)
    config = SessionConfig(tools=[tool])
    wire = Wire(config=config, service=Vertex(project="p", location="l"))
    wire.receive(call("depth", ids=("a",)))
    assert orjson.loads(wire.protocol.append_audio(PCM)) == audio(PCM)


def test_a_call_of_another_session_is_refused() -> None:
    with pytest.raises(SettingsError, match="no tool call x"):
        Wire().send(answer("x"))


def test_calls_without_ids_are_named_and_answered_without() -> None:
    wire = Wire(service=Vertex(project="p", location="l"))
    first, second = (e for e in wire.receive(call("depth", "depth")) if isinstance(e, CallEvent))
    assert first.id != second.id != ""
    (message,) = wire.send(answer(second.id))
    assert response(message) == {"name": "depth", "response": {"output": "ok"}}


def test_arguments_that_are_no_object_are_handed_on() -> None:
    message = {"toolCall": {"functionCalls": [{"id": "a", "name": "depth", "args": [1]}]}}
    (event,) = (e for e in Wire().receive(message) if isinstance(e, CallEvent))
    assert (event.arguments, event.unparsed) == ({}, "[1]")


def test_the_keys_of_arguments_stay_as_they_are() -> None:
    args = {"lake_name": {"short_form": 1}}
    message = {"tool_call": {"function_calls": [{"id": "a", "name": "depth", "args": args}]}}
    (event,) = (e for e in Wire().receive(message) if isinstance(e, CallEvent))
    assert event.arguments == args


@pytest.mark.parametrize("model", [LIVE, FLASH, NATIVE])
def test_audio_waits_while_the_model_waits_for_a_tool(model: str) -> None:
    wire = blocking(model)
    assert wire.protocol.append_audio(PCM) == b""
    assert wire.protocol.append_audio(PCM) == b""
    assert wire.protocol.keepalive() == []
    assert wire.send(SendText(text="Hello?", respond=True)) == []
    result, held, text = wire.send(answer("a"))
    assert "scheduling" not in response(result)
    assert held == audio(PCM + PCM)
    assert text in (realtime("Hello?"), texts("Hello?", complete=True))
    assert orjson.loads(wire.protocol.append_audio(PCM)) == audio(PCM)


def test_audio_flows_while_a_tool_runs_that_does_not_block() -> None:
    wire = Wire()
    wire.receive(call("depth", ids=("a",)))
    assert orjson.loads(wire.protocol.append_audio(PCM)) == audio(PCM)


def test_held_audio_goes_when_the_call_is_taken_back() -> None:
    wire = blocking(FLASH)
    wire.protocol.append_audio(PCM)
    wire.receive({"toolCallCancellation": {"ids": ["a"]}})
    assert wire.replies == [audio(PCM)]


def test_the_marks_of_a_turn_keep_their_place_in_held_audio() -> None:
    wire = blocking(FLASH)
    wire.protocol.append_audio(PCM)
    assert wire.send(EndTurn()) == []
    wire.protocol.append_audio(PCM)
    _, *held = wire.send(answer("a"))
    assert held == [audio(PCM), {"realtimeInput": {"activityEnd": {}}}, audio(PCM)]


def test_of_a_long_wait_the_latest_minute_is_kept() -> None:
    wire = blocking(FLASH)
    for _ in range(70):
        wire.protocol.append_audio(bytes(32000))
    _, *held = wire.send(answer("a"))
    seconds = [message["realtimeInput"]["audio"]["data"] for message in held]
    assert len(seconds) == 60
    assert wire.protocol.dropped_audio_ms == 10_000


@pytest.mark.parametrize("model", [LIVE, FLASH, NATIVE])
def test_a_model_that_waits_takes_no_partial_results(model: str) -> None:
    wire = blocking(model)
    with pytest.raises(SettingsError, match="the result of depth"):
        wire.send(answer("a", final=False))
    assert len(wire.send(answer("a"))) == 1


def test_a_model_that_waits_unless_told_otherwise_names_the_tool_it_was_not_told_of() -> None:
    wire = Wire(NATIVE)
    wire.receive(call("depth", ids=("a",)))
    with pytest.raises(SettingsError, match="blocking=False"):
        wire.send(answer("a", final=False))


def test_an_object_of_any_properties_goes_as_text_and_comes_back_as_an_object() -> None:
    free = {"type": "object", "additionalProperties": {"type": "string"}}
    tool = ToolDeclaration(
        name="depth", description="d", parameters={"type": "object", "properties": {"by": free}}
    )
    wire = Wire(config=SessionConfig(tools=[tool]))
    (declared,) = wire.setup["tools"][0]["functionDeclarations"]
    assert declared["parameters"]["properties"]["by"]["type"] == "STRING"
    args = {"by": '{"lake": "Thun"}'}
    message = {"toolCall": {"functionCalls": [{"id": "a", "name": "depth", "args": args}]}}
    (event,) = (e for e in wire.receive(message) if isinstance(e, CallEvent))
    assert event.arguments == {"by": {"lake": "Thun"}}


# The session


@pytest.mark.parametrize(
    ("left", "seconds"), [("9.5s", 9.5), ("50s", 50.0), ("soon", None), (7, None), (None, None)]
)
def test_the_end_is_announced(left: object, seconds: float | None) -> None:
    assert Wire().receive({"goAway": {"timeLeft": left}}) == [SessionExpiring(in_s=seconds)]


def test_a_handle_is_good_only_while_the_session_can_be_resumed() -> None:
    update = {"newHandle": "h", "resumable": True}
    events = Wire().receive(
        {"sessionResumptionUpdate": update},
        {"sessionResumptionUpdate": {"newHandle": "h", "resumable": False}},
        {"sessionResumptionUpdate": {"resumable": True}},
        {"session_resumption_update": {"new_handle": "i", "resumable": True}},
    )
    none = ResumptionHandle(handle="", resumable=False)
    assert events == [
        ResumptionHandle(handle="h", resumable=True),
        none,
        none,
        ResumptionHandle(handle="i", resumable=True),
    ]


def test_an_error_in_a_message_is_an_event() -> None:
    (event,) = Wire().receive({"error": {"code": 400, "message": "No.", "status": "INVALID"}})
    assert event == ProviderError(message="No.", severity=Severity.REQUEST, code="INVALID")


@pytest.mark.parametrize("message", [b"\xff", "no", b"[]", b"7", ""])
def test_what_is_no_message_is_an_error_event(message: str | bytes) -> None:
    (event,) = Wire().protocol.receive(message)
    assert isinstance(event, ProviderError)
    assert event.code == "malformed_message"


def test_unknown_messages_and_fields_pass_by() -> None:
    wire = Wire()
    assert wire.receive({"news": {}}, {}, {"serverContent": {"news": 1}}) == []
    assert wire.receive({"serverContent": {"modelTurn": {"parts": [{"news": 1}, 7]}}}) == []


def test_audio_that_is_none_is_an_error_event_and_pictures_pass_by() -> None:
    parts = [
        {"inlineData": {"mimeType": "audio/pcm", "data": "%"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ]
    (event,) = Wire().receive({"serverContent": {"modelTurn": {"parts": parts}}})
    assert isinstance(event, ProviderError)


def test_a_tenth_of_a_second_of_silence_keeps_the_line() -> None:
    protocol = Wire().protocol
    (message,) = protocol.keepalive()
    assert orjson.loads(message) == audio(bytes(3200))
    assert protocol.keepalive_s == 30.0


# Which model, where


@pytest.mark.parametrize(
    "model",
    [
        "gemini-2.0-flash-live-001",
        "gemini-live-2.5-flash-preview",
        "models/gemini-2.0-flash-live-001",
    ],
)
def test_a_model_that_was_shut_down_is_refused_with_its_successor(
    model: str, caplog: pytest.LogCaptureFixture
) -> None:
    googles = "wss://generativelanguage.googleapis.com/ws/other"
    for base_url in (None, googles, "wss://us-east1-aiplatform.googleapis.com/ws/other"):
        with pytest.raises(SettingsError, match=r"Use gemini-3\.8-live\."):
            gemini_protocol(model, base_url=base_url)
    assert caplog.messages == []


def test_what_was_shut_down_is_warned_of_once_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        gemini_protocol("gemini-2.0-flash-live-001", base_url="ws://127.0.0.1:1/")
    (message,) = caplog.messages
    assert "gemini-3.8-live" in message


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(SettingsError, match="vertex"):
        gemini_protocol("", "azure")


def test_vertex_is_found_by_dialect_or_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "europe-west4")
    by_dialect = gemini_protocol("", "vertex").connect_request(None, "token")
    assert by_dialect.url.startswith("wss://europe-west4-aiplatform.googleapis.com/ws/")
    path = "projects/q/locations/us-east1/publishers/google/models/gemini-3.8-live"
    by_path = gemini_protocol(path).connect_request(None, "token")
    assert by_path.url.startswith("wss://us-east1-aiplatform")
    assert not gemini_protocol(path).profile.partial_tool_results
    assert by_path.headers == {"Authorization": "Bearer token"}
