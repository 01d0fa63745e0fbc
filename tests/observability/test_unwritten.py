"""A call of which no record can be kept has the figures of any other."""

from decimal import Decimal
from pathlib import Path

import pytest

from crossfade.observability.call import CallRecord
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.cost_meter import Budget, BudgetCrossed
from crossfade.observability.live_events import LiveEvent
from crossfade.observability.unwritten import unwritten_record
from tests.clock import run
from tests.observability.test_call import call
from tests.observability.test_call_cost import SPOKEN_USD, push, spoken


def both(folder: Path) -> tuple[CallSummary, CallSummary]:
    """Of the same call, recorded and unwritten."""

    async def main() -> tuple[CallSummary, CallSummary]:
        made: list[CallSummary] = []
        for begin in (lambda: CallRecord.open(folder), unwritten_record):
            record = begin()
            record.at_end(made.append)
            await call(record)
            await record.aclose({"turns": [{"text": "a planted word"}]})
            assert record.summary() == made[-1]
        written, unwritten = made
        return written, unwritten

    return run(main())


def test_its_figures_are_those_of_a_record_that_is_written(tmp_path: Path) -> None:
    written, unwritten = both(tmp_path / "written")
    assert unwritten.voice_to_voice_ms == pytest.approx((600,), abs=10)
    assert unwritten.ttfb_ms == pytest.approx((200,))
    assert unwritten.duration_s == pytest.approx(written.duration_s)
    assert (unwritten.responses, unwritten.errors) == (written.responses, ())
    assert unwritten.voice_to_voice_ms == pytest.approx(written.voice_to_voice_ms, abs=1)


def test_it_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> CallRecord:
        record = unwritten_record(details={"model": "emulated"})
        await call(record)
        record.error("something happened")
        record.close({"turns": [{"text": "a planted word"}]})
        return record

    record = run(main())
    assert list(tmp_path.iterdir()) == []
    assert (record.written, record.recording, record.capture) == (False, None, None)
    assert record.summary().errors == ("something happened",)


def test_its_budget_is_kept() -> None:
    async def main() -> list[LiveEvent]:
        told: list[LiveEvent] = []
        record = unwritten_record(budgets=[Budget(usd=Decimal("0.03"))])
        record.subscribe(told.append)
        for number in range(2):
            await push(record, spoken(str(number)))
        record.close({})
        assert record.summary().cost.usd == 2 * SPOKEN_USD
        return told

    (crossed,) = [event for event in run(main()) if isinstance(event, BudgetCrossed)]
    assert crossed.spent_usd == 2 * SPOKEN_USD
