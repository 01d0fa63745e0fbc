"""The hop benchmark sees what a hop costs."""

import time

from crossfade.benchmarks import hop
from crossfade.frames.audio import AudioRawFrame

SLOW_US = 300.0


class Slow(hop.OurLink):
    def handle_audio(self, frame: AudioRawFrame) -> None:
        until_s = time.process_time() + SLOW_US / 1e6
        while time.process_time() < until_s:
            pass
        super().handle_audio(frame)


def test_a_slow_hop_is_seen() -> None:
    slow = hop.measure(rounds=1, frames=4, ours=Slow)
    assert [each.side for each in slow.hops] == ["crossfade", "pipecat"]
    assert slow.hops[0].up_us > SLOW_US / 2
    assert slow.hops[0].down_us > SLOW_US / 2


def test_the_result_says_what_was_measured() -> None:
    result = hop.HopResult(
        hops=[
            hop.Hop(side="crossfade", up_us=0.25, down_us=0.25),
            hop.Hop(side="pipecat", up_us=20, down_us=25),
        ],
        up_ratio=80,
        down_ratio=100,
        frames=300,
        rounds=5,
    )
    content = hop.content(result)
    assert content["goal_ratio"] == 20
    assert content["ratios"] == {"hop_up": 80, "hop_down": 100}
    assert content["hops"][1] == {"side": "pipecat", "up_us": 20, "down_us": 25}
    assert hop.table(result).row_count == 3
