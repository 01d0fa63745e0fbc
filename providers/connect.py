"""Where sessions begin: a provider and a model by name."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crossfade.conversation.history import HistoryItem
from crossfade.errors import SettingsError
from crossfade.providers.address import check_url
from crossfade.providers.config import SessionConfig
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from crossfade.providers.profiles import OPENAI_DEFAULT_MODEL
from crossfade.providers.session import ApiKey, RealtimeSession
from crossfade.providers.tap import WireTap


class _Wire(NamedTuple):
    protocol: type[OpenAIRealtimeProtocol]
    default_model: str


_WIRES: Mapping[str, _Wire] = {"openai": _Wire(OpenAIRealtimeProtocol, OPENAI_DEFAULT_MODEL)}


def connect(
    spec: str,
    config: SessionConfig | None = None,
    *,
    base_url: str | None = None,
    api_key: ApiKey | None = None,
    history: Sequence[HistoryItem] = (),
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
        api_key: The key, or what gives one; else it is taken from the environment.
        history: What was said before.
        tap: Sees every message.

    Raises:
        SettingsError: Something of this cannot be used, or there is no key.
    """
    provider, _, model = spec.partition(":")
    wire = _WIRES.get(provider)
    if wire is None:
        known = ", ".join(f"{name}:MODEL" for name in _WIRES)
        raise SettingsError(f'"{spec}" names no provider that is known here. There is: {known}.')
    protocol = wire.protocol(model or wire.default_model)
    if base_url is not None:
        check_url(base_url)
    if api_key is None:
        api_key = os.environ.get(protocol.key_variable, "")
    if not callable(api_key) and not api_key.strip():
        raise SettingsError(
            f"There is no API key for {provider}. Set {protocol.key_variable} or give api_key."
        )
    return RealtimeSession(
        protocol,
        config or SessionConfig(),
        api_key=api_key,
        base_url=base_url,
        history=history,
        tap=tap,
    )


__all__ = ["connect"]
