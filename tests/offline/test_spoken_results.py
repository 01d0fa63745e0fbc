import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.offline.spoken_results import spoken_result
from crossfade.offline.tone_voice import MS_PER_CHARACTER


def spoken(result: Any) -> str:
    return spoken_result("get_weather", json.dumps(result))


def test_weather_is_told_in_sentences_that_last_five_seconds() -> None:
    text = spoken({"city": "Tokyo", "condition": "light rain", "temperature_c": 18, "wind_kmh": 12})
    assert text.startswith(
        "In Tokyo the weather is light rain at the moment. "
        "The temperature is 18 degrees and the wind is 12 kilometres an hour."
    )
    assert len(text) * MS_PER_CHARACTER > 5000
    assert 2 <= text.count(". ") + 1 <= 4


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"error": "no such city"}, "that did not work. No such city."),
        ({"error": None, "price_eur": 3.0}, "The price is 3 euros."),
        ({"open": True, "seats": -2}, "The open is yes and the seats is minus 2."),
        ({"place": {"city": "Rome"}, "temp_f": 70.5}, "The temp is 70.5 degrees Fahrenheit."),
        ({"dishes": ["soup", "rice"]}, "The dishes are soup, rice."),
        ([{"name": "A"}, {"name": "B"}], "I found 2 results. The first is this. The name is A."),
        ([], "I found nothing."),
        (42, "The answer is 42."),
        (True, "The answer is yes."),
        ("all good", "All good."),
        (None, "That is done: get weather."),
    ],
)
def test_other_results_are_told_fact_by_fact(result: Any, words: str) -> None:
    assert words in spoken(result)


def test_plain_text_is_said_as_it_is() -> None:
    assert spoken_result("t", "the lamp is on!") == "The lamp is on!"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_can_be_told(result: Any) -> None:
    assert spoken(result)
