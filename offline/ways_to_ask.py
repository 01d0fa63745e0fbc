"""How people ask for a tool: sentences for the recogniser to expect."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .slots import EMPTY_WORDS, Kind, examples, words_of

FOLLOW_UPS = ("what about", "how about", "and")
"""What stands before a value that changes the question before."""
_MOST_COMBINED = 24
_SHARE = 6
"""Of the phrases each value goes with one in so many; the model joins the rest."""
_OPENINGS = (
    "", "please ", "can you ", "could you ", "would you ", "i want to ", "i would like to ",
)  # fmt: skip
_WISHES = (
    "", "i need ", "i want ", "i would like ", "we need ", "we would like ", "can i have ",
    "can we have ", "could i have ", "could we have ", "can i get ", "can we get ",
)  # fmt: skip
_LEAD_INS = ("hello", "hi", "excuse me", "good morning", "so", "and", "okay")
_CLOSINGS = ("please", "today", "tomorrow", "right now", "now", "for me", "like")
_PARTICLES = {"on", "off", "up", "down", "in", "out"}
_ALSO_CALLED = {
    "book": ("reserve",),
    "reserve": ("book",),
    "turn": ("switch", "put"),
    "switch": ("turn", "put"),
}
"""Verbs that mean the same."""
_PREPOSITIONS = {
    Kind.CITY: ("in ", "for ", "to "),
    Kind.DAY: ("", "on ", "for "),
    Kind.NUMBER: ("", "for ", "to ", "at "),
    Kind.CHOICE: ("", "in ", "in the ", "with "),
}


def _weather() -> tuple[str, ...]:
    """Phrases that a place follows."""
    nouns = ("weather", "forecast", "temperature")
    asked = (
        "what is the {}", "what's the {}", "what will the {} be", "how is the {}", "how's the {}",
        "tell me the {}", "give me the {}", "show me the {}", "check the {}", "look up the {}",
        "find out the {}", "get the {}", "let me know the {}", "i need the {}", "can i get the {}",
        "can i have the {}", "could i get the {}", "could i have the {}", "do you know the {}",
        "can you tell me the {}", "could you tell me the {}", "can you check the {}",
        "could you check the {}", "please check the {}", "please tell me the {}",
        "i want to know the {}", "i would like to know the {}", "the {}", "{}",
    )  # fmt: skip
    states = ("cold", "warm", "hot", "sunny", "raining", "snowing")
    degrees, tails = states[:3], ("is it", "will it be", "does it get")
    coming = ("will it", "does it", "is it going to")
    clauses = [
        *(f"it is {state}" for state in states),
        "it rains", "it snows", "it will rain", "it will snow",
    ]  # fmt: skip
    knowing = (
        "do you know if", "do you know whether", "i want to know if", "i would like to know if",
        "i wonder if", "can you tell me if", "could you tell me if", "tell me if",
    )  # fmt: skip
    degree = ("i wonder", "tell me", "please tell me", "i want to know", "do you know", "find out")
    return (
        *(phrase.format(noun) for noun in nouns for phrase in asked),
        "what is the weather like", "what's the weather like", "what will the weather be like",
        "what are the temperatures", "what kind of weather is it",
        *(f"is it {state}" for state in states),
        *(f"will it be {state}" for state in states),
        *(f"how {state} {tail}" for state in degrees for tail in tails),
        *(f"{opening} how {state} it is" for opening in degree for state in degrees),
        *(f"{opening} {clause}" for opening in knowing for clause in clauses),
        *(f"{will} {verb}" for will in coming for verb in ("rain", "snow")),
        "has it been raining", "has it been snowing", "is there rain", "is there snow",
        "do i need an umbrella", "will i need an umbrella",
    )  # fmt: skip


WEATHER_PHRASES = _weather()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A tool, as far as it shows in how it is asked for."""

    name: str
    description: str
    schemas: Mapping[str, Mapping[str, Any]]
    kinds: Mapping[str, Kind]
    on_weather: bool


