"""What a session before this one has not put into words is heard again, for the words alone."""

import base64

from crossfade.conversation.history import HistoryItem, Notice, Recording, Speaker, Utterance
from crossfade.providers import SessionConfig
from crossfade.providers.commands import Update
from crossfade.providers.events import (
    ProviderError,
    SpeechStarted,
    UserTranscript,
    UserTurnCommitted,
)
from tests.providers.openai_messages import (
    MS_BYTES,
    Message,
    Wire,
    kinds,
    loads,
    session_updated,
    speech_started,
)

SOUND = b"\x01\x02" * 24 * 250
ANSWER = Utterance(speaker=Speaker.AGENT, text="A fine name, it")


def recording(item_id: str = "turn_1", audio: bytes = SOUND) -> Recording:
    return Recording(text="Words were lost.", audio=audio, item_id=item_id)


def told(wire: Wire, *history: HistoryItem) -> list[Message]:
    return loads(wire.protocol.seed(history))


def committed(item_id: str) -> Message:
    return {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None}


def transcribed(item_id: str, words: str) -> Message:
    kind = "conversation.item.input_audio_transcription.completed"
    return {"type": kind, "item_id": item_id, "transcript": words}


def test_it_is_committed_in_its_place_while_no_turns_are_looked_for() -> None:
    messages = told(Wire(), recording(), ANSWER)
    assert kinds(messages) == [
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "conversation.item.create",
        "session.update",
    ]
    off, append, *_, on = messages
    assert off["session"]["audio"]["input"] == {"turn_detection": None}
    assert on["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert base64.b64decode(append["audio"]) == SOUND


def test_its_words_come_under_the_name_that_it_had() -> None:
    wire = Wire()
    told(wire, recording("first"), ANSWER, recording("second"))
    assert wire.receive(session_updated(), committed("item_1"), committed("item_2")) == []
    assert wire.receive(transcribed("item_2", "goodbye"), transcribed("item_1", "hello")) == [
        UserTranscript(item_id="second", text="goodbye", final=True),
        UserTranscript(item_id="first", text="hello", final=True),
    ]
    assert wire.replies == []


def test_words_are_told_once_and_in_whole() -> None:
    wire = Wire()
    told(wire, recording())
    wire.receive(session_updated(), committed("item_1"))
    delta = {"item_id": "item_1", "delta": "hel"}
    kind = "conversation.item.input_audio_transcription.delta"
    assert wire.receive({"type": kind, **delta}, transcribed("item_1", "")) == []
    assert len(wire.receive(transcribed("item_1", "hello"))) == 1
    assert wire.receive(transcribed("item_1", ""), transcribed("item_1", "hello")) == []


def test_what_the_user_says_then_is_a_turn_at_its_own_place() -> None:
    wire = Wire()
    told(wire, recording())
    wire.receive(session_updated(), committed("item_1"), session_updated())
    assert wire.receive(speech_started("item_2", 350), committed("item_2")) == [
        SpeechStarted(item_id="item_2", at_ms=100),
        UserTurnCommitted(item_id="item_2"),
    ]


def test_one_that_is_refused_takes_no_turn_along() -> None:
    wire = Wire()
    messages = told(wire, recording())
    commit = next(each for each in messages if each["type"] == "input_audio_buffer.commit")
    error = {"type": "invalid_request_error", "message": "no", "event_id": commit["event_id"]}
    (refused,) = wire.receive(session_updated(), {"type": "error", "error": error})
    assert isinstance(refused, ProviderError)
    assert wire.receive(committed("item_2")) == [UserTurnCommitted(item_id="item_2")]


def test_one_that_never_comes_takes_no_turn_along_either() -> None:
    wire = Wire()
    told(wire, recording())
    wire.receive(session_updated(), session_updated())
    assert wire.receive(committed("item_2")) == [UserTurnCommitted(item_id="item_2")]


def test_changes_of_the_session_are_confirmed_in_their_turn() -> None:
    wire = Wire()
    told(wire, recording())
    wire.send(Update(instructions="Be brief."))
    wire.receive(session_updated(), session_updated())
    error = {"type": "invalid_request_error", "message": "no", "event_id": "crossfade_update_3"}
    wire.receive({"type": "error", "error": error})
    assert wire.protocol.config.instructions != "Be brief."


def test_what_is_too_short_to_be_committed_is_given_as_sound() -> None:
    (message,) = told(Wire(), recording(audio=bytes(99 * MS_BYTES)))
    assert message["item"]["content"][0]["type"] == "input_audio"


def test_long_sound_is_sent_in_seconds() -> None:
    messages = told(Wire(), recording(audio=bytes(2500 * MS_BYTES + 10)))
    assert kinds(messages).count("input_audio_buffer.append") == 3


def test_where_no_words_are_wanted_the_sound_is_enough() -> None:
    wire = Wire(SessionConfig(transcribe=False))
    (message,) = told(wire, recording())
    assert message["item"]["content"][0]["type"] == "input_audio"


def test_nothing_is_changed_where_all_has_words() -> None:
    assert kinds(told(Wire(), ANSWER, Notice(text="Go on."))) == ["conversation.item.create"] * 2
