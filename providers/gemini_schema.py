"""JSON Schema in the words of Gemini, which knows a part of OpenAPI's.

Source: https://ai.google.dev/api/caching#Schema
"""

from collections.abc import Mapping
from typing import Any

from crossfade.providers.wire_json import JsonObject

_KEPT = (
    "title",
    "description",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "required",
)
_FORMATS = frozenset({"date-time", "enum", "float", "double", "int32", "int64"})


def gemini_schema(schema: Mapping[str, Any]) -> JsonObject:
    """Rewrite a JSON Schema. References are written out; what Gemini does not know is left out."""
    definitions = {**_mapping(schema.get("definitions")), **_mapping(schema.get("$defs"))}
    return _rewrite(schema, definitions, ())


def _rewrite(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], inside: tuple[str, ...]
) -> JsonObject:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        # What refers to itself ends here, as an object of any kind.
        if name in inside:
            return {"type": "OBJECT"}
        target = _mapping(definitions.get(name))
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _rewrite({**target, **beside}, definitions, (*inside, name))
    out: JsonObject = {key: schema[key] for key in _KEPT if key in schema}
    if schema.get("format") in _FORMATS:
        out["format"] = schema["format"]
    options = _options(schema)
    kinds = [option for option in options if option.get("type") != "null"]
    if len(kinds) < len(options):
        out["nullable"] = True
    rewritten = [_rewrite(kind, definitions, inside) for kind in kinds]
    if len(rewritten) == 1:
        return {**rewritten[0], **out}
    if rewritten:
        out["anyOf"] = rewritten
        return out
    out["type"] = str(schema.get("type") or _guess(schema)).upper()
    if properties := _mapping(schema.get("properties")):
        out["properties"] = {
            name: _rewrite(_mapping(value), definitions, inside)
            for name, value in properties.items()
        }
    if out["type"] == "ARRAY":
        out["items"] = _rewrite(_mapping(schema.get("items")), definitions, inside)
    _add_choices(out, schema)
    return out


def _options(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a schema, if it has any."""
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(alternatives, list):
        return [_mapping(alternative) for alternative in alternatives]
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return [{**schema, "type": kind} for kind in kinds]
    return []


def _add_choices(out: JsonObject, schema: Mapping[str, Any]) -> None:
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(choices, list):
        return
    if out["type"] == "STRING":
        out["enum"] = [str(choice) for choice in choices]
        return
    # Only strings can be enumerated: the others are told in words.
    told = f"One of: {', '.join(str(choice) for choice in choices)}."
    out["description"] = f"{out['description']} {told}" if out.get("description") else told


def _guess(schema: Mapping[str, Any]) -> str:
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


__all__ = ["gemini_schema"]
