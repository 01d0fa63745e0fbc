"""Telnyx's and Plivo's messages in our words, and ours in theirs, by pipecat's serializers."""

import base64
import contextlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.audio.g711 import decode_mu_law, encode_mu_law
from crossfade.emulators.plivo.wire import PlivoWire
from crossfade.emulators.telnyx.wire import TelnyxWire
from crossfade.errors import CallerError
from crossfade.transports.phone_messages import PhoneDialect
from crossfade.transports.phone_serializer import at_once
from crossfade.transports.plivo_messages import PlivoDialect
from crossfade.transports.telnyx_messages import TelnyxDialect
from crossfade.transports.websocket_messages import Hello, Played, read_message, write_message

Wire = TelnyxWire | PlivoWire
TWENTY_MS = (np.sin(np.arange(160) / 5) * 8000).astype("<i2").tobytes()
WIRES: Mapping[type[PhoneDialect], Wire] = {
    TelnyxDialect: TelnyxWire(
        user_id="U1", call_control_id="v3:a-b_c", stream_id="S-1", parameters={"ticket": "1a"}
    ),
    PlivoDialect: PlivoWire(
        account_id="MA1", call_id="1-2-3", stream_id="S-1", parameters={"ticket": "1a"}
    ),
}
dialects = pytest.mark.parametrize("kind", [TelnyxDialect, PlivoDialect])


def started(kind: type[PhoneDialect], stream: int = 7) -> PhoneDialect:
    dialect, wire = kind(), WIRES[kind]
    for number, content in enumerate(wire.begin()):
        assert dialect.receive(json.dumps(wire.numbered(content, number))) is None
    assert dialect.send(write_message("ready", stream=stream), True) == []
    return dialect


def said(messages: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(message) for message in messages]


@dialects
def test_a_stream_begins(kind: type[PhoneDialect]) -> None:
    dialect = started(kind)
    assert dialect.start is not None
    assert dialect.start.stream_id == "S-1"
    assert dialect.start.call_id in ("v3:a-b_c", "1-2-3")
    assert dialect.start.parameters == {"ticket": "1a"}
    assert "1a" not in repr(dialect.start)
    hello = read_message(dialect.hello(call_id=dialect.start.call_id))
    assert isinstance(hello, Hello)
    assert (hello.input_rate_hz, hello.output_rate_hz, hello.reports) == (8000, 8000, True)


@pytest.mark.parametrize(
    "told",
    [
        "ticket=1a",
        "a=b;ticket=1a",
        "a=b,ticket=1a",
        "{ticket: 1a}",
        '{"ticket": "1a"}',
        {"ticket": "1a"},
    ],
)
def test_plivos_headers_however_they_are_told(told: object) -> None:
    dialect = PlivoDialect()
    (content,) = WIRES[PlivoDialect].begin()
    dialect.receive(json.dumps({**content, "extra_headers": told}))
    assert dialect.start is not None
    assert dialect.start.parameters["ticket"] == "1a"


@dialects
def test_sound_is_the_same_both_ways_as_by_another_hand(kind: type[PhoneDialect]) -> None:
    dialect, wire = started(kind), WIRES[kind]
    sound = encode_mu_law(TWENTY_MS)
    assert dialect.receive(json.dumps(wire.media(1, 0, sound))) == (decode_mu_law(sound), False)
    (told,) = said(dialect.send(TWENTY_MS, False))
    # Encoders round differently where a sample lies between two steps.
    ours, theirs = (
        np.frombuffer(decode_mu_law(each), "<i2").astype(int)
        for each in (sound, base64.b64decode(told["media"]["payload"]))
    )
    assert np.abs(ours - theirs).max() <= 512
    assert (ours == theirs).mean() > 0.95


