"""Tool results in natural words."""

import json
from collections.abc import Mapping
from typing import Any

_MOST_FACTS = 6
_CLOSING = "Is there anything else that you would like to know?"
_UNITS = {
    "c": "degrees",
    "celsius": "degrees",
    "f": "degrees Fahrenheit",
    "fahrenheit": "degrees Fahrenheit",
    "percent": "percent",
    "pct": "percent",
    "kmh": "kilometres an hour",
    "kph": "kilometres an hour",
    "mph": "miles an hour",
    "km": "kilometres",
    "m": "metres",
    "mm": "millimetres",
    "usd": "dollars",
    "eur": "euros",
    "minutes": "minutes",
    "min": "minutes",
    "hours": "hours",
    "seconds": "seconds",
    "s": "seconds",
    "ms": "milliseconds",
    "days": "days",
}
_PLACE_KEYS = ("city", "location", "place", "town")
_CONDITION_KEYS = ("condition", "conditions", "weather", "description", "summary")


def spoken_result(tool: str, output: str) -> str:
    """Sentences that tell the result.

    Args:
        tool: The tool's name.
        output: What it gave: JSON, or plain text.
    """
    try:
        result = json.loads(output)
    except ValueError:
        result = output
    match result:
        case {"error": problem} if problem:
            return f"I'm sorry, that did not work. {_sentence(_value(problem))}"
        case {}:
            return " ".join([*_object_sentences(result), _CLOSING])
        case []:
            return "I found nothing."
        case [{}, *_]:
            count = len(result)
            found = f"I found {count} results. The first is this." if count > 1 else "I found one."
            return " ".join([found, *_object_sentences(result[0])])
        case None | "":
            return f"That is done: {_words(tool)}."
        case str():
            return _sentence(result)
        case _:
            return f"The answer is {_value(result)}."


def _object_sentences(result: Mapping[str, Any]) -> list[str]:
    """First the place and its condition, if there are, then fact by fact."""
    facts = {
        key: value for key, value in _flat(result) if value is not None and value not in ("", [])
    }
    place = next((str(facts.pop(key)) for key in _PLACE_KEYS if key in facts), None)
    sentences = []
    condition = next((str(facts.pop(key)) for key in _CONDITION_KEYS if key in facts), None)
    if condition and place:
        sentences.append(f"In {place} the weather is {condition} at the moment.")
    elif condition:
        sentences.append(_sentence(condition))
    elif place:
        sentences.append(f"This is about {place}.")
    told = [f"the {_fact(key, value)}" for key, value in list(facts.items())[:_MOST_FACTS]]
    pairs = (told[at : at + 2] for at in range(0, len(told), 2))
    return [*sentences, *(_sentence(" and ".join(pair)) for pair in pairs)]


def _flat(result: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The object's members; those of an inner object take its place."""
    flat: list[tuple[str, Any]] = []
    for key, value in result.items():
        flat += _flat(value) if isinstance(value, Mapping) else [(key, value)]
    return flat


def _fact(key: str, value: Any) -> str:
    name, _, unit = key.rpartition("_")
    if unit in _UNITS and name and isinstance(value, int | float):
        return f"{_words(name)} is {_value(value)} {_UNITS[unit]}"
    return f"{_words(key)} {'are' if isinstance(value, list) else 'is'} {_value(value)}"


def _value(value: Any) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case float():
            return f"{value:.1f}".removesuffix(".0").replace("-", "minus ")
        case int():
            return str(value).replace("-", "minus ")
        case list():
            return ", ".join(_value(each) for each in value[:_MOST_FACTS])
        case {}:
            return ", ".join(_fact(key, each) for key, each in _flat(value))
        case _:
            return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").strip()


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
