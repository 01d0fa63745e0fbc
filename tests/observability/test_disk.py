import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from crossfade.observability import disk
from crossfade.observability.disk import Breath, DiskThread

THREAD = "crossfade-disk"


def test_what_waits_is_drained_regularly_when_woken_and_on_close() -> None:
    drained = threading.Semaphore(0)
    thread = DiskThread(drained.release, interval_s=0.001)
    assert drained.acquire(timeout=5)
    assert drained.acquire(timeout=5)
    thread.close()

    slow = DiskThread(drained.release, interval_s=3600)
    while drained.acquire(blocking=False):
        pass
    slow.wake()
    assert drained.acquire(timeout=5)
    slow.close()
    assert drained.acquire(timeout=0)


def test_closing_waits_for_the_last_drain() -> None:
    done: list[str] = []
    thread = DiskThread(lambda: done.append(threading.current_thread().name))
    thread.close()
    assert set(done) == {THREAD}
    drained = len(done)
    other = DiskThread(lambda: None, interval_s=0.001)
    other.close()
    assert len(done) == drained


def test_one_thread_serves_all_and_goes_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    # One of its own: that of the process serves whatever other tests have not closed.
    monkeypatch.setattr(disk, "_writer", disk._Writer())
    before = set(threading.enumerate())
    drained = threading.Semaphore(0)
    slow = [DiskThread(lambda: None, interval_s=3600) for _ in range(20)]
    quick = DiskThread(drained.release, interval_s=0.001)
    assert drained.acquire(timeout=5)
    alive = [thread for thread in set(threading.enumerate()) - before if thread.name == THREAD]
    assert len(alive) == 1
    for one in [*slow, quick]:
        one.close()
    alive[0].join(timeout=5)
    assert not alive[0].is_alive()


def test_one_that_fails_is_told_of_and_hinders_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    drained = threading.Semaphore(0)

    def fail() -> None:
        raise RuntimeError("no good")

    good = DiskThread(drained.release, interval_s=0.001)
    bad = DiskThread(fail, interval_s=0.001)
    bad.close()
    while drained.acquire(blocking=False):
        pass
    assert drained.acquire(timeout=5)
    good.close()
    assert [str(error) for error in told] == ["no good"]


ENDED = """
import sys
from pathlib import Path
from crossfade.observability.event_log import EventLog

log = EventLog(Path(sys.argv[1]), clock=lambda: 0.0)
log.frame("StartFrame", {})
raise SystemExit("something went wrong, and nobody closed the log")
"""


@pytest.mark.realtime
def test_a_program_that_ends_without_closing_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    subprocess.run(
        [sys.executable, "-c", ENDED, str(path)], timeout=50, check=False, capture_output=True
    )
    assert "StartFrame" in path.read_text()


def test_a_long_drain_lets_go_of_the_interpreter_again_and_again_and_so_does_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(disk, "_writer", disk._Writer())
    monkeypatch.setattr(disk, "sleep", pauses.append)
    monkeypatch.setattr(disk, "_STEP_S", 0.0)
    drained = threading.Semaphore(0)

    def drain() -> None:
        for _ in range(10):
            thread.breathe()
        drained.release()

    thread = DiskThread(drain, interval_s=3600)
    thread.wake()
    assert drained.acquire(timeout=5)
    assert len(pauses) >= 10
    thread.close()
    assert len(pauses) >= 20


def test_pauses_are_long_until_the_work_takes_long_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, pauses = 0.0, list[float]()

    def pause(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        pauses.append(seconds)

    monkeypatch.setattr(disk, "sleep", pause)
    monkeypatch.setattr(time, "perf_counter", lambda: now_s)
    breath = Breath(unhurried_s=0.01)
    for _ in range(2):
        breath.begin()
        for _ in range(50):
            now_s += 0.00015
            breath.take()
    # A pause after every second piece. Nine of the long ones, with their work, are over 10 ms.
    assert pauses == 2 * ([0.001] * 8 + [0.00002] * 17)
