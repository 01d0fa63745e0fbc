import threading

from crossfade.observability.disk import DiskThread


def test_what_waits_is_drained_regularly_when_woken_and_on_close() -> None:
    drained = threading.Semaphore(0)
    thread = DiskThread("test-disk", drained.release, interval_s=0.001)
    assert drained.acquire(timeout=5)
    assert drained.acquire(timeout=5)
    thread.close()

    slow = DiskThread("test-disk", drained.release, interval_s=3600)
    while drained.acquire(blocking=False):
        pass
    slow.wake()
    assert drained.acquire(timeout=5)
    slow.close()
    assert drained.acquire(timeout=0)


def test_closing_waits_for_the_last_drain() -> None:
    done: list[str] = []
    thread = DiskThread("test-disk", lambda: done.append(threading.current_thread().name))
    thread.close()
    assert set(done) == {"test-disk"}
    assert all(alive.name != "test-disk" for alive in threading.enumerate())
