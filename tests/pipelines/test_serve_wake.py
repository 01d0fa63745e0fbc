"""A process that slept asks before it speaks."""

from crossfade.pipelines.serve_wake import Wakefulness


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_who_slept_is_unsure_until_it_is_told_or_nobody_answers() -> None:
    clock = Clock()
    wake = Wakefulness(limit_s=1.0, patience_s=2.0, clock=clock)
    for _ in range(10):
        clock.now_s += 0.9
        assert not wake.unsure()
    clock.now_s += 1.1
    assert wake.unsure()
    clock.now_s += 0.5
    assert wake.unsure()
    wake.confirm()
    assert not wake.unsure()
    clock.now_s += 60
    assert wake.unsure()
    for _ in range(4):
        assert wake.unsure()
        clock.now_s += 0.5
    assert not wake.unsure()


def test_the_machines_own_clock_is_taken() -> None:
    assert not Wakefulness(limit_s=1000.0).unsure()
