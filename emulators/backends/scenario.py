"""Scenarios: what a scripted backend hears, says and calls, as YAML.

    otherwise: I have nothing more to say.  # the answer when no turn is left
    repeat: false                           # true: begin again instead
    turns:
      - on: speech                          # speech, text, tool_results, request or any
        hear: what's the weather in Tokyo   # the transcript to report of the user's speech
        think_ms: 300                       # time before the first output
        say: One moment.                    # a text, or a list: one message each
        call:                               # function calls, all in the same response
          - name: get_weather
            arguments: {city: Tokyo}
      - on: tool_results
        say: It is {temperature_c} degrees. # a field of a result that is a JSON object

What arrives takes the first turn that waits for it and that nothing has taken before. `{results}`
reads all results out. A function that the client does not offer is not called: the answer says so
instead.
"""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import orjson
import yaml

from crossfade.errors import SettingsError

from .backend import Call, Trigger

ANY = "any"
DEFAULT_PATH = Path(__file__).with_name("default_scenario.yaml")
_OTHERWISE = "I have nothing more to say."


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer of the script."""

    on: Trigger | None
    """What it answers; None is anything."""
    hear: str = ""
    think_ms: float | None = None
    say: tuple[str, ...] = ()
    call: tuple[Call, ...] = ()

    def answers(self, trigger: Trigger) -> bool:
        return self.on is None or self.on is trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole script."""

    turns: tuple[Turn, ...]
    otherwise: str = _OTHERWISE
    repeat: bool = False


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        SettingsError: The file cannot be read, is no YAML, or a field of it is wrong.
    """
    try:
        return parse_scenario(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"cannot read the scenario {path}: {error.strerror}; name a readable YAML file"
        ) from error
    except (SettingsError, UnicodeDecodeError) as error:
        raise SettingsError(f"scenario {path}: {error}") from error


def parse_scenario(text: str) -> Scenario:
    """The scenario that a YAML text holds.

    Raises:
        SettingsError: It is no YAML, or a field of it is wrong.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"no valid YAML: {error}") from error
    fields = _fields("the scenario", document, {"otherwise": str, "repeat": bool, "turns": list})
    if not fields.get("turns"):
        raise SettingsError("the scenario has no turns; list at least one under 'turns:'")
    turns = tuple(_turn(f"turn {n}", entry) for n, entry in enumerate(fields.pop("turns"), 1))
    return Scenario(turns=turns, **fields)


_TURN_FIELDS: dict[str, Any] = {
    "on": str,
    "hear": str,
    "think_ms": (int, float),
    "say": (str, list),
    "call": list,
}


def _turn(where: str, entry: Any) -> Turn:
    fields = _fields(where, entry, _TURN_FIELDS)
    say = fields.get("say", [])
    messages = [say] if isinstance(say, str) else say
    if not all(_is_text(message) and message.strip() for message in messages):
        raise SettingsError(f"{where}: 'say' must be a text, or a list of texts, with words in it")
    if not 0 <= fields.get("think_ms", 0) < inf:
        raise SettingsError(f"{where}: 'think_ms' must be a time, and not negative")
    return Turn(
        on=_trigger(where, fields.get("on", ANY)),
        hear=fields.get("hear", ""),
        think_ms=fields.get("think_ms"),
        say=tuple(messages),
        call=tuple(_call(f"{where}, call {n}", c) for n, c in enumerate(fields.get("call", []), 1)),
    )


def _trigger(where: str, name: str) -> Trigger | None:
    if name == ANY:
        return None
    try:
        return Trigger(name)
    except ValueError as error:
        names = ", ".join([*(trigger.value for trigger in Trigger), ANY])
        raise SettingsError(f"{where}: 'on' is '{name}', but must be one of {names}") from error


def _call(where: str, entry: Any) -> Call:
    fields = _fields(where, entry, {"name": str, "arguments": (dict, str)})
    if "name" not in fields:
        raise SettingsError(f"{where}: 'name' is missing; name the function to call")
    arguments = fields.get("arguments", {})
    # Text is sent as it is, so that a script can send what is no JSON.
    text = arguments if isinstance(arguments, str) else _json(where, arguments)
    return Call(name=fields["name"], arguments=text)


def _json(where: str, value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise SettingsError(f"{where}: the arguments cannot be written as JSON: {error}") from error


def _fields(where: str, entry: Any, known: dict[str, Any]) -> dict[str, Any]:
    """`entry` as a mapping that has only `known` fields, each of its type."""
    if not isinstance(entry, dict):
        raise SettingsError(f"{where} must be a mapping with the fields {', '.join(known)}")
    # YAML 1.1 reads the key `on` as true.
    fields = {"on" if key is True else key: value for key, value in entry.items()}
    for name, value in fields.items():
        if name not in known:
            raise SettingsError(f"{where}: unknown field '{name}'; known are {', '.join(known)}")
        if (
            not isinstance(value, known[name])
            or isinstance(value, bool) is not (known[name] is bool)
            or (isinstance(value, str) and not _is_text(value))
        ):
            raise SettingsError(f"{where}: '{name}' has a value of the wrong kind: {value!r}")
    return fields


def _is_text(value: Any) -> bool:
    """Whether it is text that can be sent: YAML's escapes can write what is no Unicode."""
    return isinstance(value, str) and not any("\ud800" <= each <= "\udfff" for each in value)
