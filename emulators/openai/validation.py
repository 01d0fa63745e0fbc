"""Checks of what a client sent, refused in the service's words.

A check takes the value's path (`session.audio.input.format`) and the value; it returns nothing or
raises RequestRefused.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import (
    RequestRefused,
    invalid_type,
    invalid_value,
    missing_parameter,
    unknown_parameter,
)

Check = Callable[[str, Any], None]


def text(path: str, value: Any) -> None:
    if not isinstance(value, str):
        raise invalid_type(path, "a string", value)


def boolean(path: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise invalid_type(path, "a boolean", value)


def mapping(path: str, value: Any) -> None:
    """Any object, whatever its keys."""
    if not isinstance(value, dict):
        raise invalid_type(path, "an object", value)


def anything(path: str, value: Any) -> None:
    """A value that is kept and not looked at."""


def text_up_to(length: int) -> Check:
    def check(path: str, value: Any) -> None:
        text(path, value)
        if len(value) > length:
            raise RequestRefused(
                f"Invalid '{path}': string too long. Expected a string with maximum length "
                f"{length}, but got a string with length {len(value)} instead.",
                code="string_above_max_length",
                param=path,
            )

    return check


def integer(low: int, high: int | None = None) -> Check:
    def check(path: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid_type(path, "an integer", value)
        _within(path, value, low, high, kind="integer")

    return check


def decimal(low: float, high: float) -> Check:
    def check(path: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid_type(path, "a decimal", value)
        _within(path, value, low, high, kind="decimal")

    return check


def choice(*names: str) -> Check:
    def check(path: str, value: Any) -> None:
        text(path, value)
        if value not in names:
            raise invalid_value(path, value, list(names))

    return check


def nullable(inner: Check) -> Check:
    def check(path: str, value: Any) -> None:
        if value is not None:
            inner(path, value)

    return check


def text_or(inner: Check, *names: str) -> Check:
    """One of `names`, or else a value that passes `inner`."""

    def check(path: str, value: Any) -> None:
        if isinstance(value, str):
            choice(*names)(path, value)
        else:
            inner(path, value)

    return check


def array(element: Check) -> Check:
    def check(path: str, value: Any) -> None:
        if not isinstance(value, list):
            raise invalid_type(path, "an array", value)
        for index, entry in enumerate(value):
            element(f"{path}[{index}]", entry)

    return check


def record(fields: Mapping[str, Check], *, required: Sequence[str] = ()) -> Check:
    """An object that has only `fields`, and has those `required`."""

    def check(path: str, value: Any) -> None:
        mapping(path, value)
        for name, entry in value.items():
            inner = f"{path}.{name}" if path else name
            if name not in fields:
                raise unknown_parameter(inner)
            fields[name](inner, entry)
        for name in required:
            if name not in value:
                raise missing_parameter(f"{path}.{name}" if path else name)

    return check


def variant(cases: Mapping[str, Check], *, tag: str = "type") -> Check:
    """An object whose field `tag` names which of `cases` it is."""

    def check(path: str, value: Any) -> None:
        mapping(path, value)
        inner = f"{path}.{tag}"
        if tag not in value:
            raise missing_parameter(inner)
        choice(*cases)(inner, value[tag])
        cases[value[tag]](path, value)

    return check


def _within(path: str, value: float, low: float, high: float | None, *, kind: str) -> None:
    if value < low:
        raise RequestRefused(
            f"Invalid '{path}': {kind} below minimum value. Expected a value >= {low}, "
            f"but got {value} instead.",
            code=f"{kind}_below_min_value",
            param=path,
        )
    if high is not None and value > high:
        raise RequestRefused(
            f"Invalid '{path}': {kind} above maximum value. Expected a value <= {high}, "
            f"but got {value} instead.",
            code=f"{kind}_above_max_value",
            param=path,
        )
