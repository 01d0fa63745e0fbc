"""Which arguments of a tool are secret, by their types, and the names that they go by."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, AliasPath, BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

_SECRET_TYPES = (SecretStr, SecretBytes, Secret)


def names_of(arguments: type[BaseModel]) -> Mapping[str, frozenset[str]]:
    """Each name that an argument may be given by → all names of the same one."""
    found: dict[str, frozenset[str]] = {}
    for name, field in arguments.model_fields.items():
        names = frozenset((name, *_aliases(field)))
        found |= dict.fromkeys(names, names)
    return found


def secret_names(arguments: type[BaseModel]) -> frozenset[str]:
    """Names of the arguments that are of a secret type of pydantic's, or hold one anywhere."""
    names = names_of(arguments)
    secret = (
        names[name]
        for name, field in arguments.model_fields.items()
        if any(_is_secret(each) for each in _types_in(field.annotation, set()))
    )
    return frozenset().union(*secret)


def _aliases(field: FieldInfo) -> Iterator[str]:
    choice = field.validation_alias
    for alias in (
        field.alias,
        *(choice.choices if isinstance(choice, AliasChoices) else (choice,)),
    ):
        first = alias.path[0] if isinstance(alias, AliasPath) else alias
        if isinstance(first, str):
            yield first


def _is_secret(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, _SECRET_TYPES)


def _types_in(annotation: Any, seen: set[int]) -> Iterator[Any]:
    """A type and those it is made of: its parameters, and the types of its fields."""
    if id(annotation) in seen:
        return
    seen.add(id(annotation))
    kind = get_origin(annotation) or annotation
    yield kind
    parts = [*get_args(annotation), getattr(annotation, "__value__", None)]
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        parts += [field.annotation for field in kind.model_fields.values()]
    elif inspect.isclass(kind) and not _is_secret(kind):
        parts += _hints(kind)
    for part in parts:
        yield from _types_in(part, seen)


def _hints(kind: type[Any]) -> list[Any]:
    """The types of the fields of a dataclass, a TypedDict or a named tuple."""
    if not getattr(kind, "__annotations__", None):
        return []
    try:
        return list(get_type_hints(kind).values())
    except (AttributeError, NameError, TypeError):
        return []


__all__ = ["names_of", "secret_names"]
