"""What a call that changes its node was set up with, as its capture keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from crossfade.errors import SettingsError
from crossfade.observability.capture import Capture
from crossfade.processors.node_switch import NodeSwitch
from crossfade.processors.node_switch_settings import Order, SwitchSettings
from crossfade.processors.tools import Tool
from crossfade.processors.uplink import UPLINK_MS

from .assembly import EndOfTurnRule
from .call_nodes import CallNode
from .capture_call import Leg, keep_tools, not_read
from .capture_cascade import CascadeSetup, Kept, Rate


class SwitchedSetup(Kept):
    """What `switched_call` was given."""

    node: Literal["switched"] = "switched"
    first: str
    route: list[str]
    spare: str | None
    switch: dict[str, float]
    end_of_turn: EndOfTurnRule
    in_rate_hz: Rate
    out_rate_hz: Rate
    begun_elsewhere: bool
    own_phrases: bool
    """What is said while tools run was rendered in a voice apart, which no line shows."""

    @property
    def settings(self) -> SwitchSettings:
        """The times of a swap.

        Raises:
            SettingsError: They are of another version.
        """
        try:
            return SwitchSettings(**self.switch)
        except TypeError as error:
            raise not_read("call") from error


class KeptNative(Kept):
    """What `native_node` was given."""

    kind: Literal["native"]
    spec: str
    config: dict[str, Any]
    continuity: dict[str, Any]
    route: list[Leg]
    tool_instruction: bool
    rate_hz: Rate
    uplink_ms: int = Field(default=UPLINK_MS, ge=0, le=1000)


class KeptCascade(Kept):
    """What `cascade_node` was given."""

    kind: Literal["cascade"]
    instructions: str
    tool_instruction: bool
    rate_hz: Rate


KeptNode = KeptNative | KeptCascade
_SETUP: TypeAdapter[CascadeSetup | SwitchedSetup] = TypeAdapter(
    Annotated[CascadeSetup | SwitchedSetup, Field(discriminator="node")]
)
_NODE: TypeAdapter[KeptNode] = TypeAdapter(Annotated[KeptNode, Field(discriminator="kind")])


def keep_switch(
    capture: Capture, setup: SwitchedSetup, switch: NodeSwitch, tools: Sequence[Tool]
) -> None:
    """Put it into the capture, with its nodes, and from now on each swap that is asked for.

    Nodes of the application's own are named, and no more: such a call cannot be run again.
    """
    nodes: dict[str, Any] = {}
    for name, node in switch.nodes.items():
        nodes[name] = {}
        if isinstance(node, CallNode):
            node.capture = capture
            nodes[name] = dict(node.kept)
    capture.settings("call", setup.model_dump())
    capture.settings("nodes", nodes, by_given_names=True)
    keep_tools(capture, tools)

    def ordered(order: Order) -> None:
        told = {"node": order.node, "when": order.when.value, "why": order.why}
        capture.note("order", {**told, "speaks": order.speaks})

    switch.on_order = ordered


def setup_of(switch: NodeSwitch, **given: Any) -> SwitchedSetup:
    """The set-up of a call around a switch that has not begun.

    Args:
        switch: As it was made.
        given: The rest.
    """
    return SwitchedSetup(
        first=switch.serving,
        route=list(switch.route),
        spare=switch.spare,
        switch={name: float(value) for name, value in asdict(switch.settings).items()},
        **given,
    )


def captured_nodes_setup(settings: Mapping[str, Any]) -> CascadeSetup | SwitchedSetup:
    """Read the settings of the call back.

    Raises:
        SettingsError: They are of another version.
    """
    try:
        return _SETUP.validate_python(dict(settings))
    except ValueError as error:
        raise not_read("call") from error


def captured_node(name: str, settings: Mapping[str, Any]) -> KeptNode:
    """Read the settings of a node back.

    Raises:
        SettingsError: They are of another version, or the node is the application's own.
    """
    if not settings:
        raise SettingsError(
            f"the node {name} is the application's own, and its side is not in the capture; only "
            "nodes of native_node and cascade_node can be run again"
        )
    try:
        return _NODE.validate_python(dict(settings))
    except ValueError as error:
        raise not_read(f"node {name}") from error


__all__ = [
    "KeptCascade",
    "KeptNative",
    "KeptNode",
    "SwitchedSetup",
    "captured_node",
    "captured_nodes_setup",
    "keep_switch",
    "setup_of",
]
