"""JSON Schema in the words of Gemini, whose live models know a part of OpenAPI's and no more.

Source: https://ai.google.dev/api/caching#Schema. Its `parametersJsonSchema` is not for live
sessions: the model calls such a tool without arguments.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from crossfade.providers.wire_json import JsonObject

_ANNOTATIONS = ("title", "description")
_KEPT = (
    *_ANNOTATIONS,
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
)
_FORMATS = frozenset({"date-time", "enum", "float", "double", "int32", "int64"})
_KINDS = ("string", "integer", "number", "boolean", "array", "object", "null")
_UNIONS = ("anyOf", "oneOf")
# Gemini refuses objects whose properties it is not told.
_FREE_OBJECT = "A JSON object, written as text."

# Where the schema refers to itself, arguments may lie deeper than any tool looks.
_DEEPEST = 40

_Schema = Mapping[str, Any]


def gemini_schema(schema: _Schema) -> JsonObject:
    """Rewrite a JSON Schema. References are written out; what Gemini does not know is left out.

    An object of unknown properties becomes a text; `read_arguments` reads it back.
    """
    return _rewrite(schema, schema, ())


def read_arguments(schema: _Schema, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give arguments as the JSON Schema has them: objects that came as text are objects again."""
    read = _read(schema, dict(arguments), schema, _DEEPEST)
    return read if isinstance(read, dict) else dict(arguments)


def _rewrite(schema: _Schema, root: _Schema, inside: tuple[str, ...]) -> JsonObject:
    if "$ref" in schema:
        name = str(schema["$ref"])
        # What refers to itself ends here, as an object of any kind.
        if name in inside:
            return _free_object(schema)
        inside = (*inside, name)
        return _rewrite(_merged([_target(name, root), _without(schema, "$ref")]), root, inside)
    if parts := _mappings(schema.get("allOf")):
        whole, inside = _written_out(parts, root, inside)
        return _rewrite(_merged([*whole, _without(schema, "allOf")]), root, inside)
    options = _options(schema)
    kinds = [option for option in options if not _is_null(option)]
    about = {key: schema[key] for key in _ANNOTATIONS if key in schema}
    out: JsonObject = {}
    if len(kinds) < len(options) or schema.get("nullable") is True:
        out["nullable"] = True
    if len(kinds) == 1:
        return {**_rewrite({**kinds[0], **about}, root, inside), **out}
    if kinds:
        return {**about, **out, "anyOf": [_rewrite(kind, root, inside) for kind in kinds]}
    out |= {key: schema[key] for key in _KEPT if key in schema}
    if schema.get("format") in _FORMATS:
        out["format"] = schema["format"]
    kind = _kind(schema)
    out["type"] = kind.upper()
    if kind == "object":
        properties = _mapping(schema.get("properties"))
        if not properties:
            return _free_object(out)
        out["properties"] = {
            name: _rewrite(_mapping(value), root, inside) for name, value in properties.items()
        }
        if required := [name for name in _names(schema.get("required")) if name in properties]:
            out["required"] = required
    elif kind == "array":
        out["items"] = _rewrite(_mapping(schema.get("items")), root, inside)
    _add_choices(out, _choices(schema))
    return out


def _options(schema: _Schema) -> list[_Schema]:
    """The alternatives of a schema, each with all that holds for it; none if it is of one kind."""
    for union in _UNIONS:
        if alternatives := _mappings(schema.get(union)):
            common = _without(schema, union, *_ANNOTATIONS)
            return [_merged([common, alternative]) for alternative in alternatives]
    kinds = schema.get("type")
    if isinstance(kinds, list):
        named = [kind for kind in kinds if kind in _KINDS]
    elif kinds in _KINDS:
        named = []
    else:
        # Values tell of what kind they are.
        named = list(dict.fromkeys(_kind_of(choice) for choice in _choices(schema) or ()))
        if "number" in named and "integer" in named:
            named.remove("integer")
    return [_of_kind(_without(schema, *_ANNOTATIONS), kind) for kind in named]


def _of_kind(schema: _Schema, kind: str) -> _Schema:
    """The schema for values of one kind, and those of its choices that are."""
    choices = _choices(schema)
    narrowed = {**_without(schema, "enum", "const"), "type": kind}
    if choices is not None:
        narrowed["enum"] = [choice for choice in choices if _fits(choice, kind)]
    return narrowed


def _is_null(option: _Schema) -> bool:
    return option.get("type") == "null" or _choices(option) == [None]


