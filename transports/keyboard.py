"""The keys of the terminal, one by one and without an echo, while Ctrl-C stays what it is."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from crossfade.errors import SettingsError


@contextlib.contextmanager
def keys_of_terminal(press: Callable[[str], None], *, number: int | None = None) -> Iterator[None]:
    """Have a function told of each key for as long as the block runs, on the running loop.

    Args:
        press: Told the characters.
        number: The terminal's file descriptor; None is the standard input's.

    Raises:
        SettingsError: There is no terminal, or none whose keys can be read one by one.
    """
    if number is None:
        # There may be none, or one that is no file.
        with contextlib.suppress(AttributeError, ValueError):
            number = sys.stdin.fileno()
    try:
        import termios
        import tty
    except ImportError as error:
        raise SettingsError(
            "--push-to-talk reads the keys of terminals on Linux and macOS only; "
            "leave it out, and use headphones"
        ) from error
    if number is None or not os.isatty(number):
        raise SettingsError("--push-to-talk needs a terminal to read keys from; start it in one")
    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(number)

    def read() -> None:
        data = os.read(number, 256)
        if not data:
            loop.remove_reader(number)
        for character in data.decode(errors="ignore"):
            press(character)

    try:
        tty.setcbreak(number)
        loop.add_reader(number, read)
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)


__all__ = ["keys_of_terminal"]
