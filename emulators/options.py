"""Options of the command that set the fields of a wire's own settings: `name=value`."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from crossfade.errors import SettingsError


def made(kind: type[Any], values: Mapping[str, Any], option: str) -> Any:
    """A settings object of texts, or of values that are right already.

    Args:
        kind: A dataclass.
        values: Its fields by name.
        option: What the option is called, for errors.

    Raises:
        SettingsError: There is no such field, or its value is wrong.
    """
    names = [field.name for field in fields(kind)]
    hints = get_type_hints(kind)
    found = {}
    for name, value in values.items():
        if name not in names:
            raise SettingsError(f"{option}: no '{name}'; there are {', '.join(names)}")
        try:
            found[name] = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            raise SettingsError(f"{option} {name}: {error.errors()[0]['msg']}") from error
    return kind(**found)


def pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """The values of an option that was given as `name=value`, any number of times.

    Raises:
        SettingsError: One is no such pair.
    """
    found = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not separator:
            raise SettingsError(f"{option} {text}: give name=value")
        found[name.strip().replace("-", "_")] = value.strip()
    return found