def ways_to_ask(tool: Asked) -> Iterator[str]:
    """Ways to ask for a tool, with each value that its parameters may take."""
    asked = list(WEATHER_PHRASES) if tool.on_weather else _phrases(tool)
    yield from asked
    for name, kind in tool.kinds.items():
        values = examples(kind, tool.schemas[name])
        for index, value in enumerate(values):
            in_place = tool.on_weather and kind is Kind.CITY
            for preposition in ("in ",) if in_place else _PREPOSITIONS[kind]:
                yield from (
                    f"{phrase} {preposition}{value}" for phrase in asked[index % _SHARE :: _SHARE]
                )
                yield f"{preposition}{value}"
            yield from _around(asked, "in " if in_place else _PREPOSITIONS[kind][-1], value, index)
            yield from (f"{opening} {value}" for opening in FOLLOW_UPS)
            yield value
            if kind is Kind.CHOICE:
                yield from _named(tool, value)
            if kind is Kind.NUMBER:
                counted = (" ".join(words_of(name)), "people", "percent")
                yield from (f"for {value} {each}" for each in counted[:2])
                yield from (f"{before} {value} {counted[2]}" for before in ("at", "to"))
            if kind is Kind.CITY:
                following = values[(index + 1) % len(values)]
                yield f"{asked[0]} in {value} and in {following}"
                yield f"{asked[0]} in {value} and {following}"
                yield f"i am going to {value} {asked[0]} there"
                yield f"i am flying to {value} {asked[0]} there"
    yield from _in_one_breath(tool, asked)


def _around(asked: Sequence[str], preposition: str, value: str, number: int) -> Iterator[str]:
    """What people say before and behind a request; each with some of the phrases."""
    for at, lead_in in enumerate(_LEAD_INS):
        yield f"{lead_in} {asked[(number + 5 * at) % len(asked)]} {preposition}{value}"
    for at, closing in enumerate(_CLOSINGS):
        yield f"{asked[(number + 7 * at) % len(asked)]} {preposition}{value} {closing}"


def _named(tool: Asked, value: str) -> Iterator[str]:
    """A choice as part of the name: "turn on the kitchen light"."""
    *_, subject = words_of(tool.name)
    for verb, particle in _verbs(tool.name):
        for opening in _OPENINGS[:4]:
            yield f"{opening}{verb} {particle} the {value} {subject}".replace("  ", " ")
            if particle:
                yield f"{opening}{verb} the {value} {subject} {particle}"
                yield f"{opening}{verb} the {subject} {particle} in the {value}"


def _verbs(name: str) -> list[tuple[str, str]]:
    """The verb of a tool's name and those that mean the same, each with its particle, if any."""
    words = words_of(name)
    if len(words) < 2:
        return []
    particle = words[1] if len(words) > 2 and words[1] in _PARTICLES else ""
    return [(verb, particle) for verb in (words[0], *_ALSO_CALLED.get(words[0], ()))]


def _in_one_breath(tool: Asked, asked: Sequence[str]) -> Iterator[str]:
    """Two values in one request: "book a table for four on friday"."""
    said = [
        (name, kind, values)
        for name, kind in tool.kinds.items()
        if (values := examples(kind, tool.schemas[name]))
    ]
    # A number is said with "for", which all the others may follow.
    said.sort(key=lambda each: each[1] is not Kind.NUMBER)
    for (name, first, ones), (_, second, others) in itertools.combinations(said, 2):
        counted = ("", f" {' '.join(words_of(name))}", " people")
        for (at, one), other in itertools.product(enumerate(ones[:_MOST_COMBINED]), others):
            before = _PREPOSITIONS[first][1 if first is Kind.NUMBER else -1]
            for step, preposition in enumerate(_PREPOSITIONS[second][:2]):
                phrase = asked[(at + len(other)) % len(asked)]
                yield f"{phrase} {before}{one} {preposition}{other}"
                backwards = asked[(at + step + 3 * len(other)) % len(asked)]
                things = counted[(at + step) % 3] if first is Kind.NUMBER else ""
                yield f"{backwards} {preposition}{other} {before}{one}{things}"


def _phrases(tool: Asked) -> list[str]:
    words = words_of(tool.name)
    name = " ".join(words)
    subject = " ".join(word for word in words if word not in EMPTY_WORDS)
    described = " ".join(words_of(tool.description.split(".")[0]))
    thing = words[-1]
    done = [
        f"{verb} {particle} {which} {thing}".replace("  ", " ")
        for verb, particle in _verbs(tool.name)
        for which in (("the",) if particle else ("a", "the", "us a", "me a"))
    ]
    apart = [f"{verb} the {thing} {particle}" for verb, particle in _verbs(tool.name) if particle]
    plural = [f"{verb} {particle} the {thing}s" for verb, particle in _verbs(tool.name) if particle]
    return [
        *(f"{opening}{name}" for opening in _OPENINGS),
        *(f"{opening}{described}" for opening in _OPENINGS if described),
        *(f"{opening}{each}" for opening in _OPENINGS for each in (*done, *apart, *plural)),
        *(f"{wish}{which} {thing}" for wish in _WISHES for which in ("a", "some")),
        *(f"{opening}{subject}" for opening in ("what is the ", "tell me the ", "my ", "")),
    ]


__all__ = ["FOLLOW_UPS", "Asked", "ways_to_ask"]
