"""What all commands share: the environment file, quiet logs, and errors in one line."""

import contextlib
import sys
from collections.abc import Iterator

import typer
from dotenv import find_dotenv, load_dotenv
from loguru import logger
from rich.console import Console
from rich.text import Text

from crossfade.errors import CrossfadeError

MISTAKE = 2
"""Exit code when something cannot be used or reached."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def prepare() -> None:
    """Read .env, never over the shell's own variables, and keep logs off the terminal."""
    load_dotenv(find_dotenv(usecwd=True), override=False)
    logger.remove()
    logger.add(sys.stderr, level="CRITICAL")


def announce(line: str) -> None:
    """Print a line, if anybody can still read it: whoever serves calls goes on without."""
    with contextlib.suppress(OSError):
        typer.echo(line)


@contextlib.contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn our errors into one line and exit code 2, and Ctrl-C into exit code 130."""
    try:
        yield
    except CrossfadeError as error:
        line = " ".join(str(error).split())
        Console(stderr=True).print(Text("error: ", "bold red") + Text(line), soft_wrap=True)
        raise typer.Exit(MISTAKE) from error
    except OSError as error:
        # Such as a terminal that is gone or a disk that is full.
        what = "" if error.filename is None else f"{error.filename}: "
        Console(stderr=True).print(Text(f"error: {what}{error.strerror}"), soft_wrap=True)
        raise typer.Exit(MISTAKE) from error
    except KeyboardInterrupt as error:
        Console(stderr=True).print("interrupted", style="dim")
        raise typer.Exit(INTERRUPTED) from error
