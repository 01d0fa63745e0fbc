"""Requests for three tools, as people say them: those that the rules were made with, and others."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade.offline.slots import CITIES

REQUESTS = 70
_SEED = 8

LIGHT = {
    "name": "turn_on_light",
    "description": "Switch on the light of a room",
    "parameters": {
        "type": "object",
        "properties": {
            "room": {"type": "string", "enum": ["kitchen", "living_room", "bedroom", "hall"]},
            "brightness": {"type": "integer"},
        },
        "required": ["room"],
    },
}
TABLE = {
    "name": "book_table",
    "description": "Book a table at the restaurant",
    "parameters": {
        "type": "object",
        "properties": {"guests": {"type": "integer"}, "day": {"type": "string"}},
        "required": ["guests", "day"],
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is said, and what it shall call."""

    text: str
    tool: str
    calls: Sequence[Mapping[str, Any]]
    """The arguments of each call."""


def _weather(text: str, *cities: str) -> Request:
    return Request(text=text, tool="get_weather", calls=[{"city": city} for city in cities])


def _light(text: str, room: str, brightness: int | None = None) -> Request:
    more = {} if brightness is None else {"brightness": brightness}
    return Request(text=text, tool="turn_on_light", calls=[{"room": room, **more}])


def _table(text: str, guests: int, day: str) -> Request:
    return Request(text=text, tool="book_table", calls=[{"guests": guests, "day": day}])


