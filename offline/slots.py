"""Values that are found in what was said: cities, days, numbers, choices."""

import itertools
import re
import string
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

CITIES = (
    "Accra", "Amsterdam", "Athens", "Atlanta", "Auckland", "Baghdad", "Bangkok", "Barcelona",
    "Beijing", "Berlin", "Boston", "Brisbane", "Brussels", "Budapest", "Buenos Aires", "Cairo",
    "Cape Town", "Chicago", "Copenhagen", "Dallas", "Delhi", "Denver", "Detroit", "Dublin",
    "Frankfurt", "Geneva", "Hamburg", "Havana", "Helsinki", "Hong Kong", "Houston", "Istanbul",
    "Jakarta", "Jerusalem", "Johannesburg", "Kyoto", "Lima", "Lisbon", "London", "Los Angeles",
    "Madrid", "Melbourne", "Mexico City", "Miami", "Milan", "Montreal", "Moscow", "Mumbai",
    "Munich", "Nairobi", "New York", "Osaka", "Oslo", "Paris", "Prague", "Reykjavik", "Rome",
    "San Francisco", "Seattle", "Seoul", "Shanghai", "Singapore", "Stockholm", "Sydney", "Tehran",
    "Tokyo", "Toronto", "Vancouver", "Vienna", "Warsaw", "Washington", "Zurich",
)  # fmt: skip
DAYS = (
    "today", "tonight", "tomorrow",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBERS = (*_ONES, *_TENS)
# Nothing but a number can be meant by these behind "for".
_SOUND_ALIKE = {"to": 2, "too": 2, "for": 4}
# Words that say nothing about a subject.
EMPTY_WORDS = {
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "by", "call", "can",
    "check", "create", "current", "currently", "data", "do", "does", "fetch", "find", "for",
    "from", "function", "get", "give", "given", "gives", "how", "if", "in", "info", "information",
    "into", "is", "it", "its", "look", "lookup", "make", "me", "need", "new", "of", "on", "one",
    "or", "out", "please", "query", "return", "returns", "run", "search", "set", "some", "show",
    "tell", "that", "the", "their", "this", "to", "tool", "up", "use", "used", "user", "value",
    "what", "when", "where", "which", "with", "you", "your",
}  # fmt: skip
# What a recogniser hears instead of a name, and what is none.
_NO_NAMES = EMPTY_WORDS.union(NUMBERS, string.ascii_lowercase)
# Words after a name that do not belong to it.
_AFTER_A_NAME = {"please", "now", "right", "like", "then", "and", "or", *DAYS}


class Kind(Enum):
    """What a parameter can hold."""

    CITY = "city"
    DAY = "day"
    NUMBER = "number"
    CHOICE = "choice"
    FLAG = "flag"
    TEXT = "text"


def kind_of(name: str, schema: Mapping[str, Any]) -> Kind:
    """What kind of value a parameter takes, by its JSON Schema and its name."""
    if schema.get("enum"):
        return Kind.CHOICE
    if schema.get("type") in ("integer", "number"):
        return Kind.NUMBER
    if schema.get("type") == "boolean":
        return Kind.FLAG
    about = set(words_of(f"{name} {schema.get('description', '')}"))
    if about & {"city", "cities", "location", "town", "place", "destination"}:
        return Kind.CITY
    if about & {"day", "date", "weekday", "when"}:
        return Kind.DAY
    return Kind.TEXT


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation; `get_weather` and `getWeather` are two words."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("’", "'")
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", apart.lower())


def find_values(kind: Kind, schema: Mapping[str, Any], words: Sequence[str]) -> list[Any]:
    """All values of the kind in what was said, in order; none for free text."""
    match kind:
        case Kind.CITY:
            return find_names(CITIES, words) or _name_after(words, "in", "at", "of")
        case Kind.DAY:
            return find_names(DAYS, words)
        case Kind.NUMBER:
            return _numbers(words)
        case Kind.CHOICE:
            return find_names(schema["enum"], words)
        case Kind.FLAG:
            return [True]
        case Kind.TEXT:
            return []


def find_names(names: Sequence[Any], words: Sequence[str]) -> list[Any]:
    """Those names that occur in the words, in the order in which they were said."""
    said = f" {' '.join(words)} "
    found = {name: said.find(f" {' '.join(words_of(str(name)))} ") for name in names}
    return sorted((name for name in names if found[name] >= 0), key=lambda name: found[name])


def examples(kind: Kind, schema: Mapping[str, Any]) -> list[str]:
    """How values of the kind are said."""
    match kind:
        case Kind.CITY:
            return [city.lower() for city in CITIES]
        case Kind.DAY:
            return list(DAYS)
        case Kind.NUMBER:
            return list(NUMBERS)
        case Kind.CHOICE:
            return [" ".join(words_of(str(choice))) for choice in schema["enum"]]
        case _:
            return []


def _name_after(words: Sequence[str], *prepositions: str) -> list[str]:
    """A name that is in no list: up to three words behind the last preposition."""
    for at in range(len(words) - 1, -1, -1):
        if words[at] in prepositions:
            name = words[at + 1 : at + 4]
            end = next((i for i, word in enumerate(name) if word in _AFTER_A_NAME), len(name))
            plausible = end and _NO_NAMES.isdisjoint(name[:end])
            return [" ".join(name[:end]).title()] if plausible else []
    return []


def _numbers(words: Sequence[str]) -> list[int]:
    """Numbers below a hundred in words, and any in digits."""
    found: list[int] = []
    tens = 0
    for before, word in itertools.pairwise(("", *words)):
        if before == "for" and word in _SOUND_ALIKE:
            found.append(_SOUND_ALIKE[word])
        elif word.isdecimal():
            found.append(int(word))
        elif word in _TENS:
            tens = 10 * (_TENS.index(word) + 2)
            found.append(tens)
            continue
        elif word in _ONES:
            one = _ONES.index(word)
            if tens and 0 < one < 10:
                found[-1] += one
            else:
                found.append(one)
        tens = 0
    return found
