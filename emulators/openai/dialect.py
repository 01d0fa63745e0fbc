"""What a dialect of the wire is: tables by which GA, in which the emulator thinks, is translated.

Events are translated at the edge of a session, both ways; what a dialect does not know is refused
as an unknown parameter, and not sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import RequestRefused, invalid_value, unknown_parameter

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field that has another name, place or values on the wire."""

    path: tuple[str, ...]
    """Where GA has it."""
    name: str
    values: Sequence[tuple[Any, Any]] = ()
    """Pairs of a value here and the same on the wire; none: all are the same."""
    without: tuple[str, ...] = ()
    """Fields in it that the wire does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An object that looks otherwise on the wire."""

    fields: tuple[Field, ...] = ()
    absent: frozenset[str] = frozenset()
    """Names of GA, or of the other dialect, that the wire does not have."""
    implied: Mapping[str, Any] = field(default_factory=dict)
    """What an object of the client means without saying it."""
    added: Mapping[str, Any] = field(default_factory=dict)
    """What an object of the service has besides."""

    def taken(self, path: str, wire: Any) -> Any:
        """An object of the client as GA has it.

        Raises:
            RequestRefused: A field is unknown, or has a value that the dialect does not know.
        """
        if not isinstance(wire, dict):
            return wire
        own = {each.name: each for each in self.fields}
        result: Object = dict(self.implied)
        for name, value in wire.items():
            where = f"{path}.{name}"
            if name in own:
                _put(result, own[name].path, _here(where, value, own[name]))
            elif name in self.absent:
                raise unknown_parameter(where)
            else:
                result[name] = value
        return result

    def given(self, here: Object) -> Object:
        """An object of the service as the wire has it."""
        result = {name: value for name, value in here.items() if name not in self.absent}
        for each in self.fields:
            found, value = _get(here, each.path)
            if found:
                result[each.name] = _on_the_wire(value, each)
        return {**result, **self.added} if self.added else result


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way to speak the wire."""

    name: Literal["ga", "beta"]
    models: tuple[str, ...] = ()
    """Models served besides GA's."""
    takes_beta_header: bool = False
    announces_conversation: bool = False
    rate_limits: Literal["after_done", "after_created"] = "after_done"
    session_extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a session's defaults that GA does not have."""
    session: Shape = field(default_factory=Shape)
    request: Shape = field(default_factory=Shape)
    """Of `response` in a response.create."""
    response: Shape = field(default_factory=Shape)
    events: Mapping[str, str | None] = field(default_factory=dict)
    """Event types of the service by GA's; None is not sent."""
    event_absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fields of GA's events that are not sent."""
    content: Mapping[str, str] = field(default_factory=dict)
    """Types of content in items, by GA's."""
    item_added: Mapping[str, Any] = field(default_factory=dict)

    def type_of(self, event: str) -> str:
        """What an event of GA is called."""
        return self.events.get(event) or event

    def incoming(self, event: Object) -> Object:
        """An event of the client as GA has it.

        Raises:
            RequestRefused: A field is unknown, or has a value that the dialect does not know.
        """
        if "session" in event:
            event = {**event, "session": self.session.taken("session", event["session"])}
        if "response" in event:
            response = self.request.taken("response", event["response"])
            if isinstance(response, dict) and isinstance(response.get("input"), list):
                response["input"] = [self._item_taken(item) for item in response["input"]]
            event = {**event, "response": response}
        if "item" in event:
            event = {**event, "item": self._item_taken(event["item"])}
        return event

    def _item_taken(self, item: Any) -> Any:
        if not self.content or not isinstance(item, dict):
            return item
        content = item.get("content")
        if item.get("role") != "assistant" or not isinstance(content, list):
            return item
        here = {wire: ga for ga, wire in self.content.items()}
        for index, part in enumerate(content):
            if _type_in(part, self.content):
                raise invalid_value(f"item.content[{index}].type", part["type"], list(here))
        return {**item, "content": [_retyped(part, here) for part in content]}

    def outgoing(self, event: Object) -> Object | None:
        """An event of the service as the wire has it; None where it is not sent."""
        type = self.events.get(event["type"], event["type"])
        if type is None:
            return None
        absent = self.event_absent.get(event["type"], ())
        wire = {name: value for name, value in event.items() if name not in absent}
        wire["type"] = type
        if "session" in wire:
            wire["session"] = self.session.given(wire["session"])
        if "response" in wire:
            output = [self._item_given(item) for item in wire["response"]["output"]]
            wire["response"] = self.response.given({**wire["response"], "output": output})
        if "item" in wire:
            wire["item"] = self._item_given(wire["item"])
        return wire

    def _item_given(self, item: Object) -> Object:
        item = {**item, **self.item_added}
        if self.content and "content" in item:
            item["content"] = [_retyped(part, self.content) for part in item["content"]]
        return item

    def refusal(self, refused: RequestRefused) -> RequestRefused:
        """A refusal in GA's names, in those of the wire."""
        message, param = refused.message, refused.param
        for here, wire in self._names():
            message = message.replace(here, wire)
            param = None if param is None else param.replace(here, wire)
        return RequestRefused(message, code=refused.code, param=param)

    def _names(self) -> Iterable[tuple[str, str]]:
        for prefix, shape in (("session", self.session), ("response", self.request)):
            for each in shape.fields:
                yield f"{prefix}.{'.'.join(each.path)}", f"{prefix}.{each.name}"
        for here, wire in self.content.items():
            yield f"'{here}'", f"'{wire}'"


def _put(target: Object, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        target = target.setdefault(name, {})
    target[path[-1]] = value


def _get(source: Any, path: tuple[str, ...]) -> tuple[bool, Any]:
    for name in path:
        if not isinstance(source, dict) or name not in source:
            return False, None
        source = source[name]
    return True, source


def _here(path: str, value: Any, field: Field) -> Any:
    if not field.values:
        return value
    for here, wire in field.values:
        if value == wire:
            return here
    raise invalid_value(path, value, [str(wire) for _, wire in field.values])


def _on_the_wire(value: Any, field: Field) -> Any:
    if isinstance(value, dict) and field.without:
        return {name: entry for name, entry in value.items() if name not in field.without}
    return next((wire for here, wire in field.values if value == here), value)


def _retyped(part: Any, types: Mapping[str, str]) -> Any:
    return {**part, "type": types[part["type"]]} if _type_in(part, types) else part


def _type_in(part: Any, types: Mapping[str, str]) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str) and part["type"] in types
