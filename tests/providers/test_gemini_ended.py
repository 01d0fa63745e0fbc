"""What is told of the user's turn when Gemini's line dies."""

from collections.abc import Sequence

from crossfade.providers.events import Event, UserTranscript
from tests.providers.gemini_messages import LIVE, Wire, heard, sound


def finals(events: Sequence[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, UserTranscript) and each.final]


def test_the_words_of_a_turn_that_was_being_answered_are_final_when_the_line_dies() -> None:
    wire = Wire(LIVE)
    wire.receive(heard(" hello"), heard(" there"), sound())
    assert finals(wire.protocol.ended()) == ["hello there"]
    assert wire.protocol.ended() == []


def test_nothing_is_final_of_a_turn_that_nothing_answered() -> None:
    wire = Wire(LIVE)
    wire.receive(heard(" hello"))
    assert wire.protocol.ended() == []
