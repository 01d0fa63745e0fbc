"""How the call went on when its provider's session, or its speech node, did not."""

from dataclasses import dataclass, field

from pipecat.frames.frames import SystemFrame

from crossfade.providers.events import Handover
from crossfade.providers.profiles import Profile


@dataclass
class SessionLostFrame(SystemFrame):
    """The provider's line died; another one is looked for. Sent both ways by the speech node."""

    message: str
    code: str | None = None
    """The provider's own word for why, or the close code."""


@dataclass
class SessionContinuedFrame(SystemFrame):
    """Another session of a provider serves from now on. Sent both ways by the speech node.

    It interrupts nothing: what is being played is played on.
    """

    why: Handover
    provider: str
    """PROVIDER:MODEL."""
    session_id: str
    profile: Profile = field(repr=False)
    """What the model can do from now on."""
    resumed: bool = False
    """The provider took its own session up."""
    open_calls: bool = False
    """It knows the tool calls that are still open."""
    gap_ms: float = 0.0
    """For so long no session took the user's audio."""
    replayed_ms: float = 0.0
    """So much of the user's audio was sent again."""


@dataclass
class AudioLostFrame(SystemFrame):
    """Some of the user's audio reached no session. Sent both ways by the speech node."""

    lost_ms: float


@dataclass
class NodeSwitchedFrame(SystemFrame):
    """Another speech node serves from now on. Sent both ways by NodeSwitch.

    It interrupts nothing: what is being played is played on.
    """

    left: str
    """The node that served before, by its name."""
    node: str
    why: str
    profile: Profile | None = field(default=None, repr=False)
    """What its model can do from now on; None for a node that takes everything."""
    open_calls: bool = True
    """It knows the tool calls that are still open."""
    gap_ms: float = 0.0
    """For so long no node took the user's audio."""
    replayed_ms: float = 0.0
    """So much of the user's audio was heard again."""


@dataclass
class NodeFailedFrame(SystemFrame):
    """A speech node cannot serve. Sent both ways by NodeSwitch."""

    node: str
    message: str
    served: bool
    """It was the one that served, and another is looked for; else the other one serves on."""


__all__ = [
    "AudioLostFrame",
    "NodeFailedFrame",
    "NodeSwitchedFrame",
    "SessionContinuedFrame",
    "SessionLostFrame",
]
