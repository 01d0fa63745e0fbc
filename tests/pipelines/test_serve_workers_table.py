"""Who is given a connection, and who has which call."""

from collections.abc import Sequence

from crossfade.pipelines.serve_workers_table import FRESH_S, Workers


def table(*ready: int) -> Workers:
    workers = Workers(silent_s=3)
    for number in ready:
        workers.add(number, 0.0).ready = True
    return workers


def chosen(workers: Workers, times: int, now_s: float = 0.0) -> Sequence[int | None]:
    return [workers.choose(now_s) for _ in range(times)]


def test_connections_are_dealt_out_evenly_before_they_are_calls() -> None:
    assert chosen(table(1, 2, 3), 6) == [1, 2, 3, 1, 2, 3]


def test_who_has_the_fewest_calls_is_given_the_next() -> None:
    workers = table(1, 2)
    for call in "abc":
        workers.begun(call, 1)
    assert chosen(workers, 4) == [2, 2, 2, 1]
    # What was given counts for a second; then there is a call, or there is none.
    assert workers.choose(FRESH_S + 1) == 2


def test_nobody_is_given_what_it_cannot_take() -> None:
    workers = table(1, 2, 3)
    first, second, third = workers
    first.busy = True
    assert workers.choose(0.0) == 2
    second.draining = True
    assert workers.choose(0.0) == 3
    first.told_s = second.told_s = 9.0
    assert workers.choose(10.0) == 1
    third.draining = True
    assert workers.choose(10.0, but=1) in (2, 3)
    assert Workers(silent_s=3).choose(0.0) is None


def test_when_all_end_one_of_them_says_so() -> None:
    workers = table(1)
    for each in workers:
        each.draining = True
    assert workers.choose(0.0) == 1


def test_a_call_is_whose_who_began_it_last() -> None:
    workers = table(1, 2)
    workers.begun("a", 1)
    workers.begun("a", 2)
    assert workers.holder("a", 0.0) == 2
    assert not workers.ended("a", 1)
    assert workers.holder("a", 0.0) == 2
    assert workers.ended("a", 2)
    assert workers.holder("a", 0.0) is None


def test_calls_of_who_ends_or_is_gone_are_nobodys() -> None:
    workers = table(1, 2)
    workers.begun("a", 1)
    workers.begun("b", 2)
    _, second = workers
    second.draining = True
    assert workers.holder("b", 0.0) is None
    workers.remove(1)
    assert workers.holder("a", 0.0) is None
    assert workers.calls() == ["b"]


def test_calls_of_who_hangs_are_nobodys_until_it_wakes_up() -> None:
    workers = table(1, 2)
    workers.begun("a", 1)
    assert workers.holder("a", 2.9) == 1
    assert workers.holder("a", 3.1) is None
    next(iter(workers)).told_s = 4.0
    assert workers.holder("a", 5.0) == 1
