"""The folder of one call under runs/."""

import contextlib
import json
import tempfile
from datetime import datetime
from pathlib import Path

from crossfade.errors import SettingsError
from crossfade.observability.call import EVENTS, RECORDING, RECORDING_FLAC
from crossfade.observability.call_files import CAPTIONS, TRANSCRIPT
from crossfade.observability.summary_file import SUMMARY

_RECORD = frozenset({EVENTS, RECORDING, RECORDING_FLAC, TRANSCRIPT, CAPTIONS, SUMMARY})
_SAYS_NOTHING = frozenset({"call.started", "call.routed", "call.cost", "call.ended", "log.closed"})
_MOST_BYTES = 64 * 1024
"""A log that is larger is not empty."""


def make_call_folder(runs: Path, now: datetime) -> Path:
    """Make runs/<time>/; a second call within one second gets a number.

    Raises:
        SettingsError: The folder cannot be made.
    """
    stem = now.strftime("%Y-%m-%dT%H-%M-%S")
    for number in range(1, 1000):
        folder = runs / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not runs.is_dir():
                raise SettingsError(f"{runs} is no folder; name another with --runs") from None
            continue
        except OSError as error:
            raise SettingsError(
                f"cannot make the folder {folder} ({error.strerror}); name another with --runs"
            ) from error
        return folder
    raise SettingsError(f"{runs} holds too many calls of one second; name another with --runs")


def check_runs(runs: Path) -> None:
    """Make the folder of all calls, and see that a call's folder and a file can be made in it.

    Raises:
        SettingsError: They cannot.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".try-", dir=runs) as folder:
            Path(folder, EVENTS).write_bytes(b"\n")
    except OSError as error:
        if runs.exists() and not runs.is_dir():
            raise SettingsError(f"{runs} is no folder; name another with --runs") from error
        raise SettingsError(
            f"cannot write to the folder {runs} ({error.strerror}); name another with --runs"
        ) from error


def remove_empty_call_folder(folder: Path) -> None:
    """Remove the folder of a call that could not begin, if it holds a record of nothing.

    A folder that holds anything else, such as what a provider said, stays as it is.
    """
    with contextlib.suppress(OSError):
        files = list(folder.iterdir())
        if {file.name for file in files} <= _RECORD and _is_empty(folder / EVENTS):
            for file in files:
                file.unlink()
            folder.rmdir()


def _is_empty(log: Path) -> bool:
    """Whether a log tells of nothing but the call's beginning and end."""
    if log.stat().st_size > _MOST_BYTES:
        return False
    try:
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        return all(each["dir"] == "call" and each["type"] in _SAYS_NOTHING for each in events)
    except (ValueError, LookupError, TypeError):
        return False
