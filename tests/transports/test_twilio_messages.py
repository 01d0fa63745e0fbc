"""Twilio's messages in our words, and ours in Twilio's."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.audio.g711 import encode_mu_law
from crossfade.errors import CallerError
from crossfade.transports.twilio_messages import TwilioDialect
from crossfade.transports.websocket_messages import Hello, Played, read_message, write_message

START = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC1",
        "streamSid": "MZ1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "v1.secret"},
    },
    "streamSid": "MZ1",
}
TWENTY_MS = bytes(320)


def started(stream: int = 7) -> TwilioDialect:
    dialect = TwilioDialect()
    dialect.receive(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
    dialect.receive(json.dumps(START))
    assert dialect.send(write_message("ready", stream=stream), True) == []
    return dialect


def said(messages: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(message) for message in messages]


def test_a_stream_begins() -> None:
    start = started().start
    assert start is not None
    assert (start.stream_id, start.call_id) == ("MZ1", "CA1")
    assert start.parameters == {"token": "v1.secret"}
    assert "secret" not in repr(start)


def test_it_says_hello_as_our_clients_do() -> None:
    hello = read_message(started().hello(call_id="CA1"))
    assert isinstance(hello, Hello)
    assert (hello.call_id, hello.input_rate_hz, hello.output_rate_hz) == ("CA1", 8000, 8000)
    assert hello.reports


def test_the_callers_sound_is_decoded() -> None:
    payload = base64.b64encode(encode_mu_law(b"\x00\x10" * 160)).decode()
    media = {"event": "media", "media": {"track": "inbound", "payload": payload}}
    received = started().receive(json.dumps(media))
    assert received is not None
    sound, text = received
    assert not text
    assert len(sound) == 320
    assert sound != bytes(320)


def test_what_we_play_ourselves_is_not_heard_again() -> None:
    media = {"event": "media", "media": {"track": "outbound", "payload": "////"}}
    assert started().receive(json.dumps(media)) is None


def test_speech_is_marked_and_marks_tell_what_was_played() -> None:
    dialect = started(stream=7)
    told = [each for _ in range(6) for each in said(dialect.send(TWENTY_MS, False))]
    assert [each["event"] for each in told] == ["media"] * 5 + ["mark", "media"]
    assert all(each["streamSid"] == "MZ1" for each in told)
    assert len(base64.b64decode(told[0]["media"]["payload"])) == 160
    (end,) = said(dialect.send(write_message("response", response_id="r"), True))
    assert end["event"] == "mark"
    assert dialect.send(write_message("response", response_id="r"), True) == []
    played = []
    for mark in (told[5], end):
        received = dialect.receive(json.dumps(mark))
        assert received is not None
        played.append(read_message(received[0]))
    assert played == [Played(stream=7, samples=800), Played(stream=7, samples=960)]


def test_after_an_interruption_a_new_stream_is_counted() -> None:
    dialect = started()
    for _ in range(3):
        dialect.send(TWENTY_MS, False)
    assert said(dialect.send(write_message("clear", stream=8), True)) == [
        {"event": "clear", "streamSid": "MZ1"}
    ]
    told = [each for _ in range(5) for each in said(dialect.send(TWENTY_MS, False))]
    assert told[-1]["mark"] == {"name": "8.800"}


@pytest.mark.parametrize(
    "name", ["", "7", "7.", ".7", "a.b", "7.8.9", "٧.٨", "-1.5", "9" * 20 + ".1"]
)
def test_marks_of_others_are_passed_over(name: str) -> None:
    assert started().receive(json.dumps({"event": "mark", "mark": {"name": name}})) is None


@pytest.mark.parametrize(("digit", "known"), [("5", True), ("#", True), ("12", False), (5, False)])
def test_keys(digit: object, known: bool) -> None:
    received = started().receive(json.dumps({"event": "dtmf", "dtmf": {"digit": digit}}))
    assert (received is not None) is known
    if received is not None:
        assert json.loads(received[0]) == {"type": "key", "key": digit}


def test_the_end_of_the_stream_is_noted() -> None:
    dialect = started()
    before = dialect.stopped
    assert dialect.receive(json.dumps({"event": "stop", "stop": {"callSid": "CA1"}})) is None
    assert (before, dialect.stopped) == (False, True)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        '{"event": "media"}',
        '{"event": "media", "media": {"payload": "?"}}',
        '{"event": "media", "media": {"payload": 5}}',
        '{"event": "start", "start": {"streamSid": "MZ1"}}',
        '{"event": "start", "start": {"streamSid": "MZ/../1", "callSid": "CA1"}}',
        '{"event": "start", "start": {"streamSid": "MZ1", "callSid": "CA1",'
        ' "mediaFormat": {"sampleRate": 16000}}}',
        '{"event": "start", "start": {"streamSid": "MZ1", "callSid": "CA1",'
        ' "customParameters": [1]}}',
    ],
)
def test_what_cannot_be_understood_is_an_error_of_the_caller(message: str) -> None:
    with pytest.raises(CallerError):
        TwilioDialect().receive(message)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.dictionaries(
            st.sampled_from(["event", "media", "start", "mark", "payload", "name", "streamSid"]),
            inner,
            max_size=4,
        ),
        max_leaves=8,
    )
)
def test_anything_else_is_understood_or_refused(content: object) -> None:
    with contextlib.suppress(CallerError):
        started().receive(json.dumps(content))
