"""A file that grows by whole pieces, whatever happens to its disk."""

import contextlib
import os


class AppendFile:
    """Takes over a file that is open for writing. What fails ends it: nothing more is written.

    Args:
        descriptor: Of the file, which is empty.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = 0
        """Of the pieces that were written."""
        self.failure: OSError | None = None
        """What the disk answered when the file had to be given up."""

    def append(self, piece: bytes) -> None:
        """Write a piece; of one that fails nothing is left behind."""
        if self.failure is not None:
            return
        left = memoryview(piece)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self.failure = error
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size_bytes)
        else:
            self.size_bytes += len(piece)

    def close(self) -> None:
        """Close the file. A disk that answers with an error ends it, too."""
        try:
            os.close(self._descriptor)
        except OSError as error:
            self.failure = self.failure or error


__all__ = ["AppendFile"]
