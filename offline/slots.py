"""Values that are found in what was said: cities, days, numbers, choices."""

import itertools
import re
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
_NO_NAMES = EMPTY_WORDS.union(NUMBERS, string.ascii_lowercase, DAYS) | {
    "don't", "hello", "hi", "hm", "know", "midnight", "no", "none", "noon", "not", "nothing", "oh",
    "ok", "okay", "really", "right", "sorry", "sure", "thank", "thanks", "there", "uh", "um",
    "well", "yeah", "yes",
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
}  # fmt: skip
_PLACE_PREPOSITIONS = ("in", "at", "of", "for")
_WRITTEN_NAME = r"[^\W\d_a-zß-öø-ÿ][^\W\d_]*(?:['’-][^\W\d_]+)*"
# Up to three words behind a preposition, as names of places are written.
_PLACE = re.compile(
    rf"\b(?:{'|'.join(_PLACE_PREPOSITIONS)})\s+"
    rf"({_WRITTEN_NAME}(?:\s+(?:(?:de|da|do|la|upon)\s+)?{_WRITTEN_NAME}){{0,2}})"
)
# Behind what one of several things is named, if not behind a word of the tool.
_BEFORE_A_CHOICE = {
    "a", "about", "an", "and", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it",
    "me", "my", "of", "on", "or", "our", "please", "some", "that", "the", "this", "to", "us",
    "with", "your",
}  # fmt: skip
_LONGEST_NAME = 3
# Words after a name that do not belong to it.
_AFTER_A_NAME = {"please", "now", "right", "like", "then", "and", "or", *DAYS}
# In front of what one of several things is named.
_AFTER_A_CHOICE = {*EMPTY_WORDS, *NUMBERS, *_AFTER_A_NAME, "thank", "thanks", "too", "with"}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody said."""

    words: Sequence[str]
    """As `words_of` gives them."""
    place: str | None
    """A place in no list, as `place_written` finds it."""


def said(text: str) -> Said:
    """What a text says."""
    return Said(words=words_of(text), place=place_written(text))


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation; `get_weather` and `getWeather` are two words."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("’", "'")
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", apart.lower())


def place_written(text: str) -> str | None:
    """The first place in a text that is written as a name: `the weather in Saint-Malo, please`.

    A recogniser's lower-case words are as likely a place that was misheard, and are none; nor are
    words in a text that is all in capitals.
    """
    if text.isupper():
        return None
    names = (found[1] for found in _PLACE.finditer(text))
    return next((name for name in names if is_name(words_of(name))), None)


def is_name(words: Sequence[str]) -> bool:
    """Whether these may be the name of something, and not what else people say."""
    return bool(words) and _NO_NAMES.isdisjoint(words)


def name_answered(words: Sequence[str]) -> str | None:
    """The name of a place in a short answer to the question for one: "in timbuktu please"."""
    name = list(words)
    while name and name[0] in {*_PLACE_PREPOSITIONS, "to"}:
        del name[0]
    while name and name[-1] in _AFTER_A_NAME:
        del name[-1]
    return " ".join(name).title() if is_name(name) and len(name) <= _LONGEST_NAME else None


def find_values(
    kind: Kind,
    schema: Mapping[str, Any],
    words: Sequence[str],
    own: Collection[str] | None = None,
) -> list[Any]:
    """All values of the kind in what was said, in order; none for free text.

    Args:
        kind: What is looked for.
        schema: Of the parameter.
        words: What was said.
        own: The tool's own words. One of several choices is then found only where it is named as
            such: between these, articles, prepositions, the beginning and the end.
    """
    match kind:
        case Kind.CITY:
            return find_names(CITIES, words)
        case Kind.DAY:
            return find_names(DAYS, words)
        case Kind.NUMBER:
            return _numbers(words)
        case Kind.CHOICE:
            return find_names(schema["enum"], words, own)
        case Kind.FLAG:
            return [True]
        case Kind.TEXT:
            return []


def find_names(
    names: Sequence[Any], words: Sequence[str], own: Collection[str] | None = None
) -> list[Any]:
    """Those names that occur in the words, in the order in which they were said.

    Args:
        names: What is looked for.
        words: What was said.
        own: As in `find_values`; None finds them anywhere.
    """
    found = {name: _first(words_of(str(name)), words, own) for name in names}
    return sorted((name for name in names if found[name] >= 0), key=lambda name: found[name])


def _first(name: list[str], words: Sequence[str], own: Collection[str] | None) -> int:
    """Where the name occurs first; -1 if nowhere."""
    for at in range(len(words) - len(name) + 1):
        end = at + len(name)
        if list(words[at:end]) != name:
            continue
        before, after = words[max(0, at - 1) : at], words[end : end + 1]
        if own is None or (
            all(word in own or word in _BEFORE_A_CHOICE for word in before)
            and all(word in own or word in _AFTER_A_CHOICE for word in after)
        ):
            return at
    return -1


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
