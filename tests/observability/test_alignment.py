from typing import Any

from crossfade.observability.alignment import Heard, PlayedItems, aligned, cues
from crossfade.observability.sound_spans import Span


def spans(*edges: tuple[float, float]) -> list[Span]:
    return [Span(start_s=start_s, end_s=end_s) for start_s, end_s in edges]


def played(*items: tuple[str, float], at_s: float) -> dict[str, Span]:
    found = PlayedItems()
    fields = {"items": [{"item_id": name, "played_ms": ms} for name, ms in items]}
    found.frame("BotStoppedSpeakingFrame", {}, at_s)
    found.frame("SpeechPlayedFrame", fields, at_s)
    return found.spans


def user(started_at_s: float, stopped_at_s: float | None, text: str = "words") -> dict[str, Any]:
    return {
        "role": "user",
        "text": text,
        "started_at_s": started_at_s,
        "stopped_at_s": stopped_at_s,
    }


def agent(*ids: str, heard: str = "words") -> dict[str, Any]:
    return {
        "role": "agent",
        "heard": heard,
        "started_at_s": 1.0,
        "items": [{"id": name} for name in ids],
    }


def sound(turn: dict[str, Any], heard: Heard) -> tuple[float | None, float | None]:
    (found,) = aligned({"turns": [turn]}, heard)["turns"]
    return found.get("sound_start_s"), found.get("sound_end_s")


def test_items_of_one_playout_lie_end_to_end_before_its_end() -> None:
    found = played(("a", 1000), ("b", 500), ("c", 0), at_s=10)
    assert found == {"a": Span(start_s=8.5, end_s=9.5), "b": Span(start_s=9.5, end_s=10)}


def test_the_callers_turn_lies_on_their_sound_which_began_before_it_was_sure() -> None:
    heard = Heard(caller=spans((0.5, 1.2), (3.0, 3.6), (3.9, 4.5)), agent=(), played={})
    assert sound(user(0.9, 1.7), heard) == (0.5, 1.2)
    assert sound(user(3.3, 5.0), heard) == (3.0, 4.5)
    assert sound(user(8.0, 9.0), heard) == (None, None)


def test_the_agents_turn_lies_on_what_was_heard_of_its_items() -> None:
    heard = Heard(
        caller=(),
        agent=spans((2.2, 4.0), (4.6, 5.0), (8, 9)),
        played=played(("a", 3000), at_s=5.1),
    )
    assert sound(agent("a"), heard) == (2.2, 5.0)
    assert sound(agent("unknown"), heard) == (None, None)
    assert sound(agent(), heard) == (None, None)


def test_an_answer_that_is_told_late_lies_on_its_sound_and_not_on_the_next_ones() -> None:
    heard = Heard(
        caller=(),
        agent=spans((2.0, 6.0)),
        played=played(("a", 1900), at_s=4.05) | played(("b", 1950), at_s=6.08),
    )
    assert sound(agent("a"), heard) == (2.0, 4.05)
    assert sound(agent("b"), heard) == (4.13, 6.0)


def test_what_was_typed_and_what_is_no_turn_has_no_sound() -> None:
    heard = Heard(caller=spans((0, 9)), agent=(), played={})
    assert sound({**user(1, 2), "typed": True}, heard) == (None, None)
    assert sound({"role": "tool", "started_at_s": 1.0}, heard) == (None, None)
    assert aligned({"version": 1}, heard) == {"version": 1}


def test_cues_are_what_was_heard_and_when() -> None:
    heard = Heard(caller=spans((0.5, 1.2)), agent=spans((2, 3)), played=played(("a", 1000), at_s=3))
    turns = [user(0.9, 1.7, "hello"), agent("a", heard="Hi"), agent("b"), user(20, 21, "lost")]
    found = [(cue.speaker, cue.text, cue.start_s) for cue in cues(aligned({"turns": turns}, heard))]
    assert found == [("caller", "hello", 0.5), ("agent", "Hi", 2)]
