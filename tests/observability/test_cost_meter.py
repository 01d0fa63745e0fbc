from datetime import UTC, datetime
from decimal import Decimal

from crossfade.conversation.usage import Usage
from crossfade.observability.cost import price_call
from crossfade.observability.cost_meter import Budget, CostMeter, OnBudget
from crossfade.observability.cost_use import Service, Use
from crossfade.observability.prices import PriceBook, Rates

AT = datetime(2026, 11, 21, tzinfo=UTC)
PROVIDERS = ["tokens", "hourly", "unknown"]
BOOK = PriceBook(
    {"tokens": Rates(output_text=Decimal(1)), "hourly": Rates(audio_hour=Decimal(3600))}
)


def use(dollars: float, provider: str = "tokens") -> Use:
    usage = Usage(output_text_tokens=round(dollars * 1_000_000))
    return Use(service=Service.LLM, provider=provider, usage=usage)


def meter(*budgets: Budget) -> CostMeter:
    return CostMeter(BOOK, started_at=AT, budgets=budgets)


def test_each_budget_is_told_once_the_smallest_first() -> None:
    end = Budget(usd=Decimal(3), then=OnBudget.END)
    warn, downgrade = Budget(usd=Decimal(1)), Budget(usd=Decimal(2), then=OnBudget.DOWNGRADE)
    costs = meter(end, warn, downgrade)
    assert costs.add(use(1), 1.0) == []
    (crossed,) = costs.add(use(0.5), 2.0)
    assert (crossed.budget, crossed.spent_usd, crossed.at_s) == (warn, Decimal("1.5"), 2.0)
    assert [each.budget for each in costs.add(use(2), 3.0)] == [downgrade, end]
    assert costs.add(use(2), 4.0) == []


def test_time_that_is_paid_for_crosses_a_budget_by_itself() -> None:
    costs = meter(Budget(usd=Decimal(10)))
    assert costs.serves("hourly", "", 5.0) is None
    assert costs.tick(14.9) == []
    assert [each.spent_usd for each in costs.tick(15.5)] == [Decimal("10.5")]


def test_a_session_is_counted_when_another_serves() -> None:
    costs = meter()
    costs.serves("hourly", "", 2.0)
    ended = costs.serves("tokens", "", 12.0)
    assert ended is not None
    assert (ended.provider, ended.seconds) == ("hourly", 10.0)
    # One that is paid by the token costs nothing by itself.
    assert costs.cost(100.0).usd == 10
    assert [line.model for line in costs.cost(100.0).lines] == ["hourly"]
    costs.serves("", "", 100.0)
    assert costs.cost(200.0).usd == 10


def test_the_cost_of_any_moment_is_that_of_all_uses_so_far() -> None:
    costs, uses = meter(), [use(n / 10, provider) for n, provider in enumerate(PROVIDERS * 3)]
    costs.serves("hourly", "", 0.0)
    for count, each in enumerate(uses, 1):
        costs.add(each, float(count))
        open_for = Use(service=Service.SESSION, provider="hourly", seconds=float(count))
        whole = price_call([*uses[:count], open_for], BOOK, at=AT)
        assert costs.cost(float(count)) == whole
        # Asking changes nothing.
        assert costs.cost(float(count)) == whole


def test_the_running_session_is_in_the_cost_of_the_moment() -> None:
    costs = meter()
    costs.serves("hourly", "", 0.0)
    assert costs.cost(1.0).usd == 1
    assert costs.cost(2.0).usd == 2


def test_a_budget_that_cannot_be_kept_is_known() -> None:
    costs = meter(Budget(usd=Decimal(1)))
    before, crossed, after = costs.blind_to, costs.add(use(50, "new"), 1.0), costs.blind_to
    assert (before, crossed, after) == (None, [], "new")
    unlimited = meter()
    unlimited.add(use(50, "new"), 1.0)
    assert unlimited.blind_to is None


def test_an_hour_of_a_session_without_a_price_blinds_a_budget_while_it_runs() -> None:
    costs = meter(Budget(usd=Decimal(1)))
    costs.serves("moshi", "", 0.0)
    assert costs.tick(1.0) == []
    assert costs.blind_to == "moshi"
