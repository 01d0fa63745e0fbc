"""The folder of one call under runs/."""

from datetime import datetime
from pathlib import Path

from crossfade.errors import SettingsError


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
