"""Does what the budgets of a call ask for."""

import asyncio
from collections.abc import Callable

from pipecat.pipeline.worker import PipelineWorker

from crossfade.errors import CrossfadeError
from crossfade.observability.call import CallRecord
from crossfade.observability.cost_meter import BudgetCrossed, OnBudget
from crossfade.observability.live_events import LiveEvent


def keep_budgets(
    record: CallRecord,
    worker: PipelineWorker,
    *,
    downgrade: Callable[[str, str], None] | None = None,
) -> None:
    """Watch the budgets that the record was opened with; call it on the running loop.

    WARN is told to the record's listeners and does no more. END lets the agent finish what it
    says, and ends the call.

    Args:
        record: The call's.
        worker: The call's; it is ended.
        downgrade: Has a node take over, given its name and why, and returns at once. Without
            one, a budget that asks for it is an error of the call, which goes on.
    """
    ending: set[asyncio.Task[None]] = set()

    def happened(event: LiveEvent) -> None:
        if not isinstance(event, BudgetCrossed):
            return
        match event.budget.then:
            case OnBudget.END:
                task = asyncio.create_task(worker.stop_when_done(), name="budget")
                ending.add(task)
                task.add_done_callback(ending.discard)
            case OnBudget.DOWNGRADE if downgrade is not None:
                try:
                    downgrade(event.budget.node, f"the call has cost ${event.spent_usd:.4f}")
                except CrossfadeError as error:
                    record.error(f"no cheaper node takes the call over: {error}")
            case OnBudget.DOWNGRADE:
                record.error(
                    f"the call has cost ${event.spent_usd:.4f} and should go on with a cheaper "
                    "node, but has one node only; make it with switched_call, or have it end"
                )

    record.subscribe(happened)


__all__ = ["keep_budgets"]
