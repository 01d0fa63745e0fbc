"""Where sessions begin: a provider and a model by name."""

import os
from collections.abc import Callable, Mapping, Sequence

from crossfade.conversation.history import HistoryItem
from crossfade.errors import SettingsError
from crossfade.providers.address import check_url
from crossfade.providers.config import SessionConfig
from crossfade.providers.profiles import Profile
from crossfade.providers.protocol import WireProtocol
from crossfade.providers.session import ApiKey, RealtimeSession
from crossfade.providers.tap import WireTap

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

    Raises:
        SettingsError: Something of this cannot be used, or there is no key.
    """
    provider, _, model = spec.partition(":")
    make = _WIRES.get(provider)
    if make is None:
        raise SettingsError(
            f'"{spec}" names no provider that is known here. It must be PROVIDER:MODEL, with one '
            f"of these: {', '.join(_WIRES)}."
        )
    if base_url is not None:
        check_url(base_url)
    protocol = make(model, dialect, base_url, resume)
    _check_resume(resume, protocol.profile)
    return RealtimeSession(
        protocol,
        config or SessionConfig(),
        api_key=_key(provider, protocol.key_variables) if api_key is None else api_key,
        base_url=base_url,
        history=history,
        tap=tap,
    )


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
