"""Budgets of whole calls, and arms in the native command."""

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.errors import SettingsError
from crossfade.observability.call import CallRecord
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.cost_meter import Budget, BudgetCrossed, OnBudget
from crossfade.observability.summary_file import read_summary
from crossfade.pipelines.assembly import new_conversation, prepare
from crossfade.pipelines.budgets import keep_budgets
from crossfade.pipelines.call_nodes import native_node
from crossfade.pipelines.demo import demo_line, demo_script
from crossfade.pipelines.native_call import native_call, run_native
from crossfade.pipelines.route_native import routed
from crossfade.pipelines.scripted_call import Outcome
from crossfade.pipelines.settings import NativeSettings
from crossfade.pipelines.switched_call import switched_call
from crossfade.processors.node_switch import NodeSwitch
from crossfade.providers import SessionConfig
from crossfade.transports.script import AfterSilence, Script
from crossfade.transports.scripted_caller import ScriptedCaller
from tests.clock import run
from tests.pipelines.calls import MODEL

ARMS = """
arms:
  - {name: mini, node: "openai:gpt-realtime-2.1-mini"}
  - {name: large, node: "openai:gpt-realtime-2.1"}
"""


async def call(folder: Path, budgets: list[Budget]) -> CallSummary:
    caller = ScriptedCaller(demo_script())
    record = CallRecord.open(folder, budgets=budgets)
    async with (
        OpenAIEmulator() as server,
        native_call(
            MODEL,
            transport=caller,
            record=record,
            config=SessionConfig(),
            base_url=server.url,
            api_key="emulated",
        ) as made,
    ):
        return await made.run(until=caller.hung_up())


def test_a_call_ends_at_its_budget_when_the_agent_has_finished(tmp_path: Path) -> None:
    prepare()
    whole = run(call(tmp_path / "whole", []))
    assert whole.cost.usd is not None
    cut = run(call(tmp_path / "cut", [Budget(usd=Decimal("0.001"), then=OnBudget.END)]))
    assert cut.cost.usd is not None
    assert Decimal("0.001") < cut.cost.usd < whole.cost.usd
    assert cut.duration_s < whole.duration_s
    assert cut.responses == 1
    assert not cut.errors
    spoken = json.loads((tmp_path / "cut" / "transcript.json").read_text())["turns"]
    (answer,) = [turn for turn in spoken if turn["role"] == "agent"]
    assert answer["heard"] == answer["text"]


class _Listened:
    def __init__(self) -> None:
        self.errors: list[str] = []
        self.told: Any = None

    def subscribe(self, listener: Any) -> None:
        self.told = listener

    def error(self, message: str) -> None:
        self.errors.append(message)


def crossed(then: OnBudget) -> Any:
    budget = Budget(usd=Decimal(1), then=then, node="cheap")
    return BudgetCrossed(at_s=1.0, budget=budget, spent_usd=Decimal("1.5"))


def test_a_downgrade_names_the_node_and_why() -> None:
    record, asked = _Listened(), []
    keep_budgets(
        record,  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]
        downgrade=lambda node, why: asked.append((node, why)),
    )
    record.told(crossed(OnBudget.WARN))
    record.told(crossed(OnBudget.DOWNGRADE))
    assert asked == [("cheap", "the call has cost $1.5000")]
    assert not record.errors


def test_a_downgrade_that_cannot_be_is_an_error_of_the_call() -> None:
    def refuse(node: str, why: str) -> None:
        raise SettingsError(f"there is no node {node}")

    for downgrade, told in ((None, "one node only"), (refuse, "there is no node cheap")):
        record = _Listened()
        keep_budgets(
            record,  # type: ignore[arg-type]
            SimpleNamespace(),  # type: ignore[arg-type]
            downgrade=downgrade,
        )
        record.told(crossed(OnBudget.DOWNGRADE))
        assert told in record.errors[0]


def settings(tmp_path: Path, text: str = ARMS, **others: Any) -> NativeSettings:
    path = tmp_path / "arms.yaml"
    path.write_text(text)
    return NativeSettings(
        provider="emulator", arms=path, caller="somebody", runs=tmp_path / "runs", **others
    )


def test_the_native_command_speaks_with_the_arms_model_and_keeps_which(tmp_path: Path) -> None:
    asked = settings(tmp_path)
    model = routed(asked)[0].model
    prepare()
    script = Script([demo_line("enough", AfterSilence(after_s=0.3))])

    async def main() -> Outcome:
        async with OpenAIEmulator() as server:
            here = asked.model_copy(update={"provider": None, "base_url": server.url})
            return await run_native(
                here, announce=lambda _: None, listener=lambda _: None, script=script
            )

    outcome = run(main())
    kept = read_summary(outcome.folder)
    assert kept.details["model"] == model
    assert kept.details["arm"] == ("mini" if model.endswith("mini") else "large")
    assert f"openai:{model}" in outcome.summary.cost.by_model
    log = [json.loads(line) for line in (outcome.folder / "events.jsonl").read_text().splitlines()]
    (told,) = [line for line in log if line["type"] == "call.routed"]
    assert "by weight: mini 50%, large 50%" in told["reason"]
    assert "somebody" not in (outcome.folder / "events.jsonl").read_text()


def test_an_arm_that_the_command_cannot_speak_with_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can route others"):
        routed(settings(tmp_path, "arms: [{name: a, node: cascade}]"))


def test_a_cheaper_node_takes_over_at_the_budget(tmp_path: Path) -> None:
    mini = "openai:gpt-realtime-2.1-mini"

    async def main() -> CallSummary:
        caller, conversation = ScriptedCaller(demo_script()), new_conversation()
        record = CallRecord.open(
            tmp_path,
            budgets=[Budget(usd=Decimal("0.001"), then=OnBudget.DOWNGRADE, node="cheap")],
        )
        async with OpenAIEmulator() as server:
            nodes = {
                name: native_node(
                    spec,
                    conversation=conversation,
                    config=SessionConfig(),
                    base_url=server.url,
                    api_key="emulated",
                    tap=record.tap,
                )
                for name, spec in (("dear", MODEL), ("cheap", mini))
            }
            async with switched_call(
                NodeSwitch(nodes),
                transport=caller,
                record=record,
                conversation=conversation,
            ) as made:
                return await made.run(until=caller.hung_up())

    prepare()
    summary = run(main())
    assert not summary.errors
    log = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    served = [
        (line["service"], line["model"])
        for line in log
        if line["type"] == "call.usage" and line["service"] in ("speech", "session")
    ]
    dear, cheap = MODEL.partition(":")[2], mini.partition(":")[2]
    assert served[0] == ("speech", dear)
    assert [model for service, model in served if service == "session"] == [dear, cheap]
    assert served[-2] == ("speech", cheap)


def test_arms_and_the_caller_are_asked_for_together(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["native", "--demo", "--arms", str(tmp_path / "arms.yaml")])
    assert result.exit_code == 2
    assert "--arms and --caller go together" in " ".join(result.output.split())
