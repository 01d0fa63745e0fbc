"""Gemini's keys, which some servers write modelTurn and others model_turn."""

from functools import lru_cache

from crossfade.providers import wire_json
from crossfade.providers.wire_json import JsonObject


def child(fields: JsonObject, key: str) -> JsonObject:
    """Give an object inside another, its keys in camelCase; empty if there is none."""
    return in_camel_case(wire_json.child(fields, key))


def children(fields: JsonObject, key: str) -> list[JsonObject]:
    """Give the objects of a list, their keys in camelCase."""
    return [in_camel_case(item) for item in wire_json.children(fields, key)]


def in_camel_case(fields: JsonObject) -> JsonObject:
    """Respell the keys of one level."""
    if "_" not in "".join(fields):
        return fields
    return {_camel_case(key): value for key, value in fields.items()}


# Bounded, because the server chooses the keys.
@lru_cache(maxsize=256)
def _camel_case(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


__all__ = ["child", "children", "in_camel_case"]
