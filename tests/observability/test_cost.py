from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from crossfade.conversation.usage import Usage
from crossfade.observability.cost import NO_COST, Cost, price_call
from crossfade.observability.cost_use import Service, Use
from crossfade.observability.cost_view import calls_table, told
from crossfade.observability.prices import PriceBook, Rates
from tests.observability.rendered import text_of

AT = datetime(2026, 11, 21, tzinfo=UTC)
BOOK = PriceBook(
    {
        "known": Rates(input_text=Decimal(1), output_text=Decimal(2)),
        "hourly": Rates(audio_hour=Decimal(36)),
    }
)


def llm(provider: str, *, given: int = 0, made: int = 0, response: str = "", turn: int = 0) -> Use:
    usage = Usage(input_text_tokens=given, output_text_tokens=made)
    return Use(service=Service.LLM, provider=provider, usage=usage, response_id=response, turn=turn)


def test_uses_are_added_up_by_kind_turn_response_and_provider() -> None:
    cost = price_call(
        [
            llm("known", given=1_000_000, response="a", turn=1),
            Use(service=Service.STT, provider="hourly", seconds=100, turn=2),
            llm("known", given=1_000_000, made=500_000, response="b", turn=1),
        ],
        BOOK,
        at=AT,
    )
    assert [(line.model, line.kind.value, line.quantity, line.usd) for line in cost.lines] == [
        ("known", "input_text", 2_000_000, Decimal(2)),
        ("known", "output_text", 500_000, Decimal(1)),
        ("hourly", "audio_seconds", 100, Decimal(1)),
    ]
    assert cost.usd == 4
    assert cost.complete
    assert cost.by_turn == {
        1: Cost(usd=Decimal(3), complete=True),
        2: Cost(usd=Decimal(1), complete=True),
    }
    assert cost.by_response["b"] == Cost(usd=Decimal(2), complete=True)
    assert cost.by_provider["known"].usd == 3


def test_what_has_no_price_is_named_and_makes_the_sum_a_part() -> None:
    cost = price_call([llm("known", given=1_000_000), llm("new", given=1)], BOOK, at=AT)
    assert (cost.usd, cost.complete, cost.unpriced) == (Decimal(1), False, ("new",))
    assert cost.by_turn[0] == Cost(usd=Decimal(1), complete=False)
    assert cost.by_provider["new"] == Cost(usd=None, complete=False)
    kept = cost.to_dict()
    assert (kept["usd"], kept["complete"], kept["unpriced"]) == (1.0, False, ["new"])
    assert kept["models"]["new"] == {"usd": None, "complete": False}


def test_a_call_of_which_nothing_is_known_is_not_for_nothing() -> None:
    for cost in (NO_COST, price_call([llm("new", given=1)], BOOK, at=AT)):
        assert cost.usd is None
        assert not cost.complete


def test_calls_without_use_are_no_part_of_what_has_no_price() -> None:
    priced = price_call([llm("known", given=1_000_000)], BOOK, at=AT)
    unpriced = price_call([llm("new", given=1)], BOOK, at=AT)
    assert [told(cost) for cost in (NO_COST, unpriced, priced)] == [
        "no use known",
        "unpriced",
        "$1.0000",
    ]
    text = text_of(calls_table({"a": NO_COST, "b": priced}))
    assert "not wholly priced" not in text
    assert "1 not wholly priced" in text_of(calls_table({"a": unpriced, "b": priced}))


def test_a_session_costs_by_the_hour_or_is_no_line() -> None:
    served = [
        Use(service=Service.SESSION, provider=provider, seconds=10)
        for provider in ("known", "hourly", "new")
    ]
    cost = price_call(served, BOOK, at=AT)
    assert [(line.model, line.usd) for line in cost.lines] == [
        ("hourly", Decimal("0.1")),
        ("new", None),
    ]
    assert not cost.by_turn


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["known", "new", "hourly"]),
            st.integers(0, 10**6),
            st.integers(0, 10**6),
            st.integers(0, 3),
        )
    )
)
def test_the_parts_add_up_to_the_whole(taken: list[tuple[str, int, int, int]]) -> None:
    uses = [
        llm(provider, given=given, made=made, response=str(turn % 2), turn=turn)
        for provider, given, made, turn in taken
    ]
    cost = price_call(uses, BOOK, at=AT)
    for parts in (cost.by_turn, cost.by_response, cost.by_model, cost.by_provider):
        whole = [part.usd for part in parts.values() if part.usd is not None]
        assert (sum(whole, Decimal(0)) if whole else None) == cost.usd
        assert all(part.complete for part in parts.values()) == (not cost.unpriced)
