"""What a native call was set up with, as its capture keeps it, and back."""

import base64
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from crossfade.errors import SettingsError
from crossfade.observability.capture import Capture
from crossfade.observability.redaction import redact
from crossfade.processors.tool_policy import ToolPolicy
from crossfade.processors.tools import Handler, Tool, schema_tool
from crossfade.processors.uplink import UPLINK_MS
from crossfade.providers import SessionConfig
from crossfade.providers.continuity.route import Endpoint as RouteEndpoint
from crossfade.providers.continuity.settings import Continuity

from .assembly import EndOfTurnRule
from .stored_config import config_of, stored_config

_POLICY: TypeAdapter[ToolPolicy] = TypeAdapter(ToolPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSetup:
    """What `native_call` was given."""

    spec: str
    config: SessionConfig
    """Without its tools."""
    tool_instruction: bool = True
    end_of_turn: EndOfTurnRule = "silence"
    in_rate_hz: int = 16000
    out_rate_hz: int = 24000
    uplink_ms: int = UPLINK_MS
    continuity: Continuity | None = None
    route: Sequence[RouteEndpoint] = field(default_factory=tuple)
    unfinished: bytes = b""
    begun_elsewhere: bool = False
    """Something was said before, in another process."""


def keep_setup(capture: Capture, setup: CallSetup, tools: Sequence[Tool]) -> None:
    """Put it into the capture, without credentials and addresses."""
    capture.settings("config", stored_config(replace(setup.config, tools=())))
    capture.settings(
        "call",
        {
            "spec": setup.spec,
            "tool_instruction": setup.tool_instruction,
            "end_of_turn": setup.end_of_turn,
            "in_rate_hz": setup.in_rate_hz,
            "out_rate_hz": setup.out_rate_hz,
            "uplink_ms": setup.uplink_ms,
            "route": kept_route(setup.route),
            "unfinished": base64.b64encode(setup.unfinished).decode(),
            "begun_elsewhere": setup.begun_elsewhere,
        },
    )
    continuity = setup.continuity
    capture.settings("continuity", {} if continuity is None else asdict(continuity))
    keep_tools(capture, tools)


def keep_tools(capture: Capture, tools: Sequence[Tool]) -> None:
    """Put how tools are declared and treated into the capture."""
    kept = {tool.name: _tool_settings(tool) for tool in tools}
    capture.settings("tools", kept, by_given_names=True)


def kept_route(route: Sequence[RouteEndpoint]) -> list[dict[str, Any]]:
    """A route as a capture keeps it; `Leg` reads its parts back."""
    return [
        {"spec": leg.spec, "dialect": leg.dialect, "changes": dict(leg.changes)} for leg in route
    ]


def captured_setup(settings: Mapping[str, Mapping[str, Any]]) -> CallSetup:
    """Read it back.

    Raises:
        SettingsError: It is of another version.
    """
    continuity = settings["continuity"]
    try:
        call = _CallSettings.model_validate(settings["call"])
        return CallSetup(
            spec=call.spec,
            config=config_of(settings["config"]),
            tool_instruction=call.tool_instruction,
            end_of_turn=call.end_of_turn,
            in_rate_hz=call.in_rate_hz,
            out_rate_hz=call.out_rate_hz,
            uplink_ms=call.uplink_ms,
            continuity=Continuity(**continuity) if continuity else None,
            route=tuple(RouteEndpoint(**dict(leg)) for leg in call.route),
            unfinished=base64.b64decode(call.unfinished),
            begun_elsewhere=call.begun_elsewhere,
        )
    except (TypeError, ValueError) as error:
        raise not_read("call") from error


class Leg(BaseModel):
    """One provider of a route."""

    spec: str
    dialect: str | None
    changes: dict[str, Any]


class _CallSettings(BaseModel):
    model_config = ConfigDict(strict=True)

    spec: str
    tool_instruction: bool
    end_of_turn: EndOfTurnRule
    in_rate_hz: int = Field(ge=8000, le=48_000)
    out_rate_hz: int = Field(ge=8000, le=48_000)
    uplink_ms: int = Field(default=UPLINK_MS, ge=0, le=1000)
    route: list[Leg]
    unfinished: str
    begun_elsewhere: bool


def not_read(what: str) -> SettingsError:
    """What is told of settings that are of another version."""
    return SettingsError(
        f"the capture's settings of the {what} cannot be read; use the version of Crossfade that "
        "made it, and a capture that nobody changed"
    )


def captured_tool(name: str, settings: Mapping[str, Any], handler: Handler) -> Tool:
    """A tool that is declared and treated as the one of the captured call.

    Raises:
        SettingsError: It is of another version.
    """
    try:
        return schema_tool(
            name,
            handler,
            description=settings["description"],
            parameters=json.loads(settings["parameters"]),
            policy=_POLICY.validate_python(settings["policy"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise not_read(f"tool {name}") from error


def seeded(continuity: Continuity | None) -> Continuity | None:
    """The same with a seed, so that its waits can be repeated."""
    if continuity is None or continuity.seed is not None:
        return continuity
    return replace(continuity, seed=random.getrandbits(32))


def _tool_settings(tool: Tool) -> dict[str, Any]:
    declaration = tool.declaration
    return {
        "description": declaration.description,
        "parameters": json.dumps(
            redact(declaration.parameters, content=True, key="parameters"), ensure_ascii=False
        ),
        "policy": _POLICY.dump_python(
            replace(tool.policy, secrets=declaration.secrets), mode="json"
        ),
    }


__all__ = [
    "CallSetup",
    "Leg",
    "captured_setup",
    "captured_tool",
    "keep_setup",
    "keep_tools",
    "kept_route",
    "not_read",
    "seeded",
]
