"""Answers that are cut: what the model is told was heard, and what is dropped."""

import pytest

from crossfade.providers.commands import Interrupt, Respond, Say
from crossfade.providers.config import SessionConfig, TurnDetection
from crossfade.providers.events import (
    Interruption,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SpeechStarted,
)
from tests.providers.openai_messages import (
    Wire,
    audio_ms,
    created,
    done,
    item_done,
    kinds,
    speech_started,
    spoken_item,
)

CALLER = SessionConfig(turn_detection=TurnDetection.CALLER)


def test_the_service_cuts_its_answer_when_the_user_speaks() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(500, "a", "r"))
    events = wire.receive(speech_started("u"), audio_ms(20, "a", "r"), done("r", "cancelled"))
    assert events == [
        SpeechStarted(item_id="u", at_ms=100),
        Interruption(response_id="r"),
        ResponseDone(response_id="r", status=ResponseStatus.INTERRUPTED),
    ]


def test_what_the_service_has_cut_itself_is_not_cancelled_but_truncated() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(500, "a", "r"), speech_started("u"))
    (truncate,) = wire.send(Interrupt(played_ms={"a": 320.7}))
    assert truncate == {
        "type": "conversation.item.truncate",
        "item_id": "a",
        "content_index": 0,
        "audio_end_ms": 320,
    }


def test_speech_of_the_user_cuts_nothing_when_the_caller_owns_the_turns() -> None:
    wire = Wire(CALLER)
    wire.receive(created("r"))
    assert wire.receive(speech_started("u")) == [SpeechStarted(item_id="u", at_ms=100)]
    assert kinds(wire.send(Interrupt(played_ms={}))) == ["response.cancel"]


def test_an_interruption_in_the_playouts_tail_only_truncates() -> None:
    wire = Wire()
    wire.receive(
        created("r"),
        audio_ms(3000, "a", "r"),
        item_done(spoken_item("Hello.", "a"), "r"),
        done("r"),
    )
    assert kinds(wire.send(Interrupt(played_ms={"a": 1000}))) == ["conversation.item.truncate"]
    assert wire.send(Interrupt(played_ms={"a": 1000})) == [], "an item is truncated once"


def test_truncation_is_per_item() -> None:
    wire = Wire()
    wire.receive(
        created("r"),
        audio_ms(3000, "a", "r"),
        item_done(spoken_item("One.", "a"), "r"),
        audio_ms(2000, "b", "r"),
        audio_ms(400, "c", "r"),
    )
    messages = wire.send(Interrupt(played_ms={"a": 3000, "b": 5000.5, "c": 0.4, "unknown": 10}))
    assert [(m["type"], m.get("item_id"), m.get("audio_end_ms")) for m in messages] == [
        ("response.cancel", None, None),
        ("conversation.item.truncate", "b", 2000),
        ("conversation.item.delete", "c", None),
    ]


@pytest.mark.parametrize("played", [-5.0, 0.0, float("nan")])
def test_an_item_of_which_nothing_was_played_is_deleted(played: float) -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(100, "a", "r"))
    messages = wire.send(Interrupt(played_ms={"a": played}))
    assert kinds(messages) == ["response.cancel", "conversation.item.delete"]


def test_an_item_that_came_wholly_after_the_cut_is_deleted_when_its_response_ends() -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(100, "a", "r"))
    wire.send(Interrupt(played_ms={"a": 50}))
    wire.receive(audio_ms(100, "b", "r"), audio_ms(100, "b", "r"), done("r", "cancelled"))
    assert wire.replies == [{"type": "conversation.item.delete", "item_id": "b"}]


@pytest.mark.parametrize("played", [{"a": 50}, {"a": 0}, {}])
def test_what_trails_of_an_item_does_not_cut_it_again(played: dict[str, float]) -> None:
    wire = Wire()
    wire.receive(created("r"), audio_ms(100, "a", "r"))
    wire.send(Interrupt(played_ms=played))
    wire.receive(audio_ms(100, "a", "r"), done("r", "cancelled"))
    assert wire.replies == []


def test_injected_speech_is_cancelled_and_never_truncated() -> None:
    wire = Wire()
    (create,) = wire.send(Say(text="One moment."))
    wire.receive(created("r", create["response"]["metadata"]), audio_ms(500, "a", "r"))
    assert wire.receive(speech_started("u")) == [SpeechStarted(item_id="u", at_ms=100)]
    (cancel,) = wire.send(Interrupt(played_ms={"a": 100}))
    assert cancel == {
        "type": "response.cancel",
        "event_id": "crossfade_cancel_r",
        "response_id": "r",
    }


def test_an_answer_that_was_asked_for_and_interrupted_is_cancelled_when_it_begins() -> None:
    wire = Wire()
    wire.send(Respond())
    assert wire.send(Interrupt(played_ms={})) == []
    assert wire.receive(created("r"), audio_ms(100, "a", "r")) == [ResponseStarted(response_id="r")]
    assert wire.replies == [
        {"type": "response.cancel", "event_id": "crossfade_cancel_r", "response_id": "r"}
    ]


def test_an_interruption_drops_what_waits() -> None:
    wire = Wire()
    wire.receive(created("r"))
    wire.send(Say(text="One moment."))
    wire.send(Respond())
    wire.send(Interrupt(played_ms={}))
    wire.receive(done("r", "cancelled"))
    assert wire.replies == []
