"""In what the two servers of the Moshi project differ, read from their source.

https://github.com/kyutai-labs/moshi: moshi/moshi/server.py and rust/moshi-backend.
"""

from dataclasses import dataclass
from enum import Enum


class Server(Enum):
    """Which of them is emulated."""

    PYTHON = "python"
    RUST = "rust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a client can see of one."""

    handshake: bytes
    """What follows the kind byte."""
    tells_metadata: bool
    """Whether metadata comes before the handshake."""
    one_at_a_time: bool
    """Whether a second client waits for its handshake until the first has gone."""
    session_seconds: float | None
    """After this the connection is dropped."""
    drops_the_unknown: bool
    """Whether a kind that it does not know ends the session; the specification says it is
    discarded."""


# Protocol version 0 and model version 0, two u32.
_VERSIONS = bytes(8)

BEHAVIOURS = {
    Server.PYTHON: Behaviour(
        handshake=b"",
        tells_metadata=False,
        one_at_a_time=True,
        session_seconds=None,
        drops_the_unknown=False,
    ),
    Server.RUST: Behaviour(
        handshake=_VERSIONS,
        tells_metadata=True,
        one_at_a_time=False,
        session_seconds=360,
        drops_the_unknown=True,
    ),
}
