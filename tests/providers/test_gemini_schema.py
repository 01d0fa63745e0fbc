from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.providers.gemini_schema import gemini_schema, read_arguments

POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
REWRITTEN_POINT = {
    "type": "OBJECT",
    "properties": {"x": {"type": "INTEGER"}},
    "required": ["x"],
}


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
        (
            {"type": ["string", "null"], "enum": ["x", None]},
            {"type": "STRING", "nullable": True, "enum": ["x"]},
        ),
        (
            {"type": "string", "enum": ["x", None]},
            {"type": "STRING", "nullable": True, "enum": ["x"]},
        ),
        ({"enum": [1, 2]}, {"type": "INTEGER", "description": "One of: 1, 2."}),
        ({"enum": [1, 2.5]}, {"type": "NUMBER", "description": "One of: 1, 2.5."}),
        ({"const": True}, {"type": "BOOLEAN", "description": "One of: true."}),
        (
            {"enum": ["a", 1], "description": "A name or a number."},
            {
                "description": "A name or a number.",
                "anyOf": [
                    {"type": "STRING", "enum": ["a"]},
                    {"type": "INTEGER", "description": "One of: 1."},
                ],
            },
        ),
        ({"enum": ["", "a"]}, {"type": "STRING", "description": 'One of: "", "a".'}),
        (
            {"type": ["integer", "null"], "enum": [1, None], "description": "How many."},
            {"type": "INTEGER", "nullable": True, "description": "How many. One of: 1."},
        ),
        ({"allOf": [{"type": "integer"}], "minimum": 1}, {"type": "INTEGER", "minimum": 1}),
        (
            {
                "allOf": [{"$ref": "#/$defs/P"}, {"properties": {"y": {"type": "number"}}}],
                "required": ["y"],
                "$defs": {"P": POINT},
            },
            {
                "type": "OBJECT",
                "properties": {"x": {"type": "INTEGER"}, "y": {"type": "NUMBER"}},
                "required": ["x", "y"],
            },
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "STRING", "description": "A JSON object, written as text."},
        ),
        (
            {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["gone"]},
            {"type": "OBJECT", "properties": {"x": {"type": "INTEGER"}}},
        ),
        (
            {**POINT, "anyOf": [{"required": ["x"]}, {"minProperties": 1}], "description": "d"},
            {"description": "d", "anyOf": [REWRITTEN_POINT, REWRITTEN_POINT]},
        ),
        ({"$ref": "#/properties/x", **POINT}, REWRITTEN_POINT),
        ({"$ref": "elsewhere.json"}, {"type": "STRING"}),
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
        "properties": {
            "next": {
                "type": "STRING",
                "description": "the next A JSON object, written as text.",
            }
        },
    }
    assert read_arguments(schema, {"next": '{"next": {}}'}) == {"next": {"next": {}}}


LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "null", "array", "object", ["string"], 7]),
        "enum": st.one_of(st.lists(st.integers() | st.text()), st.text()),
        "$ref": st.sampled_from(["#/$defs/a", "#/$defs/none", "#"]),
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
            "allOf": st.lists(inner, max_size=3),
            "required": st.lists(st.text(), max_size=2),
            "items": inner,
            "$defs": st.fixed_dictionaries({"a": inner}),
        },
    ),
    max_leaves=8,
)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just('{"a": {"a": 1}}'),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("ab") | st.text(), inner),
    max_leaves=8,
)


def check(schema: dict[str, Any]) -> None:
    """What Gemini refuses is in no schema."""
    assert orjson.dumps(schema)
    if "anyOf" in schema:
        assert "type" not in schema
        for alternative in schema["anyOf"]:
            check(alternative)
        return
    kind = schema["type"]
    assert kind in {"STRING", "INTEGER", "NUMBER", "BOOLEAN", "ARRAY", "OBJECT"}
    assert ("properties" in schema) == (kind == "OBJECT")
    assert ("items" in schema) == (kind == "ARRAY")
    assert set(schema.get("required", ())) <= set(schema.get("properties", ()))
    if "enum" in schema:
        assert kind == "STRING"
        assert schema["enum"]
        assert all(isinstance(choice, str) and choice for choice in schema["enum"])
    for inner in schema.get("properties", {}).values():
        assert inner
        check(inner)
    if "items" in schema:
        check(schema["items"])


@given(SCHEMAS)
def test_any_schema_gives_what_gemini_takes(schema: dict[str, Any]) -> None:
    check(gemini_schema(schema))


@given(SCHEMAS, st.dictionaries(st.sampled_from("ab"), JSON))
def test_any_arguments_are_read(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    assert read_arguments(schema, arguments).keys() == arguments.keys()


@given(
    st.sampled_from(["string", "integer", "number", "boolean", "array"]),
    st.lists(st.sampled_from(["ref", "allOf", "anyOf", "null", "list"]), max_size=5),
)
def test_no_wrapping_changes_the_kind_of_a_value(kind: str, wrappings: list[str]) -> None:
    schema: dict[str, Any] = {"type": kind}
    definitions: dict[str, Any] = {}
    for number, wrapping in enumerate(wrappings):
        if wrapping == "ref":
            definitions[f"d{number}"] = schema
            schema = {"$ref": f"#/$defs/d{number}"}
        elif wrapping == "null":
            schema = {"anyOf": [schema, {"type": "null"}]}
        elif wrapping == "list":
            schema = {**schema, "type": [kind, "null"]} if "type" in schema else schema
        else:
            schema = {wrapping: [schema]}
    whole = gemini_schema({"type": "object", "properties": {"value": schema}, "$defs": definitions})
    assert whole["properties"]["value"]["type"] == kind.upper()
    if "null" in wrappings:
        assert whole["properties"]["value"]["nullable"] is True


def test_objects_that_came_as_text_are_read_where_the_schema_has_them() -> None:
    free = {"type": ["object", "null"], "additionalProperties": True}
    schema = {
        "type": "object",
        "properties": {
            "free": free,
            "name": {"type": "string"},
            "many": {"type": "array", "items": {"$ref": "#/$defs/free"}},
            "either": {"anyOf": [free, {"type": "string"}]},
        },
        "$defs": {"free": free},
    }
    told = '{"a": 1}'
    arguments = {"free": told, "name": told, "many": [told, "no"], "either": told, "else": told}
    assert read_arguments(schema, arguments) == {
        "free": {"a": 1},
        "name": told,
        "many": [{"a": 1}, "no"],
        "either": told,
        "else": told,
    }


def test_arguments_may_lie_deeper_than_any_tool_looks() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    arguments: dict[str, Any] = {}
    for _ in range(900):
        arguments = {"next": arguments}
    assert read_arguments(node, arguments) == arguments