def _add_choices(out: JsonObject, choices: list[Any] | None) -> None:
    if choices is None:
        return
    if None in choices:
        out["nullable"] = True
    choices = [choice for choice in choices if choice is not None]
    # Only texts can be enumerated, and no empty ones: others are told in words.
    if out["type"] == "STRING" and all(isinstance(choice, str) and choice for choice in choices):
        if choices:
            out["enum"] = choices
    elif choices:
        _describe(
            out, f"One of: {', '.join(json.dumps(choice, default=str) for choice in choices)}."
        )


def _free_object(schema: _Schema) -> JsonObject:
    out: JsonObject = {key: schema[key] for key in (*_ANNOTATIONS, "nullable") if key in schema}
    out["type"] = "STRING"
    _describe(out, _FREE_OBJECT)
    return out


def _describe(out: JsonObject, told: str) -> None:
    out["description"] = f"{out['description']} {told}" if out.get("description") else told


def _merged(schemas: Sequence[_Schema]) -> JsonObject:
    """One schema of several that hold together; of what they say twice, the last holds."""
    whole: JsonObject = {}
    for schema in schemas:
        merged = {**whole, **schema}
        if "properties" in whole and "properties" in schema:
            merged["properties"] = {
                **_mapping(whole["properties"]),
                **_mapping(schema["properties"]),
            }
        if "required" in whole and "required" in schema:
            names = [*_names(whole["required"]), *_names(schema["required"])]
            merged["required"] = list(dict.fromkeys(names))
        if {"type", "properties"} & schema.keys() == {"properties"} and "type" not in whole:
            merged["type"] = "object"
        whole = merged
    return whole


def _written_out(
    parts: Sequence[_Schema], root: _Schema, inside: tuple[str, ...]
) -> tuple[list[_Schema], tuple[str, ...]]:
    """Parts with their references resolved, so that they can be merged."""
    whole: list[_Schema] = []
    for part in parts:
        while "$ref" in part and str(part["$ref"]) not in inside:
            name = str(part["$ref"])
            inside = (*inside, name)
            part = _merged([_target(name, root), _without(part, "$ref")])
        if nested := _mappings(part.get("allOf")):
            deeper, inside = _written_out(nested, root, inside)
            part = _merged([*deeper, _without(part, "allOf")])
        whole.append(_without(part, "$ref"))
    return whole, inside


def _target(reference: str, root: _Schema) -> _Schema:
    """What a reference within the schema points to; nothing if it points elsewhere."""
    if not reference.startswith("#"):
        return {}
    place: Any = root
    for part in filter(None, reference[1:].split("/")):
        place = _mapping(place).get(part.replace("~1", "/").replace("~0", "~"))
    return _mapping(place)


def _kind(schema: _Schema) -> str:
    given = schema.get("type")
    if isinstance(given, str) and given in _KINDS and given != "null":
        return given
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _kind_of(value: Any) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return "null" if value is None else kinds.get(type(value), "object")


def _fits(value: Any, kind: str) -> bool:
    found = _kind_of(value)
    return found == kind or (found == "integer" and kind == "number")


def _choices(schema: _Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    choices = schema.get("enum")
    return list(choices) if isinstance(choices, list) else None


def _read(schema: _Schema, value: Any, root: _Schema, levels: int) -> Any:
    if not schema or not levels:
        return value
    kinds = _kinds(schema, root, ())
    if isinstance(value, str):
        names = {_kind(kind) for kind in kinds}
        if "object" not in names or "string" in names:
            return value
        try:
            told = orjson.loads(value)
        except ValueError:
            return value
        if not isinstance(told, dict):
            return value
        value = told
    # Of several kinds, nothing tells which one it is.
    schema = kinds[0] if len(kinds) == 1 else {}
    if isinstance(value, dict):
        properties = _mapping(schema.get("properties"))
        return {
            name: _read(_mapping(properties.get(name)), inner, root, levels - 1)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        items = _mapping(schema.get("items"))
        return [_read(items, inner, root, levels - 1) for inner in value]
    return value


def _kinds(schema: _Schema, root: _Schema, inside: tuple[str, ...]) -> list[_Schema]:
    """The kinds of value that a schema knows besides null, without references."""
    (schema,), inside = _written_out([schema], root, inside)
    options = [option for option in _options(schema) if not _is_null(option)]
    return [kind for option in options for kind in _kinds(option, root, inside)] or [schema]


def _mapping(value: Any) -> _Schema:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[_Schema]:
    return [_mapping(each) for each in value] if isinstance(value, list) else []


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _without(schema: _Schema, *keys: str) -> JsonObject:
    return {key: value for key, value in schema.items() if key not in keys}


__all__ = ["gemini_schema", "read_arguments"]
