"""The user's side of the conversation: turns, holds, silences and transcripts."""

from crossfade.conversation.tools import ToolResult
from crossfade.providers.commands import Interrupt, Respond, Say, SendImage, SendToolResult
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.events import (
    AudioChunk,
    Interruption,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
    UserTurnCommitted,
)
from tests.providers.openai_messages import (
    Message,
    Wire,
    audio_ms,
    committed,
    created,
    done,
    error,
    item_added,
    kinds,
    speech_started,
    speech_stopped,
    transcribed,
)

HOLD = SessionConfig(interruptible=False)


def timeout(item_id: str) -> Message:
    kind = "input_audio_buffer.timeout_triggered"
    return {"type": kind, "item_id": item_id, "audio_start_ms": 0, "audio_end_ms": 6000}


def test_semantic_turns_are_the_services_turns() -> None:
    wire = Wire(SessionConfig(turn_detection=TurnDetection.SEMANTIC))
    events = wire.receive(created("r"), speech_started("u"))
    assert Interruption(response_id="r") in events
    wire.receive(done("r", "cancelled"), speech_stopped("u"))
    assert wire.send(Respond()) == [], "the service answers the turn by itself"


def test_an_agent_that_holds_goes_on_while_the_user_speaks() -> None:
    wire = Wire(HOLD)
    events = wire.receive(
        created("r"), speech_started("u"), audio_ms(20, "a", "r"), speech_stopped("u")
    )
    assert [type(event) for event in events] == [
        ResponseStarted,
        SpeechStarted,
        AudioChunk,
        SpeechStopped,
    ]


def test_an_agent_that_holds_answers_when_it_has_finished() -> None:
    wire = Wire(HOLD)
    wire.receive(created("r"), speech_started("u"), speech_stopped("u"), committed("u"))
    assert wire.replies == []
    wire.receive(done("r"))
    assert kinds(wire.replies) == ["response.create"]


def test_an_agent_that_holds_and_is_silent_answers_at_once() -> None:
    wire = Wire(HOLD)
    wire.receive(speech_started("u"), speech_stopped("u"))
    assert wire.send(Say(text="Hm.")) == [], "not while the user speaks"
    wire.receive(committed("u"))
    assert kinds(wire.replies) == ["response.create"]


def test_silence_is_no_turn_of_the_user() -> None:
    wire = Wire(SessionConfig(idle_timeout_ms=6000))
    events = wire.receive(timeout("s"), committed("s"), transcribed("", "s"), created("r"))
    assert events == [ResponseStarted(response_id="r")]
    events = wire.receive(done("r"), committed("u"), transcribed("Hi.", "u"))
    assert events[1:] == [
        UserTurnCommitted(item_id="u"),
        UserTranscript(item_id="u", text="Hi.", final=True),
    ]


def test_what_waits_is_covered_by_the_answer_to_silence() -> None:
    wire = Wire(SessionConfig(idle_timeout_ms=6000))
    wire.receive(timeout("s"))
    wire.send(SendToolResult(result=ToolResult(call_id="c", output="done")))
    assert wire.send(Respond()) == []
    wire.receive(
        item_added(type="function_call_output", call_id="c"),
        committed("s"),
        created("r"),
        done("r"),
    )
    assert wire.replies == []


def test_an_answer_that_met_that_to_silence_is_asked_for_again_after_it() -> None:
    wire = Wire(SessionConfig(idle_timeout_ms=6000))
    wire.send(SendToolResult(result=ToolResult(call_id="c", output="done")))
    (create,) = wire.send(Respond())
    wire.receive(timeout("s"), committed("s"), created("own"))
    refusal = error("conversation_already_has_active_response", event_id=create["event_id"])
    wire.receive(refusal, audio_ms(20, "a", "own"))
    assert wire.replies == []
    wire.receive(done("own"))
    assert kinds(wire.replies) == ["response.create"]


def test_an_answer_that_is_done_may_still_be_playing_when_the_user_speaks() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(3000, "a", "r"), done("r"))
    wire.protocol.append_audio(bytes(1000 * 48))
    assert wire.receive(speech_started("u")) == [
        SpeechStarted(item_id="u", at_ms=100),
        Interruption(response_id="r"),
    ]
    again = wire.receive(speech_stopped("u"), speech_started("v"))
    assert not [event for event in again if isinstance(event, Interruption)], "once"


def test_an_answer_that_was_played_is_not_interrupted() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(1000, "a", "r"), done("r"))
    wire.protocol.append_audio(bytes(2000 * 48))
    assert wire.receive(speech_started("u")) == [SpeechStarted(item_id="u", at_ms=100)]


def test_what_the_caller_stopped_is_not_interrupted_again() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(1000, "a", "r"), done("r"))
    wire.send(Interrupt(played_ms={"a": 500}))
    assert wire.receive(speech_started("u")) == [SpeechStarted(item_id="u", at_ms=100)]


def test_an_agent_that_holds_is_not_interrupted_in_its_tail() -> None:
    wire = Wire(HOLD)
    wire.receive(created("r"), audio_ms(1000, "a", "r"), done("r"))
    assert wire.receive(speech_started("u")) == [SpeechStarted(item_id="u", at_ms=100)]


def test_the_turn_that_waits_for_an_answer_survives_an_interruption() -> None:
    wire = Wire(HOLD)
    wire.receive(created("r"), audio_ms(1000, "a", "r"), speech_started(), speech_stopped())
    wire.receive(committed())
    wire.send(Interrupt(played_ms={"a": 100}))
    wire.receive(done("r", "cancelled"))
    assert kinds(wire.replies) == ["response.create"]


def test_early_words_do_not_overtake_those_of_the_turn_before() -> None:
    events = Wire().receive(
        committed("u"),
        transcribed("Second.", "v"),
        committed("v", after="u"),
        transcribed("First.", "u"),
    )
    assert events == [
        UserTurnCommitted(item_id="u"),
        UserTurnCommitted(item_id="v"),
        UserTranscript(item_id="u", text="First.", final=True),
        UserTranscript(item_id="v", text="Second.", final=True),
    ]


def test_transcripts_come_in_the_order_of_the_conversation() -> None:
    events = Wire().receive(
        committed("u"),
        committed("v", after="u"),
        transcribed("Second.", "v"),
        transcribed("First.", "u"),
    )
    assert events == [
        UserTurnCommitted(item_id="u"),
        UserTurnCommitted(item_id="v"),
        UserTranscript(item_id="u", text="First.", final=True),
        UserTranscript(item_id="v", text="Second.", final=True),
    ]


def test_a_deleted_item_is_not_waited_for() -> None:
    events = Wire().receive(
        committed("u"),
        committed("v"),
        transcribed("Second.", "v"),
        {"type": "conversation.item.deleted", "item_id": "u"},
    )
    assert events[2:] == [UserTranscript(item_id="v", text="Second.", final=True)]


def test_without_transcripts_none_is_waited_for() -> None:
    wire = Wire(SessionConfig(transcribe=False))
    events = wire.receive(committed("u"), committed("v"), transcribed("Second.", "v"))
    assert events[2:] == [UserTranscript(item_id="v", text="Second.", final=True)]


def test_the_users_image_is_one_of_ours() -> None:
    wire = Wire()
    wire.receive(speech_started())
    (create,) = wire.send(SendImage(data=b"\xff\xd8", media_type="image/jpeg"))
    wire.send(Respond())
    image = item_added(**create["item"])
    wire.receive(image, speech_stopped(), committed(), created("r"), done("r"))
    assert wire.replies == []
