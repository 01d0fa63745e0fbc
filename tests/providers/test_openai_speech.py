"""Speech that is read by what it has in common with the message before it."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.providers.events import AudioChunk, Event
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from crossfade.providers.openai_speech import SpeechLike
from tests.providers.openai_messages import Wire, created

PCM = bytes(range(96))


def written(pcm: bytes = PCM, **fields: Any) -> bytes:
    """A message as the service writes it."""
    return orjson.dumps(
        {
            "type": "response.output_audio.delta",
            "event_id": "event_1",
            "response_id": "resp_1",
            "item_id": "item_1",
            "output_index": 0,
            "content_index": 0,
            "delta": base64.b64encode(pcm).decode(),
            **fields,
        }
    )


def learnt(message: bytes) -> SpeechLike:
    like = SpeechLike()
    like.learn(message, orjson.loads(message))
    return like


def speaking(*messages: bytes) -> OpenAIRealtimeProtocol:
    """A session in which a response runs, that has taken these messages."""
    wire = Wire()
    wire.receive(created())
    for message in messages:
        wire.protocol.receive(message)
    return wire.protocol


def read_anew(message: bytes) -> list[Event]:
    """What comes of a message in a session that knows none like it."""
    return speaking(written(event_id="")).receive(message)


def test_a_message_that_differs_in_id_and_sound_is_known_again() -> None:
    like = learnt(written())
    assert like.sound(written(bytes(6), event_id="event_2")) == b"AAAAAAAA"
    assert (like.response_id, like.item_id) == ("resp_1", "item_1")


@pytest.mark.parametrize(
    "other",
    [
        written(item_id="item_2"),
        written(response_id="resp_2"),
        written(type="response.output_audio_transcript.delta"),
        written(event_id="event_10"),
        written(event_id='ev"nt_1'),
        written(more=1),
        written()[:-1],
        # The quote that begins the sound does not end it.
        written(b"")[:-2] + b"}",
        b"",
    ],
)
def test_any_other_is_not(other: bytes) -> None:
    assert learnt(written()).sound(other) is None


@pytest.mark.parametrize(
    "message",
    [
        written(event_id=""),
        written(item_id="event_1"),
        written(last="of all"),
        written(delta="with / and \\ in it"),
        written().replace(b"}", b" }"),
        b'{"delta":{"event_id":"e"},"event_id":"e"}',
    ],
)
def test_nothing_is_learnt_where_it_is_not_plain_what_differs(message: bytes) -> None:
    like = learnt(written())
    like.learn(message, orjson.loads(message))
    assert like.sound(message) is None
    assert like.sound(written()) is None


def test_both_ways_of_reading_give_the_same() -> None:
    messages = [written(bytes([n]) * 480, event_id=f"event_{n}") for n in range(9)]
    known = speaking(written())
    assert known._speech.sound(messages[0]) is not None
    assert [known.receive(one) for one in messages] == [read_anew(one) for one in messages]


def test_half_a_sample_waits_for_the_next_message() -> None:
    known = speaking(written())
    events = known.receive(written(b"abc")) + known.receive(written(b"def"))
    assert [event.pcm for event in events if isinstance(event, AudioChunk)] == [b"ab", b"cdef"]


def test_sound_of_a_response_that_is_over_says_nothing() -> None:
    known = speaking(written())
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}}
    known.receive(orjson.dumps(done))
    assert known.receive(written(event_id="event_2")) == []


@settings(max_examples=300)
@given(
    at=st.integers(0, len(written()) - 1),
    put=st.binary(max_size=3) | st.sampled_from([b'"', b"\\/", b"=", b'","delta":"']),
    taken=st.integers(0, 3),
)
def test_whatever_comes_is_read_as_if_none_like_it_had_come(
    at: int, put: bytes, taken: int
) -> None:
    message = written()
    changed = message[:at] + put + message[at + taken :]
    known = speaking(message)
    assert known.receive(changed) == read_anew(changed)
