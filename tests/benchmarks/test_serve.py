"""The load of a server, and what is made of it."""

from typing import Any

import pytest

from crossfade.benchmarks.call_server import ANSWERS, BYTES_PER_MS
from crossfade.benchmarks.drain import Drain
from crossfade.benchmarks.drain import content as drained
from crossfade.benchmarks.drain import held as all_went_on
from crossfade.benchmarks.drain import table as drain_table
from crossfade.benchmarks.serve import Look, _load, content, table
from crossfade.benchmarks.serve_clients import BUSY, Order, _payload, frame
from crossfade.providers.websocket_frames import plain_frame
from tests.observability.rendered import text_of

ORDER = Order(host="127.0.0.1", port=1, calls=2, warm_up_s=1, seconds=10)
LOOKS = [
    Look(at_s=100.0, cpu_s=10.0, loop_cpu_s=8.0, mib=200.0),
    Look(at_s=105.0, cpu_s=11.0, loop_cpu_s=9.0, mib=201.0),
    Look(at_s=110.0, cpu_s=14.0, loop_cpu_s=11.0, mib=202.0),
]


def caller(**fields: Any) -> dict[str, Any]:
    told = {"close_code": None, "died": False, "sent": 600, "first_due_ns": 100 * 10**9}
    told |= {"service_number": 3 * ANSWERS + 5, "late": 1, "pieces": 500}
    return {**told, "down_ms": [12.0, 14.0], "late_ms": [0.0, 2.0], **fields}


def noted(late_ms: float = 3.0) -> dict[str, Any]:
    """Each 20 ms of a caller come some ms after they were due."""
    came = [
        (int(100e9 + number * 20e6 + late_ms * 1e6), (number + 1) * 20 * BYTES_PER_MS)
        for number in range(24, 500, 25)
    ]
    return {"starved": 0.0, "calls": {"3": {"came": came}}}


def test_what_came_is_held_against_what_was_said() -> None:
    load = _load(ORDER, [caller()], noted(), LOOKS, cycle="talk", cores=2)
    assert load.up_p50_ms == load.up_p99_ms == pytest.approx(3.0)
    assert load.heard_share == pytest.approx(1.0)
    assert load.down_p99_ms == pytest.approx(1.98)
    assert load.pace_p50_ms == 13.0
    assert (load.cpu_percent, load.cpu_worst_percent) == (40.0, 60.0)
    assert (load.loop_cpu_percent, load.cores) == (30.0, 2)
    assert (load.calls, load.refused, load.died) == (1, 0, 0)
    assert load.held
    assert content(load)["held"]
    assert "memory at the end" in text_of(table(load))


def test_who_is_told_that_the_server_is_busy_is_no_call_that_died() -> None:
    refused = caller(close_code=BUSY, service_number=-1)
    load = _load(ORDER, [caller(), refused], noted(), LOOKS, cycle="talk", cores=2)
    assert (load.calls, load.refused, load.died) == (1, 1, 0)
    assert not _load(ORDER, [caller(died=True)], noted(), LOOKS, cycle="talk", cores=2).held
    assert not _load(ORDER, [caller()], noted(late_ms=25), LOOKS, cycle="talk", cores=2).held
    grown = [*LOOKS, Look(at_s=115.0, cpu_s=15.0, loop_cpu_s=12.0, mib=230.0)]
    assert not _load(ORDER, [caller()], noted(), grown, cycle="talk", cores=2).held


@pytest.mark.parametrize("length", [0, 125, 126, 640, 65_536])
def test_the_callers_read_frames_as_they_come(length: int) -> None:
    data = b"?" + plain_frame(b"x" * length, text=False)
    found = _payload(data, 1)
    assert found is not None
    assert data[slice(*found)] == b"x" * length
    assert _payload(data[:-1], 1) is None
    assert _payload(b"", 0) is None


def test_what_the_callers_say_is_masked() -> None:
    assert frame(b"abc", 1) == b"\x81\x83\0\0\0\0abc"
    assert frame(b"a" * 640, 2)[:8] == b"\x82\xfe\x02\x80\0\0\0\0"


def test_a_drain_holds_if_all_calls_went_on() -> None:
    case = Drain(
        how="ended", calls=2, workers=2, moved=1, went_on=2, silence_worst_s=1.0, took_s=2.0
    )
    lost = Drain(
        how="killed", calls=2, workers=2, moved=1, went_on=1, silence_worst_s=1.0, took_s=2.0
    )
    assert all_went_on([case])
    assert not all_went_on([case, lost])
    assert len(drained([case, lost])["cases"]) == 2
    assert "killed" in text_of(drain_table([lost]))
