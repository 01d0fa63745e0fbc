from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.offline.slots import (
    CITIES,
    Kind,
    examples,
    find_values,
    kind_of,
    place_written,
    words_of,
)


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("city", {"type": "string"}, Kind.CITY),
        ("q", {"type": "string", "description": "The town to look at"}, Kind.CITY),
        ("date", {"type": "string"}, Kind.DAY),
        ("guests", {"type": "integer"}, Kind.NUMBER),
        ("price", {"type": "number"}, Kind.NUMBER),
        ("room", {"type": "string", "enum": ["kitchen"]}, Kind.CHOICE),
        ("force", {"type": "boolean"}, Kind.FLAG),
        ("note", {"type": "string"}, Kind.TEXT),
    ],
)
def test_the_schema_tells_the_kind(name: str, schema: dict[str, Any], kind: Kind) -> None:
    assert kind_of(name, schema) is kind


@pytest.mark.parametrize(
    ("text", "cities"),
    [
        ("what is the weather in tokyo", ["Tokyo"]),
        ("Paris and then New York, please!", ["Paris", "New York"]),
        ("weather in santa cruz tomorrow", []),
        ("the weather in the", []),
        ("weather in", []),
        ("romeo", []),
    ],
)
def test_cities_are_found_in_the_order_said(text: str, cities: list[str]) -> None:
    assert find_values(Kind.CITY, {}, words_of(text)) == cities


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("the weather in Ulaanbaatar please", "Ulaanbaatar"),
        ("Weather for Santa Cruz tomorrow?", "Santa Cruz"),
        ("What is the weather of Saint-Malo?", "Saint-Malo"),
        ("Is it cold in Aix right now", "Aix"),
        # What is heard without capitals is as likely another word, misheard.
        ("weather in santa cruz tomorrow", None),
        ("how warm in okay", None),
        ("What is the weather in", None),
        ("What is the weather In The", None),
        ("What is the weather in I", None),
        ("The weather on Monday in Okay", None),
        ("Meet me at Noon on Friday in May", None),
        ("WHAT IS THE WEATHER IN OKAY", None),
        ("Ulaanbaatar", None),
    ],
)
def test_a_place_in_no_list_is_one_that_is_written_as_a_name(text: str, place: str | None) -> None:
    assert place_written(text) == place


@pytest.mark.parametrize(
    ("text", "rooms"),
    [
        ("kitchen light", ["kitchen"]),
        ("the light in my kitchen", ["kitchen"]),
        ("turn the light kitchen on", ["kitchen"]),
        ("the light in the living room and the kitchen", ["living room", "kitchen"]),
        ("can unknown hall light", []),
        ("you light currently hall in hamburg", []),
        ("you tell the light can kitchen thank you", []),
        ("i get a light in kitchen pentagon turn", []),
        ("the light in the kitchen thank you", ["kitchen"]),
        ("the kitchen light at fifty", ["kitchen"]),
        ("unknown hall light in the hall", ["hall"]),
    ],
)
def test_a_choice_is_said_where_one_is_expected(text: str, rooms: list[str]) -> None:
    schema = {"enum": ["kitchen", "living room", "hall"]}
    assert find_values(Kind.CHOICE, schema, words_of(text), {"turn", "light"}) == rooms


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twenty one", [21]),
        ("twenty and one", [20, 1]),
        ("five hundred nineteen", [5, 19]),
        ("forty ten", [40, 10]),
        ("room 101 for two", [101, 2]),
        ("a table for to tomorrow", [2]),
        ("for for on friday", [4]),
        ("to", []),
        ("none", []),
    ],
)
def test_numbers_are_found_in_words_and_digits(text: str, numbers: list[int]) -> None:
    assert find_values(Kind.NUMBER, {}, words_of(text)) == numbers


def test_choices_are_found_as_the_schema_writes_them() -> None:
    schema = {"enum": ["living_room", "kitchen", 7]}
    assert find_values(Kind.CHOICE, schema, words_of("the Living room")) == ["living_room"]
    assert find_values(Kind.CHOICE, schema, words_of("number 7"), {"number"}) == [7]
    assert examples(Kind.CHOICE, schema) == ["living room", "kitchen", "7"]


@given(st.sampled_from([Kind.CITY, Kind.DAY, Kind.NUMBER]), st.data())
def test_every_example_is_found(kind: Kind, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(examples(kind, {})))
    assert len(find_values(kind, {}, words_of(f"well {value} it is"))) == 1


@given(st.text())
def test_no_text_is_too_odd_to_look_for_values(text: str) -> None:
    for kind in (Kind.CITY, Kind.DAY, Kind.NUMBER):
        find_values(kind, {}, words_of(text))


def test_names_of_tools_fall_into_words() -> None:
    assert words_of("getWeather_forCity") == ["get", "weather", "for", "city"]
    assert words_of("What’s up?") == ["what's", "up"]


def test_cities_are_many_and_none_is_twice() -> None:
    assert len(set(CITIES)) == len(CITIES) >= 60
