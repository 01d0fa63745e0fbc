"""What one client may have of a server."""

from crossfade.pipelines.serve_limits import ClientLimits, Limits


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_so_many_calls_at_once_and_no_more() -> None:
    limits = ClientLimits(Limits(calls=2))
    assert [limits.takes("a") for _ in range(3)] == [True, True, False]
    assert limits.takes("b")
    limits.leaves("a")
    assert [limits.takes("a") for _ in range(2)] == [True, False]


def test_so_many_beginnings_a_minute() -> None:
    clock = Clock()
    limits = ClientLimits(Limits(beginnings_a_minute=3), clock)

    def asks(client: str, what: str, now_s: float) -> bool:
        clock.now_s = now_s
        return limits.asks(client, what)

    assert [asks("a", "call", now_s) for now_s in (0, 1, 2, 3)] == [True, True, True, False]
    assert asks("a", "ticket", 3)
    assert asks("b", "call", 3)
    assert asks("a", "call", 60.5)
    assert not asks("a", "call", 60.6)


def test_what_is_kept_of_many_clients_is_bounded() -> None:
    clock = Clock()
    limits = ClientLimits(Limits(), clock)
    for number in range(30_000):
        clock.now_s = number / 1000
        assert limits.asks(f"client {number}", "call")
    assert len(limits._asked) <= 10_001


def test_many_others_do_not_give_a_client_more() -> None:
    """Whoever is over its limit is remembered, whatever others ask for."""
    clock = Clock()
    limits = ClientLimits(Limits(beginnings_a_minute=3), clock)
    assert [limits.asks("a", "call") for _ in range(4)] == [True, True, True, False]
    for number in range(30_000):
        clock.now_s = number / 1000
        limits.asks(f"client {number}", "ticket")
    assert not limits.asks("a", "call")
    assert limits.asks("a", "ticket")
    clock.now_s = 60.5
    assert limits.asks("a", "call")
