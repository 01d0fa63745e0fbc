"""The measurements of the cascade: both sides talk, and the requests are what they say."""

import pytest

from crossfade.benchmarks.cascade import SIDES, CascadeResult, Side, content, measure, tables
from crossfade.benchmarks.cascade_requests import (
    KNOWN,
    OTHERS,
    Missed,
    Spoken,
    Understanding,
    problems,
    table,
)
from crossfade.benchmarks.spoken_requests import HELD_OUT, WIDER, requests
from crossfade.offline.responder import Responder
from crossfade.offline.slots import CITIES


@pytest.mark.realtime
def test_both_sides_answer_with_the_same_services() -> None:
    result = measure(rounds=1, turns=1, calls=0)
    assert [side.side for side in result.sides] == list(SIDES)
    assert all(side.added_ms > 0 and side.cpu_ms > 0 for side in result.sides)
    assert result.added_ratio > 0
    assert len(tables(result)) == 1
    assert content(result)["held"] == result.held


def test_the_goals_are_those_of_the_table() -> None:
    sides = [Side(side=side, added_ms=5.0, cpu_ms=9.0) for side in SIDES]

    def result(added_ratio: float, cpu_ratio: float, spoken: list[float]) -> CascadeResult:
        return CascadeResult(
            sides=sides,
            added_ratio=added_ratio,
            cpu_ratio=cpu_ratio,
            turns=1,
            rounds=1,
            calls=1,
            voice_to_voice_ms=spoken,
            hops=[],
        )

    assert result(1.0, 0.9, [650.0, 690.0, 900.0]).held
    assert not result(1.1, 0.9, []).held
    assert not result(1.0, 1.0, []).held
    assert not result(1.0, 0.9, [650.0, 710.0, 900.0]).held


def test_the_requests_are_many_and_different_and_name_their_cities() -> None:
    asked = requests()
    assert len(asked) == len({each.text for each in asked}) == 70
    weather = [each for each in asked if each.tool == "get_weather"]
    cities = [call["city"] for each in weather for call in each.calls]
    assert set(cities) <= set(CITIES)
    assert len(set(cities)) == len(weather) == 60


def test_what_is_held_out_is_nowhere_among_what_was_tuned_by() -> None:
    tuned = {each.text for each in (*requests(), *WIDER)}
    assert len(HELD_OUT) == len({each.text for each in HELD_OUT} - tuned) >= 40
    tools = {each.tool for each in HELD_OUT}
    assert tools == {"get_weather", "turn_on_light", "book_table"}


def test_some_requests_are_not_among_the_sentences_that_are_expected() -> None:
    expected = {
        " ".join(each.split())
        for each in Responder([{"name": "get_weather", "parameters": {}}]).sentences()
    }
    openings = {each.text.split(" in ")[0].lower().strip("?.,") for each in requests()[:60]}
    assert len(openings - expected) >= 1


def test_a_voice_that_is_not_understood_or_a_prompt_that_calls_fails_the_measurement() -> None:
    missed = Missed(said="Rome?", heard="home", called="")

    def spoken(voice: str, right: int, kind: str = KNOWN, *missed: Missed) -> Spoken:
        return Spoken(voice=voice, kind=kind, requests=20, right=right, wrong_tool=0, missed=missed)

    good, bad = spoken("flite slt", 19, KNOWN, missed), spoken("flite rms", 18)
    robot = spoken("espeak-ng en-us", 1)
    others = [spoken("flite slt", right, OTHERS) for right in (20, 18, 17)]
    assert Understanding(voices=[good, *others[:2]], prompts=9, prompt_calls=[]).held
    assert not Understanding(voices=[good, *others], prompts=9, prompt_calls=[]).held
    assert Understanding(voices=[good, robot], prompts=9, prompt_calls=[]).held
    assert not Understanding(voices=[good, bad], prompts=9, prompt_calls=[]).held
    called = Understanding(voices=[good], prompts=9, prompt_calls=[missed])
    assert not called.held
    assert len(problems(called)) == 2
    assert table(called).row_count == 2
