from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.offline.slots import CITIES, Kind, examples, find_values, kind_of, words_of


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
        ("the weather in Ulaanbaatar please", ["Ulaanbaatar"]),
        ("weather in santa cruz tomorrow", ["Santa Cruz"]),
        ("the weather in the", []),
        ("the weather in how do", []),
        ("the weather in ten", []),
        ("what's the weather like in i", []),
        ("weather in", []),
        ("romeo", []),
    ],
)
def test_cities_are_found_in_the_order_said(text: str, cities: list[str]) -> None:
    assert find_values(Kind.CITY, {}, words_of(text)) == cities


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
    assert find_values(Kind.CHOICE, schema, words_of("number 7")) == [7]
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
