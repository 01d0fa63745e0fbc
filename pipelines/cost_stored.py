"""Prices a stored call, from the tokens that its turns kept."""

from datetime import UTC, datetime

from crossfade.conversation.store_records import StoredCall
from crossfade.conversation.turns import AgentTurn, UserTurn
from crossfade.observability.cost import CallCost, price_call
from crossfade.observability.cost_use import Service, Use
from crossfade.observability.prices import PriceBook


def stored_cost(call: StoredCall, prices: PriceBook) -> CallCost:
    """What the turns of a stored call cost, by the prices of its time.

    The store keeps tokens by turn, and the model that served last: all turns are priced as its.
    What belongs to no turn (recognised or spoken words of a cascade, time) it does not keep.
    """
    provider, _, model = call.spec.partition(":")
    uses, turn = [], 0
    for entry in call.entries:
        if isinstance(entry, UserTurn):
            turn += 1
        elif isinstance(entry, AgentTurn) and entry.usage is not None:
            uses.append(
                Use(
                    service=Service.SPEECH,
                    provider=provider,
                    model=model,
                    usage=entry.usage,
                    response_id=entry.response_id,
                    turn=turn,
                )
            )
    return price_call(uses, prices, at=datetime.fromtimestamp(call.started_at, UTC))


__all__ = ["stored_cost"]
