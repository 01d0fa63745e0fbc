"""Phrases in the voice of a native model: how they are made, and where they are kept."""

import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from crossfade.observability.capture import Capture
from crossfade.processors.phrase_rendering import Rendering, order, render_apart
from crossfade.processors.phrases import Phrases, PhraseStore, Voice
from crossfade.processors.speech_to_speech import SpeechToSpeech
from crossfade.providers import TurnDetection, connect
from crossfade.providers.address import host_and_port, is_loopback
from crossfade.providers.session import RealtimeSession

from .capture_phrases import CapturedStore

CACHE_VARIABLE = "CROSSFADE_CACHE"


def own_voice(
    spec: str,
    session: RealtimeSession,
    node: SpeechToSpeech,
    *,
    base_url: str | None,
    api_key: str | None,
    store: PhraseStore | None,
    capture: Capture | None = None,
) -> Phrases | None:
    """The phrases of a call in the voice of its model; None if the model cannot be told to speak.

    A model that can speak outside the conversation does so beside it; another one is asked in a
    short session of its own for each phrase. What a server on this machine speaks is kept by
    nobody but the call: another one may stand at its address tomorrow.

    Args:
        spec: Provider and model.
        session: The call's, open.
        node: The call's.
        base_url: As for the call.
        api_key: As for the call.
        store: Where phrases are kept; None is the user's cache folder.
        capture: Keeps those that the wire does not show.
    """
    profile, config = session.profile, session.config
    if not profile.out_of_band and not (profile.instructions and profile.text_input):
        return None
    if store is None:
        here = base_url is not None and is_loopback(base_url)
        store = PhraseStore(None) if here else _kept()
    if capture is not None:
        store = CapturedStore(store, capture, beside=profile.out_of_band)
    voice = Voice(
        provider=spec.partition(":")[0],
        model=profile.model,
        name=profile.own_voice(config.voice) or "",
        rate_hz=session.output_rate_hz,
        endpoint="" if base_url is None else host_and_port(base_url),
    )

    async def apart(text: str) -> Rendering:
        alone = replace(
            config, instructions=order(text), tools=[], turn_detection=TurnDetection.SERVER
        )
        return await render_apart(
            connect(spec, alone, base_url=base_url, api_key=api_key, continuity=None)
        )

    return Phrases(store, voice, node.render if profile.out_of_band else apart)


@cache
def _kept() -> PhraseStore:
    """The store that all calls of this process share."""
    return PhraseStore(cache_folder() / "phrases")


def cache_folder() -> Path:
    """Where this user's computer keeps what can be made again; `CROSSFADE_CACHE` names another."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    home = Path.home()
    match sys.platform:
        case "darwin":
            base = home / "Library" / "Caches"
        case "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        case _:
            base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "crossfade"


__all__ = ["CACHE_VARIABLE", "cache_folder", "own_voice"]
