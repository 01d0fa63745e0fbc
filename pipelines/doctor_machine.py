"""Examines the machine: clock, ports, folders, devices."""

import errno
import importlib
import shutil
import socket
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .doctor_finding import Finding, bad, note, ok

# Before this version was written nobody used it.
_EARLIEST_S = 1_735_689_600.0
_LATEST_S = _EARLIEST_S + 30 * 366 * 86_400
_DRIFT_S = 0.05
_FREE_BYTES = 2**30


def clock(measured_s: float = 0.05) -> Iterator[Finding]:
    """The year is possible, and the two clocks go alike."""
    now_s = time.time()
    if not _EARLIEST_S < now_s < _LATEST_S:
        yield bad(
            "clock",
            f"it is {time.strftime('%Y-%m-%d', time.gmtime(now_s))}, says this machine",
            "set the clock: TLS and tokens depend on it (timedatectl set-ntp true)",
        )
        return
    wall_s, steady_s = time.time(), time.monotonic()
    time.sleep(measured_s)
    drift_s = abs((time.time() - wall_s) - (time.monotonic() - steady_s))
    if drift_s > _DRIFT_S:
        yield note(
            "clock",
            f"the time of day jumped by {drift_s:.3f} s while it was looked at",
            "see why it is being set; ends of sessions are reckoned by it",
        )
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s)))


def port(number: int = 7860) -> Iterator[Finding]:
    """The server's port is free."""
    what = f"port {number}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            yield note(
                what,
                "another program listens on it" if taken else f"cannot be used: {error.strerror}",
                "end that program, or give `crossfade serve --port` another one",
            )
            return
    yield ok(what, "free")


def folder(runs: Path) -> Iterator[Finding]:
    """Calls can be recorded."""
    what = f"folder {runs}"
    there = nearest(runs)
    if (why := unwritable(there)) is not None:
        yield bad(what, f"cannot be written: {why}", "name another with --runs")
        return
    free = shutil.disk_usage(there).free
    if free < _FREE_BYTES:
        yield note(
            what,
            f"{free / 2**20:.0f} MB are free; an hour of call takes 700 MB with its capture",
            "make room, or name a folder on another disk with --runs",
        )
    else:
        yield ok(what, f"can be written, {free / 2**30:.0f} GB are free")


def nearest(place: Path) -> Path:
    """The place itself, or what exists above it."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def unwritable(folder: Path) -> str | None:
    """Why no file can be made in it; None if one can."""
    probe = folder / f".crossfade-{time.monotonic_ns()}"
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def devices() -> Iterator[Finding]:
    """Microphone and loudspeaker, where this machine is to be talked to itself."""
    cure = "not needed for browsers, telephones and sound files; "
    if find_spec("sounddevice") is None:
        yield note("devices", "sounddevice is not installed", f"{cure}else pip install sounddevice")
        return
    try:
        found: Any = importlib.import_module("sounddevice").query_devices()
    except Exception as error:
        yield note("devices", f"cannot be listed: {error}", f"{cure}else install libportaudio2")
        return
    inputs = sum(device["max_input_channels"] > 0 for device in found)
    outputs = sum(device["max_output_channels"] > 0 for device in found)
    told = f"{inputs} microphones, {outputs} loudspeakers"
    if inputs and outputs:
        yield ok("devices", told)
    else:
        yield note("devices", told, f"{cure}else plug one in, and let this user use it")


__all__ = ["clock", "devices", "folder", "nearest", "port", "unwritable"]
