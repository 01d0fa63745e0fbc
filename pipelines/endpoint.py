"""Finds the provider to talk to: the real one where there is a key, else the built-in emulator."""

import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from crossfade.emulators.backends.backend import Backend
from crossfade.emulators.faults.script import load_faults
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.wires import own_faults
from crossfade.errors import SettingsError
from crossfade.providers.address import check_url, host_and_port
from crossfade.providers.continuity.route import Endpoint as RouteEndpoint

from .settings import NativeSettings

KEY_VARIABLE = "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A provider that can be connected to."""

    spec: str
    base_url: str | None
    api_key: str | None
    description: str
    """One line for the user."""
    emulated: bool = False
    """It is the built-in emulator."""


@contextlib.asynccontextmanager
async def endpoint(settings: NativeSettings) -> AsyncIterator[Endpoint]:
    """Choose the provider; the emulator runs in this process for as long as the block does.

    Raises:
        SettingsError: The address cannot be used, or the faults; only the emulator has faults.
    """
    key = os.environ.get(KEY_VARIABLE)
    spec = f"openai:{settings.model}"
    real = settings.base_url is not None or settings.provider == "openai"
    if settings.faults is not None and (real or (settings.provider is None and key)):
        raise SettingsError(
            "--faults is for the built-in emulator; a real provider has its own. "
            "Add --provider emulator."
        )
    if settings.base_url is not None:
        check_url(settings.base_url)
        host = host_and_port(settings.base_url)
        yield Endpoint(
            spec=spec,
            base_url=settings.base_url,
            # A server of one's own seldom asks for a key, but the wire always carries one.
            api_key=key or "unused",
            description=f"Talking to {settings.model} at {host}.",
        )
    elif settings.provider == "openai" or (settings.provider is None and key):
        yield Endpoint(
            spec=spec,
            base_url=None,
            api_key=key,
            description=f"Talking to OpenAI, model {settings.model}.",
        )
    else:
        async with emulator_endpoint(settings, asked_for=settings.provider is not None) as found:
            yield found


@contextlib.asynccontextmanager
async def emulator_endpoint(
    settings: NativeSettings, *, asked_for: bool
) -> AsyncIterator[Endpoint]:
    """Run the built-in emulator and describe why and how."""
    backend, how = choose_backend()
    why = "" if asked_for else f"No {KEY_VARIABLE} is set: "
    faults = [] if settings.faults is None else load_faults(settings.faults, own_faults("openai"))
    async with OpenAIEmulator(backend, faults=faults) as emulator:
        yield Endpoint(
            spec=f"openai:{settings.model}",
            base_url=emulator.url,
            api_key="emulated",
            description=f"{why}talking to the built-in emulator of OpenAI Realtime, {how}.",
            emulated=True,
        )


@contextlib.asynccontextmanager
async def fallback_route(
    specs: Sequence[str], *, emulated: bool
) -> AsyncIterator[tuple[RouteEndpoint, ...]]:
    """Find those who take over when the provider fails.

    Args:
        specs: PROVIDER:MODEL, in order.
        emulated: Whether the provider is the built-in emulator; then they are, too.
    """
    if not emulated:
        yield tuple(RouteEndpoint(spec=spec) for spec in specs)
        return
    async with contextlib.AsyncExitStack() as stack:
        route = []
        for spec in specs:
            backend, _ = choose_backend()
            emulator: GeminiEmulator | OpenAIEmulator = OpenAIEmulator(backend)
            if spec.startswith("gemini:"):
                emulator = GeminiEmulator(backend)
            await stack.enter_async_context(emulator)
            route.append(RouteEndpoint(spec=spec, base_url=emulator.url, api_key="emulated"))
        yield tuple(route)


def choose_backend() -> tuple[Backend, str]:
    """Offline speech where it is installed, else the scripted backend, and what to tell of it."""
    from crossfade.emulators.backends.offline import OfflineBackend
    from crossfade.emulators.backends.scripted import ScriptedBackend
    from crossfade.offline.recogniser import recogniser_available
    from crossfade.offline.synthesiser import synthesiser_available

    deaf, mute = recogniser_available(), synthesiser_available()
    if deaf is None and mute is None:
        return OfflineBackend(), "which understands and speaks offline"
    scripted = ScriptedBackend(voice="espeak" if mute is None else "tone")
    return scripted, f"with scripted answers ({deaf or mute})"
