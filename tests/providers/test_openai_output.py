"""What the agent says and calls, in every order in which it may come."""

import base64
from dataclasses import replace

import pytest

from crossfade.conversation.tools import ToolCall
from crossfade.conversation.usage import Usage
from crossfade.providers.commands import Interrupt
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    Severity,
    SpeechDone,
    TextDelta,
)
from tests.providers.openai_messages import (
    Message,
    Wire,
    arguments_done,
    audio,
    call_item,
    created,
    done,
    item_done,
    spoken_item,
    words,
    written,
)

STARTED = ResponseStarted(response_id="resp_1")
COMPLETED = ResponseDone(response_id="resp_1", status=ResponseStatus.COMPLETED)
CALLED = replace(COMPLETED, awaits_tools=True)


def chunk(pcm: bytes, item_id: str = "item_1") -> AudioChunk:
    return AudioChunk(response_id="resp_1", item_id=item_id, pcm=pcm)


def text(text: str, item_id: str = "item_1", *, spoken: bool = True) -> TextDelta:
    return TextDelta(response_id="resp_1", item_id=item_id, text=text, spoken=spoken)


def speech_done(item_id: str = "item_1") -> SpeechDone:
    return SpeechDone(response_id="resp_1", item_id=item_id)


def call(call_id: str, arguments: dict[str, object] | None = None) -> ToolCall:
    return ToolCall(id=call_id, name="get_weather", arguments=arguments or {}, response_id="resp_1")


def test_a_spoken_answer() -> None:
    item = spoken_item("Hi there!")
    events = Wire().receive(
        created(),
        words("Hi"),
        audio(b"\x01\x00"),
        words(" there!"),
        audio(b"\x02\x00"),
        item_done(item),
        done(output=[item]),
    )
    assert events == [
        STARTED,
        text("Hi"),
        chunk(b"\x01\x00"),
        text(" there!"),
        chunk(b"\x02\x00"),
        speech_done(),
        COMPLETED,
    ]


def test_a_written_answer() -> None:
    item = {"id": "item_1", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    events = Wire().receive(created(), written("Hi"), item_done(item), done(output=[item]))
    assert events == [STARTED, text("Hi", spoken=False), COMPLETED]


def test_half_a_sample_waits_for_the_items_next_chunk() -> None:
    events = Wire().receive(
        created(), audio(b"\x01\x02\x03"), audio(b"\xaa", "item_2"), audio(b"\x04\x05\x06")
    )
    assert events == [STARTED, chunk(b"\x01\x02"), chunk(b"\x03\x04\x05\x06")]


def test_words_that_did_not_come_in_pieces_come_with_the_item() -> None:
    events = Wire().receive(
        created(), words("Hi"), audio(b"\x01\x00"), item_done(spoken_item("Hi there!"))
    )
    assert events[2:] == [chunk(b"\x01\x00"), text(" there!"), speech_done()]


def test_an_item_of_several_parts_is_told_whole_and_once() -> None:
    item = {
        "id": "item_1",
        "type": "message",
        "content": [
            {"type": "output_audio", "transcript": "One. "},
            {"type": "output_audio", "transcript": "Two. "},
            {"type": "output_text", "text": "Three."},
        ],
    }
    events = Wire().receive(created(), words("One. T"), item_done(item), done(output=[item]))
    assert events == [
        STARTED,
        text("One. T"),
        text("wo. "),
        text("Three.", spoken=False),
        COMPLETED,
    ]


def test_an_item_that_was_never_finished_is_finished_with_its_response() -> None:
    events = Wire().receive(created(), audio(b"\x01\x00"), done(output=[spoken_item("Hi there!")]))
    assert events[2:] == [text("Hi there!"), speech_done(), COMPLETED]


def test_several_spoken_items_keep_their_order() -> None:
    first, second = spoken_item("One.", "a"), spoken_item("Two.", "b")
    events = Wire().receive(
        created(),
        words("One.", "a"),
        audio(b"\x01\x00", "a"),
        words("Two.", "b"),
        audio(b"\x02\x00", "b"),
        item_done(first),
        item_done(second),
        done(output=[first, second]),
    )
    assert events[-3:] == [speech_done("a"), speech_done("b"), COMPLETED]


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([arguments_done("c", "get_weather", '{"city":"Tokyo"}')], id="early"),
        pytest.param(
            [
                arguments_done("c", None, '{"city":"Tokyo"}'),
                item_done(call_item("c", "get_weather", '{"city":"Tokyo"}')),
            ],
            id="named-in-the-item",
        ),
        pytest.param([], id="in-the-response-only"),
    ],
)
def test_a_call_is_told_once(messages: list[Message]) -> None:
    item = call_item("c", "get_weather", '{"city":"Tokyo"}')
    events = Wire().receive(created(), *messages, item_done(item), done(output=[item]))
    assert events == [STARTED, call("c", {"city": "Tokyo"}), CALLED]


