"""What holds for every test: no network beyond this machine, and no log on the terminal."""

import gc
import importlib
import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from loguru import logger

# Before numpy is imported: its threads spin beside sums that are too small for two of them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before pipecat is imported: it greets in the log.
logger.remove()
logger.add(lambda text: print(text, end="", file=sys.stderr), level="WARNING")  # noqa: T201

# Here and not in a test module: its import of audioop warns, and there warnings are errors.
importlib.import_module("pipecat.frames.frames")

# `make soak` tries more of them, by --hypothesis-profile=thorough.
hypothesis.settings.register_profile("quick", max_examples=30)
hypothesis.settings.register_profile("thorough", max_examples=1000, deadline=None)
hypothesis.settings.load_profile("quick")

# A collection looks through so many in a few milliseconds.
_FEW_OBJECTS = 20_000


def pytest_runtest_setup() -> None:
    """Leave what was imported out of garbage collection.

    Runs on the virtual clock collect after each test, which would take longer than the tests. A
    test may import more, and a benchmark may let all in again.
    """
    if len(gc.get_objects(generation=2)) > _FEW_OBJECTS:
        gc.collect()
        gc.freeze()


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host is None or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(host: object) -> None:
    if not _is_local(host):
        raise AssertionError(f"a test reached for the network: {host!r}")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that connects to, or looks up, anything but this machine."""

    def guard_address(name: str) -> None:
        original: Callable[..., Any] = getattr(socket.socket, name)

        def guarded(self: socket.socket, *args: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _refuse(args[-1][0])
            return original(self, *args)

        monkeypatch.setattr(socket.socket, name, guarded)

    for name in ("connect", "connect_ex", "sendto"):
        guard_address(name)
    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse(host)
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
