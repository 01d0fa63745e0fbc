"""Reading protobuf's JSON: both spellings of every name in, camelCase out.

A parser takes a value's path (`setup.generation_config`) and the value; it returns the value with
its names in camelCase, or raises Closed in the service's words. A null is a field that is not set.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import pybase64

from .closes import invalid_value, unknown_name

Parse = Callable[[str, Any], Any]


@lru_cache(maxsize=4096)
def camel(name: str) -> str:
    """`turn_complete` as `turnComplete`; what is camelCase already stays."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """`turnComplete` as `turn_complete`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def text(path: str, value: Any) -> str:
    if not isinstance(value, str):
        raise invalid_value(path, "TYPE_STRING", value)
    return value


def boolean(path: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise invalid_value(path, "TYPE_BOOL", value)
    return value


def number(path: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_value(path, "TYPE_FLOAT", value)
    return value


def integer(path: str, value: Any) -> int:
    """A whole number; protobuf writes large ones as text."""
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise invalid_value(path, "TYPE_INT64", value)
    return int(value)


def anything(path: str, value: Any) -> Any:
    """A value that is kept and not looked at."""
    return value


def struct(path: str, value: Any) -> dict[str, Any]:
    """Any object, whatever its keys."""
    if not isinstance(value, dict):
        raise invalid_value(path, "type.googleapis.com/google.protobuf.Struct", value)
    return value


def base64(path: str, value: Any) -> bytes:
    """Bytes, in either alphabet, with padding or without."""
    data = text(path, value).replace("-", "+").replace("_", "/")
    try:
        return pybase64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    except ValueError as error:
        raise invalid_value(path, "TYPE_BYTES", "Base64 decoding failed") from error


def enum(*names: str) -> Parse:
    """One of `names`."""

    def parse(path: str, value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise invalid_value(path, "TYPE_ENUM", value)
        return value

    return parse


def repeated(element: Parse) -> Parse:
    def parse(path: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise invalid_value(path, "TYPE_LIST", value)
        return [element(f"{path}[{index}]", entry) for index, entry in enumerate(value)]

    return parse


def mapping(element: Parse) -> Parse:
    """Values of one kind by keys of the client's own."""

    def parse(path: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid_value(path, "TYPE_MESSAGE", value)
        return {
            key: element(f"{path}[{index}].value", entry)
            for index, (key, entry) in enumerate(value.items())
        }

    return parse


def message(fields: Mapping[str, Parse]) -> Parse:
    """An object that has only `fields`, named in camelCase here."""

    def parse(path: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid_value(path, "TYPE_MESSAGE", value)
        parsed = {}
        for name, entry in value.items():
            known = camel(name)
            if known not in fields:
                raise unknown_name(name, path)
            if entry is not None:
                inner = f"{path}.{snake(known)}" if path else snake(known)
                parsed[known] = fields[known](inner, entry)
        return parsed

    return parse


def checked(parse: Parse, value: Any) -> Any:
    """`value` as `parse` reads it.

    Raises:
        Closed: It is not as it should be, or nested too deeply.
    """
    try:
        return parse("", value)
    except RecursionError:
        raise invalid_value("", "TYPE_MESSAGE", "nested too deeply") from None