@dialects
def test_speech_is_marked_and_marks_tell_what_was_played(kind: type[PhoneDialect]) -> None:
    dialect, wire = started(kind), WIRES[kind]
    told = [each for _ in range(6) for each in said(dialect.send(TWENTY_MS, False))]
    speech, mark = told[0]["event"], told[5]["event"]
    assert [each["event"] for each in told] == [speech] * 5 + [mark, speech]
    (end,) = said(dialect.send(write_message("response", response_id="r"), True))
    names = [each["mark"]["name"] if "mark" in each else each["name"] for each in (told[5], end)]
    played = []
    for name in names:
        received = dialect.receive(json.dumps(wire.played(name)))
        assert received is not None
        played.append(read_message(received[0]))
    assert played == [Played(stream=7, samples=800), Played(stream=7, samples=960)]
    (cleared,) = said(dialect.send(write_message("clear", stream=8), True))
    assert cleared["event"] in ("clear", "clearAudio")


@dialects
@pytest.mark.parametrize(("digit", "known"), [("5", True), ("#", True), ("12", False), (5, False)])
def test_keys(kind: type[PhoneDialect], digit: Any, known: bool) -> None:
    received = started(kind).receive(json.dumps(WIRES[kind].key(digit)))
    assert received == ((write_message("key", key=digit), True) if known else None)


@dialects
def test_what_is_ours_to_hear_and_the_end(kind: type[PhoneDialect]) -> None:
    dialect = started(kind)
    ours = {"event": "media", "media": {"track": "outbound", "payload": "////"}}
    assert dialect.receive(json.dumps(ours)) is None
    assert dialect.receive('{"event": "clearedAudio"}') is None
    before = dialect.stopped
    assert dialect.receive('{"event": "stop", "stop": {}}') is None
    assert (before, dialect.stopped) == (False, True)


@dialects
@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        '{"event": "media"}',
        '{"event": "media", "media": {"payload": "?"}}',
        '{"event": "media", "media": {"payload": 5}}',
        '{"event": "media", "media": {"payload": ""}}',
        '{"event": "dtmf"}',
        '{"event": "start"}',
        '{"event": "start", "start": {}}',
        '{"event": "start", "stream_id": "a/b", "start": {"call_control_id": "c", "callId": "c",'
        ' "streamId": "a/b"}}',
        '{"event": "start", "stream_id": "s", "start": {"call_control_id": "c", "callId": "c",'
        ' "streamId": "s", "media_format": {"encoding": "OPUS"},'
        ' "mediaFormat": {"encoding": "audio/x-l16"}}}',
    ],
)
def test_what_cannot_be_understood_is_an_error_of_the_caller(
    kind: type[PhoneDialect], message: str
) -> None:
    for dialect in (kind(), started(kind)):
        with pytest.raises(CallerError):
            dialect.receive(message)


@dialects
def test_sound_before_the_start_is_refused(kind: type[PhoneDialect]) -> None:
    with pytest.raises(CallerError, match="has not started"):
        kind().receive(json.dumps(WIRES[kind].media(1, 0, b"\xff" * 160)))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.dictionaries(
        st.sampled_from(
            ["event", "media", "start", "mark", "dtmf", "digit", "payload", "name", "streamId"]
        ),
        inner | st.sampled_from(["media", "dtmf", "start", "mark", "playedStream", "AAAA"]),
        max_size=4,
    ),
    max_leaves=8,
)


@dialects
@settings(max_examples=60)
@given(content=_JSON)
def test_anything_else_is_understood_or_refused(kind: type[PhoneDialect], content: object) -> None:
    with contextlib.suppress(CallerError):
        started(kind).receive(json.dumps(content))


def test_a_coroutine_that_waits_is_not_taken_for_one_that_does_not() -> None:
    class Once:
        def __await__(self) -> Any:
            yield None

    async def waits() -> None:
        await Once()

    async def raises() -> None:
        raise CallerError("so")

    with pytest.raises(RuntimeError, match="waits"):
        at_once(waits())
    with pytest.raises(CallerError, match="so"):
        at_once(raises())
