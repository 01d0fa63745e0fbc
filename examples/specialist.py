"""A front desk that hands the caller over to a specialist, with another voice and other tools.

    python -m crossfade.examples.specialist

A caller reads lines to it. Talks to OpenAI if OPENAI_API_KEY is set, else to the built-in emulator.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from crossfade.examples.rehearsal import show
from crossfade.observability.call import CallRecord
from crossfade.pipelines.assembly import Call, new_conversation
from crossfade.pipelines.call_nodes import native_node
from crossfade.pipelines.endpoint import Endpoint
from crossfade.pipelines.switched_call import switched_call
from crossfade.processors.node_slot import MakeNode
from crossfade.processors.node_switch import NodeSwitch, When
from crossfade.processors.tools import Tool, tool
from crossfade.providers import SessionConfig
from crossfade.transports.scripted_caller import ScriptedCaller

FRONT, BILLING = "front desk", "billing"
ROLES = {
    FRONT: (
        "You are the front desk of a telephone company. Find out what the caller wants. Whatever "
        "is about bills, hand over to billing, with all that they need to know."
    ),
    BILLING: (
        "You are the billing specialist of a telephone company. The front desk has handed you the "
        "caller: greet them in half a sentence, do not ask again for what they have said, and look "
        "bills up. Hand back to the front desk whatever is not about bills."
    ),
}
VOICES = {FRONT: "bright", BILLING: "calm"}
BILLS = {"4711": {"total_usd": 84.20, "calls_abroad_usd": 39.90, "due": "December 1"}}


@tool(idempotent=True)
async def look_up_bill(customer: str) -> dict[str, Any]:
    """Look up a customer's newest bill.

    Args:
        customer: The customer's number.
    """
    return BILLS.get(customer) or {"error": "There is no such customer."}


class Desks:
    """The two who may serve a call, and the tool by which one gives it to the other."""

    def __init__(self, record: CallRecord, provider: Endpoint) -> None:
        self.conversation = new_conversation()
        self.switch = NodeSwitch(
            {
                FRONT: self._desk(FRONT, [self._hand_over(BILLING)], record, provider),
                BILLING: self._desk(
                    BILLING, [look_up_bill, self._hand_over(FRONT)], record, provider
                ),
            }
        )

    @property
    def tools(self) -> Sequence[Tool]:
        """What one or the other may call."""
        return [look_up_bill, self._hand_over(FRONT), self._hand_over(BILLING)]

    def _desk(
        self, name: str, tools: Sequence[Tool], record: CallRecord, provider: Endpoint
    ) -> MakeNode:
        return native_node(
            provider.spec,
            conversation=self.conversation,
            config=SessionConfig(instructions=ROLES[name], voice=VOICES[name]),
            tools=tools,
            base_url=provider.base_url,
            api_key=provider.api_key,
            tap=record.tap,
        )

    def _hand_over(self, to: str) -> Tool:
        async def hand_over(summary: str) -> str:
            # No moment is quiet while a tool runs, so that it has to be now.
            await self.switch.to(to, when=When.NOW, why=f"the caller is handed over to {to}")
            return f"The caller is with you now. {summary}"

        hand_over.__name__ = f"hand_over_to_{to.replace(' ', '_')}"
        hand_over.__doc__ = (
            f"Hand the caller over to the {to}, after you have said so.\n\n"
            "Args:\n    summary: What the caller wants and has told, in two sentences."
        )
        return tool(acknowledge=None, deadline_ms=40_000)(hand_over)


def make(
    caller: ScriptedCaller, record: CallRecord, provider: Endpoint
) -> AbstractAsyncContextManager[Call]:
    desks = Desks(record, provider)
    return switched_call(
        desks.switch,
        transport=caller,
        record=record,
        conversation=desks.conversation,
        tools=desks.tools,
    )


LINES = [
    "Hello, my bill is far too high this month. My number is 4711.",
    "Can you see why?",
    "I see. Thank you, goodbye.",
]
SCENARIO = f"""
turns:
  - on: any
    hear: "{LINES[0]}"
    say: I hand you over to billing.
    call:
      - name: hand_over_to_billing
        arguments: {{summary: Customer 4711 finds the bill too high.}}
  - {{on: any, say: "Billing here. Your bill is too high, you say. I will look into it."}}
  - {{on: any, hear: "{LINES[1]}", call: [{{name: look_up_bill, arguments: {{customer: "4711"}}}}]}}
  - {{on: tool_results, say: "You made calls abroad for {{calls_abroad_usd}} dollars."}}
  - {{on: any, hear: "{LINES[2]}", say: Goodbye!}}
"""


if __name__ == "__main__":
    show(make, lines=LINES, scenario=SCENARIO)
