"""Where connections are accepted that others answer."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable

AGAIN_S = 1.0
"""So long nobody is accepted when there is no descriptor or memory for it."""
TELL_S = 60.0
_ACCEPTED_AT_ONCE = 16
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Door:
    """Accepts connections on the running loop.

    Args:
        listener: Has them.
        give: Told each one.
        announce: Told in a line, once a minute at most, that none can be accepted.
    """

    def __init__(
        self,
        listener: socket.socket,
        give: Callable[[socket.socket], object],
        announce: Callable[[str], None],
    ) -> None:
        self._listener = listener
        self._give = give
        self._announce = announce
        self._again: asyncio.TimerHandle | None = None
        self._told_s = -TELL_S

    def open(self) -> None:
        """Accept from now on."""
        self._again = None
        self._listener.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Accept nobody more."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        asyncio.get_running_loop().remove_reader(self._listener.fileno())

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._pause(error)
                # Any other is of one connection, which its client has given up.
                return
            connection.setblocking(False)
            self._give(connection)

    def _pause(self, error: OSError) -> None:
        """Who waits stays in the queue, which would call us again at once."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener.fileno())
        self._again = loop.call_later(AGAIN_S, self.open)
        if loop.time() - self._told_s >= TELL_S:
            self._told_s = loop.time()
            self._announce(
                f"no connection can be accepted ({os.strerror(error.errno or 0)}); those that "
                "come wait, and calls go on. If it lasts, allow more files: ulimit -n"
            )


__all__ = ["AGAIN_S", "TELL_S", "Door"]
