"""Files that hold whole pieces when their disk fails."""

import errno
import os
from pathlib import Path

import pytest

from crossfade.observability.append_file import AppendFile


def opened(path: Path) -> AppendFile:
    return AppendFile(os.open(path, os.O_WRONLY | os.O_CREAT))


def test_pieces_follow_each_other(tmp_path: Path) -> None:
    file = opened(tmp_path / "file")
    for piece in (b"one\n", b"", b"two\n"):
        file.append(piece)
    file.close()
    assert (tmp_path / "file").read_bytes() == b"one\ntwo\n"
    assert (file.size_bytes, file.failure) == (8, None)


def test_of_a_piece_that_fails_nothing_is_left_and_nothing_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(tmp_path / "file")
    file.append(b"one\n")
    write = os.write
    room = [2, 0]

    def full(descriptor: int, data: memoryview) -> int:
        if not (left := room.pop(0)):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:left])

    monkeypatch.setattr(os, "write", full)
    file.append(b"two\n")
    monkeypatch.undo()
    file.append(b"three\n")
    file.close()
    assert (tmp_path / "file").read_bytes() == b"one\n"
    assert file.failure is not None


def test_a_file_that_cannot_be_closed_is_told_of(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    file = AppendFile(descriptor)
    os.close(descriptor)
    file.close()
    assert file.failure is not None
