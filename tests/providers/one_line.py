"""A session around one protocol, for tests of what a connection does."""

from collections.abc import Sequence

from crossfade.conversation.history import HistoryItem
from crossfade.providers import Endpoint, RealtimeSession, SessionConfig
from crossfade.providers.connection import Connection
from crossfade.providers.continuity.line import Leg, Line
from crossfade.providers.continuity.one_line import OneLine
from crossfade.providers.protocol import WireProtocol
from crossfade.providers.sound_format import sound_format
from crossfade.providers.validation import check_config


def session_of(
    protocol: WireProtocol,
    config: SessionConfig,
    *,
    api_key: str,
    base_url: str | None = None,
    history: Sequence[HistoryItem] = (),
) -> RealtimeSession:
    """A session that ends with its connection."""
    check_config(config, protocol.profile, history)
    sound = sound_format(config.encoding, protocol.profile)
    endpoint = Endpoint(spec="test:", base_url=base_url)
    leg = Leg(endpoint=endpoint, api_key=api_key, protocol=lambda resume: protocol)
    line = Line(leg, 0, protocol, config, sound)
    return RealtimeSession(OneLine(line, history), sound)


def lines(session: RealtimeSession) -> OneLine:
    """What a session ends with."""
    assert isinstance(session._lines, OneLine)
    return session._lines


def connection(session: RealtimeSession) -> Connection:
    """Its connection."""
    return lines(session)._connection


def protocol(session: RealtimeSession) -> WireProtocol:
    """What that speaks."""
    return lines(session)._line.protocol


__all__ = ["connection", "lines", "protocol", "session_of"]
