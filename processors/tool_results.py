"""Results of tools as the model gets them: plain JSON of a bounded size."""

from typing import Any

import orjson
from pydantic import TypeAdapter

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def plain(result: Any) -> Any:
    """Make plain JSON of what a tool returned: models, dataclasses, dates, sets and so on.

    Raises:
        PydanticSerializationError: JSON cannot say it.
    """
    return _JSON.dump_python(result, mode="json")


def as_text(output: Any) -> str:
    """JSON as the model reads it; text goes as it is."""
    return output if isinstance(output, str) else orjson.dumps(output).decode()


def capped(output: Any, most_characters: int) -> Any:
    """Cut a result that is too long; a cut one is text and says where it ends."""
    text = as_text(output)
    if len(text) <= most_characters:
        return output
    return (
        f"{text[:most_characters]} [cut: these are the first {most_characters} of "
        f"{len(text)} characters; ask for less to see the rest]"
    )


__all__ = ["as_text", "capped", "plain"]