def test_parallel_calls_name_their_response_and_come_before_its_end() -> None:
    items = [call_item(call_id, "get_weather", "{}") for call_id in ("c1", "c2")]
    events = Wire().receive(
        created(),
        arguments_done("c1", "get_weather", "{}"),
        item_done(items[0]),
        arguments_done("c2", "get_weather", ""),
        item_done(items[1]),
        done(output=items),
    )
    assert events == [STARTED, call("c1"), call("c2"), CALLED]


@pytest.mark.parametrize("arguments", ['{"city"', "[1]", "null", "Tokyo"])
def test_arguments_that_are_no_object_are_handed_on_as_they_came(arguments: str) -> None:
    events = Wire().receive(created(), arguments_done("c", "get_weather", arguments))
    assert events[1] == ToolCall(
        id="c", name="get_weather", arguments={}, response_id="resp_1", unparsed=arguments
    )


def test_a_call_that_was_cut_short_is_none() -> None:
    item = call_item("c", "get_weather", '{"ci', status="incomplete")
    events = Wire().receive(created(), item_done(item), done(status="cancelled", output=[item]))
    assert events == [
        STARTED,
        ResponseDone(response_id="resp_1", status=ResponseStatus.INTERRUPTED),
    ]


def test_whatever_comes_of_a_cut_response_is_dropped_but_its_end() -> None:
    wire = Wire()
    wire.receive(created(), audio(b"\x01\x00"))
    wire.send(Interrupt(played_ms={"item_1": 0}))
    item = call_item("c", "get_weather", "{}")
    events = wire.receive(
        audio(b"\x01\x00"),
        words("late"),
        written("late"),
        arguments_done("c", "get_weather", "{}"),
        item_done(spoken_item("late")),
        done(status="completed", output=[item, spoken_item("late")]),
    )
    assert events == [ResponseDone(response_id="resp_1", status=ResponseStatus.INTERRUPTED)]


def test_what_trails_behind_the_end_of_a_response_is_dropped() -> None:
    wire = Wire()
    wire.receive(created(), done(status="cancelled"))
    trail = [audio(b"\x01\x00"), words("late"), created(), done(), item_done(spoken_item("x"))]
    assert wire.receive(*trail) == []


def test_a_response_without_announcement_is_begun_by_what_comes_of_it() -> None:
    assert Wire().receive(audio(b"\x01\x00"), done()) == [STARTED, chunk(b"\x01\x00"), COMPLETED]
    assert Wire().receive(done()) == [STARTED, COMPLETED]


