"""Results of tools as the model gets them: plain JSON of a bounded size."""

import json
from typing import Any

import orjson
from pydantic import TypeAdapter

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def plain(result: Any) -> Any:
    """Make plain JSON of what a tool returned: models, dataclasses, dates, sets and so on.

    Raises:
        PydanticSerializationError: JSON cannot say it.
        TypeError: JSON cannot say it: a number of more than 64 bits.
    """
    # Before, since keys must be whole; and after, for what models hold.
    made = whole(_JSON.dump_python(whole(result), mode="json"))
    orjson.dumps(made)
    return made


def whole(value: Any) -> Any:
    """The same with each half of a character replaced, which no wire takes."""
    match value:
        case str():
            return value if _is_whole(value) else _joined(value)
        case dict():
            return {
                whole(name) if isinstance(name, str) else name: whole(inner)
                for name, inner in value.items()
            }
        case list() | tuple():
            return [whole(inner) for inner in value]
    return value


def sayable(output: Any) -> Any:
    """A result that may come from anywhere as a wire takes it; in text what is no JSON."""
    made = whole(output)
    try:
        orjson.dumps(made)
    except TypeError:
        return as_text(made)
    return made


def as_text(output: Any) -> str:
    """JSON as the model reads it; text goes as it is."""
    made = whole(output)
    if isinstance(made, str):
        return made
    try:
        return orjson.dumps(made).decode()
    except TypeError:
        said = json.dumps(made, ensure_ascii=False, separators=(",", ":"), default=str)
        return _joined(said)


def capped(output: Any, most_characters: int) -> Any:
    """Cut a result that is too long; a cut one is text and says where it ends."""
    text = as_text(output)
    if len(text) <= most_characters:
        return output
    return (
        f"{text[:most_characters]} [cut: these are the first {most_characters} of "
        f"{len(text)} characters; ask for less to see the rest]"
    )


def _is_whole(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def _joined(text: str) -> str:
    """Halves that stand together make a character; one that stands alone is replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


__all__ = ["as_text", "capped", "plain", "sayable", "whole"]
