"""Tools as functions."""

import asyncio
from datetime import date
from typing import Any, Literal

import pytest

from crossfade.errors import SettingsError
from crossfade.processors.tools import ToolArgumentsError, tool


@tool(acknowledge=None, timeout_ms=500)
async def book(city: str, day: date, seats: Literal[1, 2] = 1) -> dict[str, Any]:
    """Book seats."""
    return {"city": city, "day": day, "seats": seats}


def test_the_signature_becomes_the_schema_and_the_docstring_the_description() -> None:
    assert book.name == "book"
    assert book.declaration.description == "Book seats."
    assert book.declaration.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "day": {"type": "string", "format": "date"},
            "seats": {"enum": [1, 2], "type": "integer", "default": 1},
        },
        "required": ["city", "day"],
        "additionalProperties": False,
    }


def test_arguments_are_converted_and_the_result_is_plain_json() -> None:
    result = asyncio.run(book.run({"city": "Tokyo", "day": "2026-11-21"}))
    assert result == {"city": "Tokyo", "day": "2026-11-21", "seats": 1}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"city": "Tokyo"}, "day: Field required"),
        ({"city": "Tokyo", "day": "soon"}, "day: Input should be a valid date"),
        ({"city": "Tokyo", "day": "2026-11-21", "vip": True}, "vip: Extra inputs"),
        ({"city": "Tokyo", "day": "2026-11-21", "seats": 3}, "seats: Input should be 1 or 2"),
    ],
)
def test_what_is_wrong_with_arguments_is_told_in_words(
    arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(ToolArgumentsError, match=told):
        asyncio.run(book.run(arguments))


def test_a_function_that_cannot_be_a_tool_is_refused_by_name() -> None:
    async def silent(city: str) -> None: ...

    async def untyped(city) -> None:  # type: ignore[no-untyped-def]
        """Do."""

    def blocking(city: str) -> None:
        """Do."""

    with pytest.raises(SettingsError, match="silent needs a docstring"):
        tool(silent)
    with pytest.raises(SettingsError, match="untyped needs a type for its parameter city"):
        tool(untyped)
    with pytest.raises(SettingsError, match="blocking must be an async function"):
        tool(blocking)  # type: ignore[arg-type]
