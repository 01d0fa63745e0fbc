import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.gemini_schema import gemini_schema


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "default": "x", "$schema": "y"}, {"type": "STRING"}),
        ({"type": ["integer", "null"]}, {"type": "INTEGER", "nullable": True}),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "a name"},
            {"type": "STRING", "nullable": True, "description": "a name"},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
        ),
        ({"const": "on"}, {"type": "STRING", "enum": ["on"]}),
        ({"enum": ["a", "b"]}, {"type": "STRING", "enum": ["a", "b"]}),
        (
            {"type": "integer", "enum": [1, 2], "description": "How many."},
            {"type": "INTEGER", "description": "How many. One of: 1, 2."},
        ),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"type": "string", "format": "uri"}, {"type": "STRING"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        (
            {"type": "object", "properties": {"n": {"minimum": 1, "type": "number"}}},
            {"type": "OBJECT", "properties": {"n": {"minimum": 1, "type": "NUMBER"}}},
        ),
    ],
)
def test_a_schema_is_rewritten(schema: dict[str, object], expected: object) -> None:
    assert gemini_schema(schema) == expected


def test_references_are_written_out_and_end_where_they_return() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/Node", "description": "the next"}},
    }
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": node}}
    assert gemini_schema(schema) == {
        "type": "OBJECT",
        "properties": {"next": {"type": "OBJECT"}},
    }


LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "null", "array", "object", ["string"], 7]),
        "enum": st.one_of(st.lists(st.integers() | st.text()), st.text()),
        "$ref": st.sampled_from(["#/$defs/a", "#/$defs/none"]),
        "format": st.text(),
    },
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.just("object"),
            "properties": st.dictionaries(st.text(), inner, max_size=3),
            "anyOf": st.lists(inner, max_size=3),
            "items": inner,
            "$defs": st.fixed_dictionaries({"a": inner}),
        },
    ),
    max_leaves=8,
)


@given(SCHEMAS)
def test_any_schema_gives_json(schema: dict[str, object]) -> None:
    assert orjson.dumps(gemini_schema(schema))
