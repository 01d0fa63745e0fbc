"""Where sessions begin: a provider and a model by name."""

import os
from collections.abc import Callable, Mapping, Sequence

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.ledger import Conversation
from crossfade.errors import SettingsError
from crossfade.providers.address import check_url
from crossfade.providers.api_key import ApiKey
from crossfade.providers.config import SessionConfig
from crossfade.providers.continuity.line import Leg, Line
from crossfade.providers.continuity.lines import Lines
from crossfade.providers.continuity.one_line import OneLine
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.settings import Continuity
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import WireProtocol
from crossfade.providers.session import RealtimeSession
from crossfade.providers.sound_format import sound_format
from crossfade.providers.tap import WireTap
from crossfade.providers.validation import check_config

_MakeProtocol = Callable[[str, str | None, str | None, str | None], WireProtocol]
"""Makes a protocol of model (may be empty), dialect, base URL and the handle to resume by, which
is looked at where sessions can be resumed. Wires are loaded when used."""


def _openai(
    model: str, dialect: str | None, base_url: str | None, resume: str | None
) -> WireProtocol:
    from crossfade.providers.openai_realtime import openai_protocol

    return openai_protocol(model, dialect, base_url)


def _gemini(
    model: str, dialect: str | None, base_url: str | None, resume: str | None
) -> WireProtocol:
    from crossfade.providers.gemini_live import gemini_protocol

    return gemini_protocol(model, dialect, base_url, resume)


def _moshi(
    model: str, dialect: str | None, base_url: str | None, resume: str | None
) -> WireProtocol:
    from crossfade.providers.moshi import moshi_protocol

    return moshi_protocol(model, dialect)


_CONTINUITY = Continuity()
_WIRES: Mapping[str, _MakeProtocol] = {"openai": _openai, "gemini": _gemini, "moshi": _moshi}


def connect(
    spec: str,
    config: SessionConfig | None = None,
    *,
    base_url: str | None = None,
    api_key: ApiKey | None = None,
    dialect: str | None = None,
    history: Sequence[HistoryItem] = (),
    resume: str | None = None,
    tap: WireTap | None = None,
    route: Sequence[Endpoint] = (),
    continuity: Continuity | None = _CONTINUITY,
    conversation: Conversation | None = None,
    unfinished: bytes = b"",
) -> RealtimeSession:
    """Prepare a session; it connects when it is entered or opened.

        async with connect("openai:gpt-realtime-2.1", SessionConfig(voice="warm")) as session:
            await session.send_text("Hello")
            async for event in session:
                ...

    Args:
        spec: `provider:model`; the provider's default model without `:model`.
        config: What the session shall be.
        base_url: The whole endpoint, if it is not the provider's own.
        api_key: The key, or what gives one, asked again for each connection; else it is taken
            from the environment.
        dialect: The spelling of the provider's protocol that the endpoint speaks, by name.
        history: What was said before.
        resume: Handle of the session to take up, from its last ResumptionHandle. The provider
            knows what was said in it, so no history is told. Close that session first.
        tap: Sees every message.
        route: Who serves when this provider fails, in the order of preference. The session's
            sample rates stay those of the first.
        continuity: How the session outlives its connections; None: it ends with its connection.
        conversation: The ledger that somebody else writes, from what the session tells; it is
            what a new connection is told. The session writes one of its own if there is none.
        unfinished: What the user said before, and nobody answered, at the session's input rate.

    Raises:
        SettingsError: Something of this cannot be used, or there is no key.
    """
    first = Endpoint(spec=spec, base_url=base_url, api_key=api_key, dialect=dialect)
    legs = [_leg(endpoint) for endpoint in (first, *route)]
    config = config or SessionConfig()
    protocol = legs[0].protocol(resume)
    _check_resume(resume, protocol.profile)
    check_config(config, protocol.profile, history)
    sound = sound_format(config.encoding, protocol.profile)
    line = Line(legs[0], 0, protocol, config, sound, tap=tap, resumes=resume is not None)
    if continuity is None:
        if route:
            raise SettingsError("A route is for a session that outlives its connections.")
        return RealtimeSession(OneLine(line, history, conversation), sound)
    for leg in legs[1:]:
        _check_leg(leg, config)
    lines = Lines(
        legs,
        config,
        sound,
        line,
        settings=continuity,
        history=history,
        conversation=conversation,
        unfinished=unfinished,
        tap=tap,
    )
    return RealtimeSession(lines, sound)


def _leg(endpoint: Endpoint) -> Leg:
    """Find out how to dial a provider.

    Raises:
        SettingsError: There is no such provider, or no key.
    """
    provider, _, model = endpoint.spec.partition(":")
    make = _WIRES.get(provider)
    if make is None:
        raise SettingsError(
            f'"{endpoint.spec}" names no provider that is known here. It must be PROVIDER:MODEL, '
            f"with one of these: {', '.join(_WIRES)}."
        )
    if endpoint.base_url is not None:
        check_url(endpoint.base_url)

    def protocol(resume: str | None) -> WireProtocol:
        return make(model, endpoint.dialect, endpoint.base_url, resume)

    api_key = endpoint.api_key
    if api_key is None:
        api_key = _key(provider, protocol(None).key_variables)
    return Leg(endpoint=endpoint, api_key=api_key, protocol=protocol)


def _check_leg(leg: Leg, config: SessionConfig) -> None:
    """Find what a further provider of the route cannot do.

    Raises:
        SettingsError: It cannot be asked for.
    """
    try:
        check_config(leg.config(config), leg.protocol(None).profile, ())
    except (SettingsError, TypeError) as error:
        raise SettingsError(
            f"{leg.endpoint.spec} cannot be in the route: {error} Say in `Endpoint.changes` what "
            "shall be different there."
        ) from error


def _check_resume(handle: str | None, profile: Profile) -> None:
    if handle is None:
        return
    if not profile.resumption:
        raise SettingsError(
            f"{profile.model} takes no session up again. Begin a new one, with its history. "
            "See `profile.resumption`."
        )
    if not handle:
        raise SettingsError(
            "The handle to resume by is empty: that session could not be resumed just then. "
            "Begin a new one, with its history."
        )


def _key(provider: str, variables: Sequence[str]) -> str:
    """Take the key from the first variable that holds one; where there are none, none is needed."""
    for variable in variables:
        if key := os.environ.get(variable, "").strip():
            return key
    if variables:
        raise SettingsError(
            f"There is no API key for {provider}. Set {' or '.join(variables)}, or give api_key."
        )
    return ""


__all__ = ["connect"]
