"""Results as dated JSON."""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crossfade import __version__
from crossfade.errors import SettingsError


def write_dated(name: str, content: Mapping[str, Any], folder: Path, now: datetime) -> Path:
    """Write `<name>-<UTC time>.json` with the machine it was measured on.

    Raises:
        SettingsError: The folder cannot be written.
    """
    path = folder / f"{name}-{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
    write_json(content, path)
    return path


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a result with the machine it was measured on.

    Raises:
        SettingsError: The file cannot be written.
    """
    whole = {
        "version": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **content,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
