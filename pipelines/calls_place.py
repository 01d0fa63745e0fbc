"""Where a user's calls are kept, if nobody says where."""

import os
import sys
from pathlib import Path

STORE_VARIABLE = "CROSSFADE_STORE"
"""Names another store, by URL or path."""


def store_url(named: str | None = None) -> str:
    """The store that is named, that of CROSSFADE_STORE, or a file in the user's data folder."""
    return named or os.environ.get(STORE_VARIABLE) or str(data_folder() / "calls.db")


def data_folder() -> Path:
    """Where this user's computer keeps what cannot be made again."""
    home = Path.home()
    match sys.platform:
        case "darwin":
            base = home / "Library" / "Application Support"
        case "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        case _:
            base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "crossfade"


__all__ = ["STORE_VARIABLE", "data_folder", "store_url"]
