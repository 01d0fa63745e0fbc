"""How connections and sessions end in their time."""

import asyncio
from typing import Any

import pytest

from crossfade.emulators.faults import Fault
from crossfade.emulators.gemini import Timing
from crossfade.emulators.gemini.faults import Expire, GoAway
from crossfade.emulators.gemini.lifetime import duration
from crossfade.errors import SettingsError
from tests.clock import run
from tests.emulators.gemini.wire_client import INVALID_ARGUMENT, session

DEADLINE = (1011, "Deadline expired before operation could complete.")
WINDOW: dict[str, Any] = {"contextWindowCompression": {"slidingWindow": {}}}


def ending(
    *,
    timing: Timing | None = None,
    faults: list[Fault] | None = None,
    video: bool = False,
    **setup: Any,
) -> tuple[list[str], float, tuple[int, str]]:
    """What came, how long the connection lasted, and its close."""

    async def main() -> tuple[list[str], float, tuple[int, str]]:
        async with session(timing=timing, faults=faults or (), **setup) as client:
            began_s = asyncio.get_running_loop().time()
            if video:
                await client.realtime(video={"data": "AAAA", "mimeType": "image/jpeg"})
            close = await client.closed()
            lasted_s = asyncio.get_running_loop().time() - began_s
            times = [each["timeLeft"] for each in client.of("goAway")]
            return times, lasted_s, close

    return run(main())


def test_a_connection_ends_after_ten_minutes_and_says_so_before() -> None:
    times, lasted_s, close = ending()
    assert times == ["50s"]
    assert lasted_s == pytest.approx(600, abs=0.1)
    assert close == DEADLINE


def test_the_limits_can_be_set() -> None:
    times, lasted_s, close = ending(timing=Timing(connection_seconds=20, go_away_ms=9500))
    assert (times, close) == (["9.5s"], DEADLINE)
    assert lasted_s == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize(("video", "seconds"), [(False, 900), (True, 120)])
def test_a_session_without_a_sliding_window_ends(video: bool, seconds: float) -> None:
    timing = Timing(connection_seconds=5000, go_away_ms=0)
    _, lasted_s, close = ending(timing=timing, video=video)
    assert close == INVALID_ARGUMENT
    assert lasted_s == pytest.approx(seconds, abs=0.1)


def test_a_session_with_a_sliding_window_does_not() -> None:
    _, lasted_s, close = ending(timing=Timing(connection_seconds=2000), video=True, **WINDOW)
    assert close == DEADLINE
    assert lasted_s == pytest.approx(2000, abs=0.1)


def test_go_away_by_a_fault_and_then_the_end() -> None:
    times, lasted_s, close = ending(faults=[GoAway(time_left_ms=9500, after_ms=3000)])
    assert (times, close) == (["9.5s"], DEADLINE)
    assert lasted_s == pytest.approx(12.5, abs=0.1)


def test_go_away_by_a_fault_and_then_silence() -> None:
    async def main() -> None:
        fault = GoAway(time_left_ms=5000, then="silence", after_ms=1000)
        async with session(faults=[fault]) as client:
            assert (await client.until("goAway"))["goAway"] == {"timeLeft": "5s"}
            await client.say("Hello?")
            await client.rest(300)
            assert client.order() == ["goAway"]

    run(main())


def test_a_connection_may_end_unannounced() -> None:
    times, lasted_s, close = ending(faults=[Expire(after_ms=2000)])
    assert (times, close) == ([], DEADLINE)
    assert lasted_s == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(("seconds", "text"), [(50, "50s"), (9.5, "9.5s"), (0.25, "0.25s")])
def test_durations_are_written_as_protobuf_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    "wrong", [{"speed": 0}, {"chunk_ms": 0}, {"think_ms": -1}, {"idle_seconds": -1}]
)
def test_times_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="positive"):
        Timing(**wrong)
