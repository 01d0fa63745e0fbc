"""A session's configuration as the store keeps it: without secrets, and back."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crossfade.errors import SettingsError
from crossfade.observability.redaction import without_secrets
from crossfade.providers import SessionConfig


def stored_config(config: SessionConfig) -> dict[str, Any]:
    """Write a configuration down. What looks like a key in a text is taken out."""
    record = _adapter().dump_python(config, mode="json")
    kept: dict[str, Any] = json.loads(without_secrets(json.dumps(record)))
    return kept


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
