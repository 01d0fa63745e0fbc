"""JSON Schema as a pydantic model, so that one kind of check serves all tools."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model

_PLAIN: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
}
_LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
}
_ITEM_LIMITS = {"minItems": "min_length", "maxItems": "max_length"}
# References may go round in a circle; what lies deeper passes unchecked.
_DEEPEST = 12


def arguments_model(name: str, schema: Mapping[str, Any]) -> type[BaseModel]:
    """Build a model that takes what the schema of an object allows.

    Types, enumerations, limits, alternatives, nested objects and references within the schema are
    checked; what else a schema may say passes by.
    """
    return _Reader(schema).model(name, schema, 0)


class _Reader:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._known: dict[tuple[str, int], Any] = {}
        """What a reference comes to at a depth. A type may refer to itself in many places."""

    def model(self, name: str, schema: Mapping[str, Any], depth: int) -> type[BaseModel]:
        required = set(schema.get("required", ()))
        fields: dict[str, Any] = {}
        for number, (key, inner) in enumerate(schema.get("properties", {}).items()):
            kind = self.kind(f"{name}_{key}", inner, depth + 1)
            default = ... if key in required else None
            # Any text may be a key; only some may be the name of a field.
            fields[f"field_{number}"] = (
                kind if key in required else _union([kind, None]),
                Field(default, alias=key),
            )
        closed = schema.get("additionalProperties") is False
        config = ConfigDict(extra="forbid" if closed else "allow")
        return create_model(name, __config__=config, **fields)

    def kind(self, name: str, schema: Any, depth: int) -> Any:
        """The type that a schema describes."""
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return Any
        if isinstance(reference := schema.get("$ref"), str):
            if (reference, depth) not in self._known:
                found = self.kind(name, self._find(reference), depth + 1)
                self._known[reference, depth] = found
            return self._known[reference, depth]
        if "const" in schema:
            return _one_of([schema["const"]])
        if "enum" in schema:
            return _one_of(schema["enum"])
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return _union([self.kind(name, each, depth + 1) for each in schema[word]])
        if isinstance(kinds := schema.get("type"), list):
            return _union([self.kind(name, {**schema, "type": each}, depth) for each in kinds])
        return self._typed(name, schema, depth)

    def _typed(self, name: str, schema: Mapping[str, Any], depth: int) -> Any:
        match schema.get("type"):
            case "array":
                item = self.kind(name, schema.get("items"), depth + 1)
                return _limited(list[item], schema, _ITEM_LIMITS)  # type: ignore[valid-type]
            case "object" if schema.get("properties"):
                return self.model(name, schema, depth)
            case "object":
                return dict[str, Any]
            case "null":
                return None
            case str() as kind if kind in _PLAIN:
                # A model that sends "5" for 5 is told; left alone, pydantic would take it.
                return _limited(_PLAIN[kind], schema, _LIMITS, strict=True)
        return Any

    def _find(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


def _limited(
    kind: Any, schema: Mapping[str, Any], names: Mapping[str, str], *, strict: bool | None = None
) -> Any:
    limits: dict[str, Any] = {names[word]: schema[word] for word in names if word in schema}
    return Annotated[kind, Field(strict=strict, **limits)]


def _one_of(values: Sequence[Any]) -> Any:
    plain = tuple(v for v in values if v is None or isinstance(v, str | int | bool))
    return Literal[plain] if plain and len(plain) == len(values) else Any


def _union(kinds: Sequence[Any]) -> Any:
    return Union[tuple(kinds)] if kinds else Any  # noqa: UP007


__all__ = ["arguments_model"]
