import subprocess
import sys
import threading
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


class Clock:
    """Time that passes by work and by pauses; both are noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = self.worked_s = 0.0
        self.pauses: list[float] = []
        monkeypatch.setattr(disk, "sleep", self.pause)
        monkeypatch.setattr(disk, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(disk, "thread_time", lambda: self.worked_s)

    def work(self, seconds: float) -> None:
        self.now_s += seconds
        self.worked_s += seconds

    def pause(self, seconds: float) -> None:
        self.now_s += seconds
        self.pauses.append(seconds)

    def share(self, breath: Breath, pieces: int) -> float:
        """Of the time that is worked, in so many pieces of 0.1 ms."""
        began_s, worked_s = self.now_s, self.worked_s
        for _ in range(pieces):
            self.work(0.0001)
            breath.take()
        return (self.worked_s - worked_s) / (self.now_s - began_s)


def test_who_is_in_time_works_an_eighth_of_it_in_short_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    breath = Breath(late_s=1000.0)
    assert clock.share(breath, 300) == pytest.approx(1 / 8, rel=0.01)
    # A pause after every third piece, and none while others sleep.
    assert clock.pauses == pytest.approx([0.0021] * 100, rel=0.01)


@pytest.mark.parametrize(
    ("late_s", "share"), [(-1.0, 1 / 8), (1 / 6, 1 / 4), (0.5, 1 / 2), (1.9, 1 / 2), (2.0, 0.93)]
)
def test_the_later_it_is_the_shorter_are_the_pauses(
    monkeypatch: pytest.MonkeyPatch, late_s: float, share: float
) -> None:
    clock = Clock(monkeypatch)
    breath = Breath()
    breath.go_on(clock.now_s - late_s)
    assert clock.share(breath, 30) == pytest.approx(share, rel=0.1)


def test_work_that_needs_a_fifth_of_the_time_is_spread_and_never_a_quarter_second_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    breath = Breath()
    shares, late_s = [], 0.0
    for second in range(20):
        breath.go_on(float(second))
        clock.now_s = max(clock.now_s, float(second))
        # Forty calls, each of which was due then.
        shares += [clock.share(breath, 50) for _ in range(40)]
        late_s = max(late_s, clock.now_s - second - 1.0)
    assert late_s < 0.25
    assert max(shares) < 0.55


def test_what_another_thread_does_meanwhile_makes_no_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    breath = Breath()
    clock.work(1.0)
    other = threading.Thread(target=breath.take)
    other.start()
    other.join()
    assert not clock.pauses


def test_who_has_waited_longest_is_drained_though_others_ask_again_and_again() -> None:
    drained = threading.Semaphore(0)
    patient = DiskThread(drained.release, interval_s=0.001)
    pushy = DiskThread(lambda: pushy.wake(), interval_s=3600)
    pushy.wake()
    assert drained.acquire(timeout=5)
    assert drained.acquire(timeout=5)
    patient.close()
    pushy.close()