_ON_WEATHER = (
    "What is the weather in {}?", "What's the weather like in {}?", "How warm is it in {}?",
    "Is it raining in {}?", "Tell me the weather in {}.", "How cold is it in {}?",
    "Do I need an umbrella in {}?", "What is the temperature in {}?",
    "Could you tell me the weather in {}, please?", "I would like to know the weather in {}.",
    "Please check the weather in {}.", "Hello, what is the weather in {} today?",
)  # fmt: skip
_OTHERS = (
    _light("Turn on the kitchen light.", "kitchen"),
    _light("Please turn on the light in the bedroom.", "bedroom"),
    _light("Can you turn on the light in the hall?", "hall"),
    _light("Switch on the light in the living room.", "living_room"),
    _light("Turn on the bedroom light, please.", "bedroom"),
    _table("Book a table for four on Friday.", 4, "friday"),
    _table("Book a table for two tomorrow.", 2, "tomorrow"),
    _table("I want to book a table for six tonight.", 6, "tonight"),
    _table("Can you book a table for eight on Sunday?", 8, "sunday"),
    _table("Please book a table for three on Monday.", 3, "monday"),
)
WIDER: Sequence[Request] = (
    _weather("Is it going to rain in Lisbon?", "Lisbon"),
    _weather("What will the weather be like in Prague?", "Prague"),
    _weather("Can you check the forecast for Helsinki?", "Helsinki"),
    _weather("Is it snowing in Montreal right now?", "Montreal"),
    _weather("Will I need an umbrella in London today?", "London"),
    _weather("Give me the temperature in Havana.", "Havana"),
    _weather("I wonder how hot it is in Bangkok.", "Bangkok"),
    _weather("I am flying to Vienna. What is the weather there?", "Vienna"),
    _weather("Do you know if it is raining in Seattle?", "Seattle"),
    _weather("Weather in Sydney, please.", "Sydney"),
    _weather("What are the temperatures in Madrid like?", "Madrid"),
    _weather("Can I get the weather for San Francisco?", "San Francisco"),
    _weather("Please tell me how cold it is in Stockholm.", "Stockholm"),
    _weather("Let me know the weather in Cape Town.", "Cape Town"),
    _weather("I want to know if it rains in Hamburg.", "Hamburg"),
    _weather("Look up the weather in Los Angeles.", "Los Angeles"),
    _weather("What's it like in Chicago, is it cold?", "Chicago"),
    _weather("Hi, could you check the weather in Rome for me?", "Rome"),
    _weather("What is the weather in Berlin and in Munich?", "Berlin", "Munich"),
    _weather("How cold does it get in Reykjavik?", "Reykjavik"),
    _weather("Excuse me, what is the temperature in Warsaw right now?", "Warsaw"),
    _weather("Has it been raining in Geneva?", "Geneva"),
    _light("Turn the light on in the kitchen.", "kitchen"),
    _light("Switch the light on in the hall, please.", "hall"),
    _light("I need some light in the living room.", "living_room"),
    _light("Could you switch on the bedroom light?", "bedroom"),
    _light("Light in the hall, please.", "hall"),
    _light("It is dark in the kitchen. Turn on the light.", "kitchen"),
    _light("Turn on the lights in the living room.", "living_room"),
    _light("Let there be light in the kitchen.", "kitchen"),
    _light("Set the light in the bedroom to fifty.", "bedroom", 50),
    _table("I need a table for five on Saturday.", 5, "saturday"),
    _table("A table for two on Friday, please.", 2, "friday"),
    _table("Could you book us a table for seven on Tuesday?", 7, "tuesday"),
    _table("Can we have a table for ten on Thursday?", 10, "thursday"),
    _table("I would like a table on Friday for eight people.", 8, "friday"),
    _table("Reserve a table for three tonight.", 3, "tonight"),
    _table("Table for nine on Sunday.", 9, "sunday"),
    _table("Book a table tomorrow for six guests.", 6, "tomorrow"),
    _table("We are four people, book a table for Wednesday.", 4, "wednesday"),
)
"""Other phrasings that the rules were widened with."""
HELD_OUT: Sequence[Request] = (
    _weather("Will it be sunny in Miami?", "Miami"),
    _weather("How is the weather looking in Toronto?", "Toronto"),
    _weather("What is the forecast for Dublin, please?", "Dublin"),
    _weather("Is there any snow in Oslo?", "Oslo"),
    _weather("Should I take an umbrella in Brussels?", "Brussels"),
    _weather("Tell me the temperature in Nairobi, please.", "Nairobi"),
    _weather("How hot is it in Delhi?", "Delhi"),
    _weather("I am going to Athens tomorrow. How warm is it there?", "Athens"),
    _weather("Do you know whether it is cold in Moscow?", "Moscow"),
    _weather("The forecast for Melbourne.", "Melbourne"),
    _weather("What sort of weather do they have in Zurich?", "Zurich"),
    _weather("Could I have the weather for New York?", "New York"),
    _weather("Please find out how warm it is in Barcelona.", "Barcelona"),
    _weather("I need the weather in Hong Kong.", "Hong Kong"),
    _weather("I would like to hear the forecast for Budapest.", "Budapest"),
    _weather("Show me the weather in Mexico City.", "Mexico City"),
    _weather("And is it sunny in Cairo today?", "Cairo"),
    _weather("Good morning, how is the weather in Paris today?", "Paris"),
    _weather("Compare the weather in Tokyo and Osaka.", "Tokyo", "Osaka"),
    _weather("How warm will it be in Jakarta?", "Jakarta"),
    _weather("So tell me, is it hot in Singapore?", "Singapore"),
    _weather("Any rain in Boston?", "Boston"),
    _light("Turn the bedroom light on.", "bedroom"),
    _light("Switch the kitchen light on.", "kitchen"),
    _light("I need light in the bedroom.", "bedroom"),
    _light("Would you turn on the living room light?", "living_room"),
    _light("Light on in the living room, please.", "living_room"),
    _light("It is too dark in the bedroom, switch on the light.", "bedroom"),
    _light("Turn on the lights in the hall.", "hall"),
    _light("Put on the light in the hall.", "hall"),
    _light("Turn on the kitchen light at thirty percent.", "kitchen", 30),
    _table("I need a table for three tomorrow.", 3, "tomorrow"),
    _table("A table for six on Sunday, please.", 6, "sunday"),
    _table("Would you book me a table for four on Wednesday?", 4, "wednesday"),
    _table("Can I get a table for two on Monday?", 2, "monday"),
    _table("We would like a table on Saturday for four people.", 4, "saturday"),
    _table("Please reserve a table for two on Thursday.", 2, "thursday"),
    _table("Table for twelve, tomorrow.", 12, "tomorrow"),
    _table("Book a table on Monday for five guests.", 5, "monday"),
    _table("There are three of us, book a table for Tuesday.", 3, "tuesday"),
    _weather("Would you please tell me if it is warm in Lisbon?", "Lisbon"),
    _weather("What about the forecast for Kyoto?", "Kyoto"),
    _weather("How is the temperature in Dallas?", "Dallas"),
    _weather("Can we expect snow in Denver?", "Denver"),
    _weather("I have to go to Milan. Is it raining there?", "Milan"),
    _weather("Will it be hot in Tehran tomorrow?", "Tehran"),
    _weather("Give me the weather report for Houston.", "Houston"),
    _weather("Is it cold outside in Vancouver?", "Vancouver"),
    _weather("Do they have snow in Oslo today?", "Oslo"),
    _weather("Tell me about the weather in Lima.", "Lima"),
    _weather("Hello, is it raining in Amsterdam?", "Amsterdam"),
    _weather("I am in Shanghai, do I need an umbrella?", "Shanghai"),
    _light("Please switch the bedroom light on.", "bedroom"),
    _light("Can I have light in the kitchen?", "kitchen"),
    _light("Hello, turn on the hall light.", "hall"),
    _light("The light in the living room, please.", "living_room"),
    _light("I want you to turn on the light in the kitchen.", "kitchen"),
    _light("Could we have the light on in the bedroom?", "bedroom"),
    _table("Do you have a table for two tomorrow?", 2, "tomorrow"),
    _table("Is there a table for five on Friday?", 5, "friday"),
    _table("Book us a table on Sunday, we are seven.", 7, "sunday"),
    _table("Could I reserve a table for six on Wednesday?", 6, "wednesday"),
    _table("I want a table on Tuesday for three people.", 3, "tuesday"),
    _table("Good morning, a table for four today, please.", 4, "today"),
)
"""Phrasings by which nothing was tuned."""


def requests(count: int = REQUESTS) -> list[Request]:
    """Requests of the domain: the sample tool with each of many cities, and two other tools."""
    cities = list(CITIES)
    random.Random(_SEED).shuffle(cities)
    weather = [
        _weather(_ON_WEATHER[at % len(_ON_WEATHER)].format(city), city)
        for at, city in enumerate(cities[: count - len(_OTHERS)])
    ]
    return [*weather, *_OTHERS][:count]


__all__ = ["HELD_OUT", "LIGHT", "REQUESTS", "TABLE", "WIDER", "Request", "requests"]
