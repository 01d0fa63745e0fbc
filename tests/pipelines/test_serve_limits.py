"""What one client may have of a server."""

from crossfade.pipelines.serve_limits import ClientLimits, Limits


def test_so_many_calls_at_once_and_no_more() -> None:
    limits = ClientLimits(Limits(calls=2))
    assert [limits.takes("a") for _ in range(3)] == [True, True, False]
    assert limits.takes("b")
    limits.leaves("a")
    assert [limits.takes("a") for _ in range(2)] == [True, False]


def test_so_many_beginnings_a_minute() -> None:
    limits = ClientLimits(Limits(beginnings_a_minute=3))
    assert [limits.asks("a", "call", now_s) for now_s in (0, 1, 2, 3)] == [True, True, True, False]
    assert limits.asks("a", "ticket", 3)
    assert limits.asks("b", "call", 3)
    assert limits.asks("a", "call", 60.5)
    assert not limits.asks("a", "call", 60.6)


def test_what_is_kept_of_many_clients_is_bounded() -> None:
    limits = ClientLimits(Limits())
    for number in range(30_000):
        assert limits.asks(f"client {number}", "call", number / 1000)
    assert len(limits._asked) <= 10_001
