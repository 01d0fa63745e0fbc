"""The small parts of a node switch: its states, its route, its rules, one rate for all speech."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.audio.pcm import duration_ms
from crossfade.frames.audio import SpeechFrame, SpeechOrigin
from crossfade.processors.node_switch_route import NodeRoute
from crossfade.processors.node_switch_states import Happening, SwapState, advance
from crossfade.processors.speech_rate import SpeechRate
from crossfade.processors.switch_policy import CostRule, LatencyRule, SwitchPolicy


def test_a_swap_goes_its_way() -> None:
    state = SwapState.SERVING
    for happening, then in (
        (Happening.WANTED, SwapState.WARMING),
        (Happening.CAME_UP, SwapState.READY),
        (Happening.MOMENT, SwapState.MOVING),
        (Happening.SERVES, SwapState.SERVING),
    ):
        state = advance(state, happening)
        assert state is then


@given(st.lists(st.sampled_from(list(Happening)), max_size=30))
def test_after_the_end_nothing_happens_and_none_serves_who_was_lost(steps: list[Happening]) -> None:
    state, lost = SwapState.SERVING, False
    for happening in steps:
        state = advance(state, happening)
        if happening is Happening.ENDED:
            assert state is SwapState.OVER
        lost = (lost or happening is Happening.LOST) and happening is not Happening.MOMENT
        if lost and state is not SwapState.OVER:
            assert state is SwapState.DOWN
    assert Happening.ENDED not in steps or state is SwapState.OVER


def test_the_next_of_the_route_takes_over_and_the_first_is_preferred_again() -> None:
    route = NodeRoute(["a", "b", "c"], return_after_s=10)
    assert route.candidates("a", 0) == ["b", "c"]
    route.failed("a", 0)
    assert route.candidates("b", 1) == ["c", "a"]
    route.failed("b", 1)
    assert route.candidates("c", 2) == ["a", "b"]
    assert route.preferred("c", 2) == ("a", 10)
    assert route.preferred("c", 30) == ("a", 30)
    assert route.preferred("a", 2) is None
    route.failed("a", 30)
    assert route.preferred("b", 30) == ("a", 50)


def test_who_is_outside_the_route_is_replaced_by_it_and_nothing_is_preferred_to_it() -> None:
    route = NodeRoute(["a", "b"], return_after_s=10)
    assert route.candidates("x", 0) == ["a", "b"]
    assert route.preferred("x", 0) is None
    assert NodeRoute([], return_after_s=10).candidates("x", 0) == []


def test_who_served_well_is_left_alone_for_a_short_time_again() -> None:
    route = NodeRoute(["a", "b"], return_after_s=10)
    route.failed("a", 0)
    route.failed("a", 10)
    assert route.preferred("b", 11) == ("a", 30)
    route.failed("a", 100, served_s=40)
    assert route.preferred("b", 101) == ("a", 110)


def test_each_rule_asks_once() -> None:
    policy = SwitchPolicy([CostRule(over_usd=1, to="b"), LatencyRule(over_ms=500, to="c", turns=2)])
    assert policy.cost(0.9) is None
    wish = policy.cost(1.2)
    assert wish is not None
    assert wish.to == "b"
    assert policy.cost(2) is None
    assert [policy.latency(ms) for ms in (600, 400, 600)] == [None, None, None]
    wish = policy.latency(700)
    assert wish is not None
    assert (wish.to, wish.why) == ("c", "the last answer took 700 ms")
    assert policy.latency(700) is None


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
def test_speech_of_any_rate_comes_out_at_one_whole(rate_hz: int) -> None:
    rate = SpeechRate(24000)
    origin = SpeechOrigin(item_id="i", response_id="r")
    out = b""
    for _ in range(10):
        frame = SpeechFrame(
            audio=bytes(rate_hz // 50 * 2), sample_rate=rate_hz, num_channels=1, origin=origin
        )
        converted = rate.convert(frame, origin)
        assert (converted.sample_rate, converted.origin) == (24000, origin)
        out += converted.audio
    rest = rate.rest("r")
    out += b"" if rest is None else rest.audio
    assert duration_ms(out, 24000) == 200
    assert rate.rest("r") is None
