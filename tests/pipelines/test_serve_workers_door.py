"""Connections are accepted, also by a process that has run out of descriptors."""

import asyncio
import errno
import os
import socket
from collections.abc import Sequence

from crossfade.pipelines.http_server import listener
from crossfade.pipelines.serve_workers_door import AGAIN_S, TELL_S, Door
from tests.clock import run


class Listener(socket.socket):
    """One whose next connections cannot be accepted, for these reasons."""

    reasons: "list[int]"
    asked = 0

    def accept(self) -> "tuple[socket.socket, object]":
        self.asked += 1
        assert self.asked < 1000, "it spins"
        if self.reasons:
            reason = self.reasons.pop(0)
            raise OSError(reason, os.strerror(reason))
        return super().accept()


def accepted(reasons: Sequence[int], wait_s: float) -> tuple[int, int, list[str]]:
    """Connections that came through, how often was asked for them, and what was told."""

    async def scenario() -> tuple[int, int, list[str]]:
        told: list[str] = []
        came: list[socket.socket] = []
        with listener("127.0.0.1", 0) as plain:
            found = Listener(fileno=plain.detach())
        with found:
            found.reasons = list(reasons)
            door = Door(found, came.append, told.append)
            door.open()
            _, writer = await asyncio.open_connection(*found.getsockname())
            await asyncio.sleep(wait_s)
            door.close()
            writer.close()
            for each in came:
                each.close()
        return len(came), found.asked, told

    return run(scenario())


def test_who_comes_while_no_descriptor_is_left_is_taken_later() -> None:
    for reason in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
        came, asked, told = accepted([reason] * 3, 3 * AGAIN_S + 0.5)
        assert came == 1
        assert asked < 10
        assert len(told) == 1
        assert os.strerror(reason) in told[0]
        assert "ulimit -n" in told[0]


def test_it_is_told_once_a_minute() -> None:
    lasts = int(2 * TELL_S / AGAIN_S)
    _, asked, told = accepted([errno.EMFILE] * lasts, 2 * TELL_S - AGAIN_S)
    assert asked <= lasts
    assert len(told) == 2


def test_a_connection_that_was_given_up_holds_up_nobody() -> None:
    came, _, told = accepted([errno.ECONNABORTED, errno.EPROTO], 0.1)
    assert (came, told) == (1, [])


def test_a_door_that_is_closed_does_not_open_by_itself() -> None:
    async def scenario() -> None:
        with listener("127.0.0.1", 0) as plain:
            found = Listener(fileno=plain.detach())
        with found:
            found.reasons = [errno.EMFILE]
            door = Door(found, lambda connection: None, lambda line: None)
            door.open()
            _, writer = await asyncio.open_connection(*found.getsockname())
            await asyncio.sleep(AGAIN_S / 2)
            door.close()
            await asyncio.sleep(3 * AGAIN_S)
            assert found.asked == 1
            writer.close()

    run(scenario())