@pytest.mark.parametrize(
    ("status", "details", "expected", "reason"),
    [
        ("completed", None, ResponseStatus.COMPLETED, None),
        (
            "cancelled",
            {"type": "cancelled", "reason": "turn_detected"},
            ResponseStatus.INTERRUPTED,
            "turn_detected",
        ),
        (
            "incomplete",
            {"type": "incomplete", "reason": "max_output_tokens"},
            ResponseStatus.INCOMPLETE,
            "max_output_tokens",
        ),
        (
            "failed",
            {"type": "failed", "error": {"type": "server_error", "message": "Try again."}},
            ResponseStatus.FAILED,
            "Try again.",
        ),
        ("failed", "a bare string", ResponseStatus.FAILED, "a bare string"),
        ("failed", {"type": "failed", "error": None}, ResponseStatus.FAILED, "failed"),
        ("brand_new", [1], ResponseStatus.FAILED, None),
    ],
)
def test_how_a_response_ended(
    status: str, details: object, expected: ResponseStatus, reason: str | None
) -> None:
    events = Wire().receive(created(), done(status=status, status_details=details))
    assert events[1] == ResponseDone(response_id="resp_1", status=expected, reason=reason)
    failed = expected is ResponseStatus.FAILED
    assert len(events) == (3 if failed else 2)
    if failed:
        error = ProviderError(
            message=reason or "no reason given", severity=Severity.REQUEST, response_id="resp_1"
        )
        assert events[2] == error


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("insufficient_quota", Severity.FATAL),
        ("invalid_api_key", Severity.FATAL),
        ("session_expired", Severity.REQUEST),
        ("server_error", Severity.REQUEST),
    ],
)
def test_a_failed_response_tells_whether_another_one_may_succeed(
    code: str, severity: Severity
) -> None:
    error = {"code": code, "message": "You exceeded your current quota."}
    events = Wire().receive(
        done(status="failed", status_details={"type": "failed", "error": error})
    )
    assert events[-1] == ProviderError(
        message="You exceeded your current quota.",
        severity=severity,
        code=code,
        response_id="resp_1",
    )


def test_the_calls_of_a_response_are_bounded() -> None:
    wire = Wire()
    calls = [arguments_done(f"c{number}", "get_weather", "{}") for number in range(200)]
    events = wire.receive(created(), *calls)
    assert sum(isinstance(event, ToolCall) for event in events) == 128
    assert sum(isinstance(event, ProviderError) for event in events) == 72


def test_the_end_of_a_response_tells_its_cost() -> None:
    usage = {
        "input_tokens": 12,
        "output_tokens": 30,
        "input_token_details": {"text_tokens": 12},
        "output_token_details": {"text_tokens": 10, "audio_tokens": 20},
    }
    (end,) = Wire().receive(created(), done(usage=usage))[1:]
    assert isinstance(end, ResponseDone)
    assert end.usage == Usage(input_text_tokens=12, output_text_tokens=10, output_audio_tokens=20)


@pytest.mark.parametrize("delta", ["?", "AQ", "AQ=", "é", "AQ==AQ=="])
def test_audio_that_is_no_base64_is_an_error_and_the_answer_goes_on(delta: str) -> None:
    broken = audio(b"\x01\x00") | {"delta": delta}
    events = Wire().receive(created(), broken, audio(b"\x02\x00"))
    assert [type(event) for event in events] == [ResponseStarted, ProviderError, AudioChunk]


@pytest.mark.parametrize("delta", [None, 7, [], ""])
def test_audio_without_audio_is_nothing(delta: object) -> None:
    assert Wire().receive(created(), audio(b"") | {"delta": delta}) == [STARTED]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "response.created", "response": None},
        {"type": "response.done", "response": {"status": "completed"}},
        {"type": "response.output_audio.delta", "delta": base64.b64encode(b"\0\0").decode()},
        {"type": "response.output_item.done", "response_id": 7},
    ],
)
def test_a_message_about_no_response_is_an_error(message: Message) -> None:
    (event,) = Wire().receive(message)
    assert isinstance(event, ProviderError)


def test_null_lists_and_items_pass_by() -> None:
    events: list[Event] = Wire().receive(
        created(),
        item_done({"id": "item_1", "type": "message", "content": None}),
        {"type": "response.output_item.done", "response_id": "resp_1", "item": None},
        done(output=None, usage=None),
    )
    assert events == [STARTED, COMPLETED]


@pytest.mark.parametrize("status", ["in_progress", "incomplete", None])
def test_a_call_that_was_half_written_when_the_response_was_cut_is_none(
    status: str | None,
) -> None:
    item = call_item("call_1", "look", '{"at": "sk') | {"status": status}
    events = Wire().receive(created(), done(status="cancelled", output=[item]))
    assert not [event for event in events if isinstance(event, ToolCall)]
