"""A session's configuration as the store keeps it: without secrets, and back."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crossfade.errors import SettingsError
from crossfade.observability.redaction import REMOVED, without_secrets
from crossfade.providers import SessionConfig

# SCHEME://USER:PASSWORD@HOST
_PASSWORD_IN_URL = re.compile(
    r"(\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]*:)[^\s/\"'<>]+@", re.IGNORECASE
)
# Quoted to the other quote, else to the next blank, comma or semicolon.
_NAMED_SECRET = re.compile(
    r"((?:password|secret|token)[\"'`]?\s*[:=]\s*)(?:\"[^\"]+\"|'[^']+'|`[^`]+`|[^\s\"'`,;]+)",
    re.IGNORECASE,
)


def stored_config(config: SessionConfig) -> dict[str, Any]:
    """Write a configuration down, without what looks like a secret in its texts.

    Taken out are keys as OpenAI, xAI, Google and Azure spell them, what follows "Bearer", the
    password of a URL, and the one word or quotation after `password`, `secret` or `token` and a
    colon or equals sign. Any other secret stays.
    """
    record = _adapter().dump_python(config, mode="json")
    kept: dict[str, Any] = _without_secrets(json.loads(without_secrets(json.dumps(record))))
    return kept


def _without_secrets(value: Any) -> Any:
    """A copy of a JSON value; the texts in it alone are looked at, not their keys."""
    if isinstance(value, str):
        # Once more: in JSON, the first word of a line has the letter of its "\\n" before it.
        text = _PASSWORD_IN_URL.sub(rf"\1{REMOVED}@", without_secrets(value))
        return _NAMED_SECRET.sub(rf"\1{REMOVED}", text)
    if isinstance(value, dict):
        return {key: _without_secrets(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_secrets(part) for part in value]
    return value


def config_of(record: Mapping[str, Any]) -> SessionConfig:
    """Read a configuration back.

    Raises:
        SettingsError: It is none that this version knows.
    """
    try:
        return _adapter().validate_python(dict(record))
    except ValidationError as error:
        raise SettingsError(
            f"the stored call's configuration cannot be read ({error.error_count()} mistakes); "
            "use the version of Crossfade that stored it"
        ) from error


@cache
def _adapter() -> TypeAdapter[SessionConfig]:
    return TypeAdapter(SessionConfig)


__all__ = ["config_of", "stored_config"]
