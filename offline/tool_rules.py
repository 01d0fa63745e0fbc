"""When a tool is meant, and with which arguments, judged by its declaration."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .slots import (
    EMPTY_WORDS,
    Kind,
    Said,
    examples,
    find_names,
    find_values,
    kind_of,
    name_answered,
    words_of,
)
from .ways_to_ask import FOLLOW_UPS, Asked, ways_to_ask

_WEATHER_WORDS = {
    "weather", "forecast", "temperature", "rain", "raining", "sunny", "snow", "snowing", "hot",
    "cold", "warm", "umbrella",
}  # fmt: skip
_NAME_WEIGHT = 2
_MATCH_FROM = 2


class ToolRules:
    """How one tool is asked for.

    Args:
        declaration: OpenAI's flat form: `name`, `description`, `parameters` (JSON Schema).
    """

    def __init__(self, declaration: Mapping[str, Any]) -> None:
        self.name = str(declaration["name"])
        self.description = str(declaration.get("description") or "")
        schema = declaration.get("parameters") or {}
        self._schemas: Mapping[str, Mapping[str, Any]] = schema.get("properties") or {}
        self._required = [name for name in schema.get("required") or () if name in self._schemas]
        self._kinds = {name: kind_of(name, each) for name, each in self._schemas.items()}
        self._name_words = set(words_of(self.name)) - EMPTY_WORDS
        self._words = set(words_of(self.description)) - EMPTY_WORDS
        self._on_weather = bool((self._name_words | self._words) & {"weather", "forecast"})
        if self._on_weather:
            self._name_words |= _WEATHER_WORDS

    def score(self, words: Sequence[str]) -> int:
        """How well the words fit the tool; 0 if it is not meant."""
        said = {*words, *(word.removesuffix("s") for word in words)}
        score = _NAME_WEIGHT * len(said & self._name_words) + len(said & self._words)
        return score if score >= _MATCH_FROM else 0

    def calls(self, said: Said) -> tuple[list[dict[str, Any]], str | None]:
        """The arguments of each call that is asked for.

        Several cities make several calls, with all else alike. A place in no list counts if it is
        written as a name, and none of the tool's own words is in it.

        Returns:
            The calls' arguments, and the first required parameter that was not said, if any.
        """
        arguments: dict[str, Any] = {}
        cities: tuple[str, list[str]] | None = None
        own = self._name_words | self._words
        for name, kind in self._kinds.items():
            values = find_values(kind, self._schemas[name], said.words, own)
            if kind is Kind.CITY and not values:
                values = self._unlisted(said)
            if kind is Kind.TEXT and name in self._required:
                values = self._free_text(said.words)
            if kind is Kind.FLAG and name not in self._required:
                continue
            if kind is Kind.CITY and len(values) > 1 and not cities:
                cities = (name, values)
            if values:
                arguments[name] = values[0]
        missing = self._missing(arguments)
        if cities:
            return [{**arguments, cities[0]: city} for city in cities[1]], missing
        return [arguments], missing

    def answered(
        self, parameter: str, said: Said, before: Said
    ) -> tuple[dict[str, Any], str | None] | None:
        """What the call is now, if the question for the parameter was answered.

        Args:
            parameter: What was asked for.
            said: What was said to it.
            before: What was said from the request up to the question.

        Returns:
            The arguments, and the next required parameter that was not said, if any.
        """
        kind = self._kinds[parameter]
        values = find_values(kind, self._schemas[parameter], said.words)
        if not values and kind is Kind.TEXT:
            values = [" ".join(said.words)]
        if not values and kind is Kind.CITY:
            values = [name] if (name := said.place or name_answered(said.words)) else []
        if not values:
            return None
        arguments = {**self.calls(said)[0][0], **self.calls(before)[0][0], parameter: values[0]}
        return arguments, self._missing(arguments)

    def questions(self) -> dict[str, str]:
        """What to ask for each required parameter."""
        return {
            name: f"Which {' '.join(words_of(name))} would you like?" for name in self._required
        }

    def follows_up(self, words: Sequence[str]) -> bool:
        """Whether the words only change a value of the question before: "what about Rome"."""
        said = " ".join(words)
        return said.startswith(FOLLOW_UPS) and any(
            find_names(examples(kind, self._schemas[name]), words)
            for name, kind in self._kinds.items()
        )

    def sentences(self) -> Iterator[str]:
        """Ways to ask for the tool, with each value that its parameters may take."""
        return ways_to_ask(
            Asked(
                name=self.name,
                description=self.description,
                schemas=self._schemas,
                kinds=self._kinds,
                on_weather=self._on_weather,
            )
        )

    def _missing(self, arguments: Mapping[str, Any]) -> str | None:
        return next((name for name in self._required if name not in arguments), None)

    def _unlisted(self, said: Said) -> list[str]:
        if said.place is None or self._name_words.intersection(words_of(said.place)):
            return []
        return [said.place]

    def _free_text(self, words: Sequence[str]) -> list[str]:
        """What was said behind the last word that belongs to the tool."""
        known = self._name_words | self._words
        last = max((at for at, word in enumerate(words) if word in known), default=len(words))
        rest = list(words[last + 1 :])
        while rest and rest[0] in EMPTY_WORDS:
            del rest[0]
        return [" ".join(rest)] if rest else []
