"""What the measurement of the record counts."""

import threading
from decimal import Decimal
from pathlib import Path as FilePath

import numpy as np
import pytest

from crossfade.benchmarks.record import due_and_sent_ns
from crossfade.benchmarks.record_result import (
    Path,
    RecordResult,
    Round,
    WatchedRound,
    content,
    held,
)
from crossfade.benchmarks.record_work import Piece, Rest, Stopwatch, Work
from crossfade.observability import disk
from crossfade.observability.call import CallRecord
from crossfade.observability.cost_meter import Budget
from tests.clock import run

LOOP, WRITER = 1, 2


def ms(value: float) -> int:
    return round(value * 1e6)


def work(rests: list[tuple[float, float]], **threads: list[tuple[float, float, float]]) -> Work:
    """Pieces and rests in ms; a piece with the CPU that it took. The process has its core."""
    found = Work(rests=[Rest(*map(ms, (began, ended, began, ended))) for began, ended in rests])
    for name, pieces in threads.items():
        thread = {"loop": LOOP, "writer": WRITER}[name]
        found.pieces[thread] = [Piece(*map(ms, piece)) for piece in pieces]
    return found


def before_ms(seen: Work, due: float, gone: float) -> float:
    (found,) = seen.before_ms(np.array([ms(due)]), np.array([ms(gone)]))
    return float(found)


RESTS = [(0.0, 10.0), (13.0, 20.0), (25.0, 40.0)]


@pytest.mark.parametrize(
    ("due", "gone", "expected"),
    [
        pytest.param(5, 10.2, 0, id="it went on before the record worked"),
        pytest.param(5, 12, 1, id="the record worked first"),
        pytest.param(5, 11, 0.5, id="it went on in the midst of the work"),
        pytest.param(12.5, 12.9, 1, id="it was due behind work that kept others waiting"),
        pytest.param(14, 21, 0, id="what was done before a rest delays nobody behind it"),
        pytest.param(12.5, 23.5, 1.375, id="all since the loop's last rest"),
    ],
)
def test_a_frame_is_late_by_no_more_than_the_record_worked_before_it(
    due: float, gone: float, expected: float
) -> None:
    seen = work(RESTS, loop=[(10.5, 11.5, 1), (22, 24, 0.5)])
    assert before_ms(seen, due, gone) == pytest.approx(expected)


def test_what_the_threads_do_counts_while_the_loop_waits_for_them() -> None:
    seen = work(RESTS, writer=[(4, 6, 2), (9.5, 11, 1.5)])
    assert before_ms(seen, 3, 10.5) == pytest.approx(3)
    # One that began before the frame was due holds the interpreter, and counts as a whole.
    assert before_ms(seen, 5, 6.5) == pytest.approx(2)
    assert before_ms(seen, 7, 9.4) == 0


def test_both_count_together() -> None:
    seen = work(RESTS, loop=[(10.5, 11.5, 1)], writer=[(10, 10.4, 0.4), (11.6, 12, 0.4)])
    assert before_ms(seen, 9, 12.5) == pytest.approx(1.8)


def test_a_frame_is_set_aside_that_waited_for_another_process() -> None:
    seen = work(RESTS, loop=[(10.5, 11.5, 1)])
    # Of the 5 ms between the last two rests, the process had 2.
    seen.rests[2] = seen.rests[2]._replace(cpu_began_ns=ms(22), cpu_ended_ns=ms(22))
    assert before_ms(seen, 5, 12) == pytest.approx(1)
    for due, gone in ((21, 22), (14, 21), (24, 30), (5, 21)):
        assert np.isnan(before_ms(seen, due, gone))
    assert before_ms(seen, 26, 30) == 0
    # Between the first two the process had the core, but came to it too late.
    seen.rests[0] = seen.rests[0]._replace(overslept_ns=ms(2))
    assert np.isnan(before_ms(seen, 5, 12))


def test_the_longest_piece_is_told_of_the_loop_and_of_the_threads() -> None:
    main = threading.get_ident()
    seen = Work(pieces={main: [Piece(0, ms(2), ms(1))], WRITER: [Piece(0, ms(3), ms(3))]})
    assert seen.longest_ms == {"loop": 1.0, "threads": 3.0}


def test_the_stopwatch_sees_the_record_at_work_and_its_threads(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_STEP_S", 0.0)
    before = CallRecord.caller_audio
    stopwatch = Stopwatch()

    async def main() -> None:
        with stopwatch.watching():
            # Only where there is a budget is it looked at what time costs.
            record = CallRecord.open(tmp_path, budgets=[Budget(usd=Decimal(1))])
            for _ in range(10):
                record.caller_audio(bytes(640), 16_000)
            await record.aclose({"turns": [{"text": "hello"}]})

    run(main())
    assert CallRecord.caller_audio is before
    mine = stopwatch.work.pieces.pop(threading.get_ident())
    assert len(mine) == 10 + len(("_watch_cost", "_end", "_tell_end"))
    others = [piece for pieces in stopwatch.work.pieces.values() for piece in pieces]
    # What closes the record and what writes, both cut where they let go of the interpreter.
    assert len(stopwatch.work.pieces) == 2
    assert len(others) > 4
    for piece in [*mine, *others]:
        assert piece.began_ns <= piece.ended_ns
        assert 0 <= piece.cpu_ns <= piece.ended_ns - piece.began_ns


def test_a_microphone_has_a_frame_every_20_ms() -> None:
    sent = [ms(6), ms(33), ms(45.5)]
    assert due_and_sent_ns(ms(5), sent) == [(ms(5), ms(6)), (ms(25), ms(33)), (ms(45), ms(45.5))]


@pytest.mark.parametrize(
    ("worked_ms", "more_cpu", "well"), [(0.4, 0.08, True), (1.6, 0.08, False), (0.4, 0.12, False)]
)
def test_the_goals_are_the_most_work_before_a_frame_and_the_cpu(
    worked_ms: float, more_cpu: float, well: bool
) -> None:
    late = [np.full(100, 0.1 * n) for n in range(5)]
    off = [
        Round(cpu_percent=1 + n, late_ms=dict.fromkeys(Path, each)) for n, each in enumerate(late)
    ]
    on = [
        Round(cpu_percent=(1 + n) * (1 + more_cpu), late_ms=dict.fromkeys(Path, each + 0.3))
        for n, each in enumerate(late)
    ]
    quiet = np.array([0.01, np.nan, np.nan, worked_ms])
    watched = [
        WatchedRound(
            before_ms={Path.UP: np.zeros(3), Path.DOWN: quiet, Path.OUT: np.zeros(0)},
            longest_ms={"loop": 0.1, "threads": 0.2},
        )
    ]
    result = RecordResult(recorded=on, unrecorded=off, watched=watched)
    assert result.added_ms(Path.OUT, 99) == pytest.approx(0.3)
    assert content(result)["cpu_share"] == pytest.approx(more_cpu)
    assert result.set_aside(Path.DOWN) == 0.5
    assert held(result) is well
