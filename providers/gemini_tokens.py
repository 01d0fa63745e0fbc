"""Ephemeral tokens, which let a browser or a phone talk to Gemini without the key.

Source: https://ai.google.dev/gemini-api/docs/ephemeral-tokens
"""

import importlib
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

from crossfade.errors import SettingsError
from crossfade.providers.gemini_profiles import GEMINI_DEFAULT_MODEL


def mint_token(
    api_key: str,
    *,
    model: str = GEMINI_DEFAULT_MODEL,
    uses: int = 1,
    begin_within_s: float = 60.0,
    lifetime_s: float = 1800.0,
    client: Any = None,
) -> str:
    """Mint a token that is good for sessions with `model` alone. It stands in for the key.

    It waits for the network, and loads google-genai: not to be called on an event loop.

    Args:
        api_key: The key that it is minted with.
        model: What it may be used for.
        uses: How many sessions it may begin; taking one up again does not count.
        begin_within_s: Until when they must begin.
        lifetime_s: Until when they may last; 20 hours at most.
        client: A `google.genai.Client` of version v1alpha, instead of one of `api_key`.

    Raises:
        SettingsError: google-genai is not installed.
    """
    if client is None:
        client = _client(api_key)
    now = datetime.now(UTC)
    with warnings.catch_warnings():
        # google-genai calls its tokens experimental each time.
        warnings.simplefilter("ignore")
        token = client.auth_tokens.create(
            config={
                "uses": uses,
                "new_session_expire_time": now + timedelta(seconds=begin_within_s),
                "expire_time": now + timedelta(seconds=lifetime_s),
                "live_connect_constraints": {"model": model},
            }
        )
    return str(token.name)


def _client(api_key: str) -> Any:
    try:
        genai = importlib.import_module("google.genai")
    except ImportError as error:
        raise SettingsError(
            "Tokens are minted by google-genai, which is not installed: "
            "pip install 'crossfade[gemini]'."
        ) from error
    return genai.Client(api_key=api_key, http_options={"api_version": "v1alpha"})


__all__ = ["mint_token"]
