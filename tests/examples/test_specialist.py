"""The hand-over to a specialist."""

import json
from pathlib import Path

import pytest

from crossfade.examples.specialist import BILLING, LINES, SCENARIO, make
from crossfade.pipelines.endpoint import KEY_VARIABLE
from tests.examples.rehearsing import called, rehearsed, said


def test_the_specialist_takes_the_call_over_and_knows_what_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    turns = rehearsed(make, tmp_path, lines=LINES, scenario=SCENARIO)
    handed, looked_up = called(turns)
    assert handed["name"] == "hand_over_to_billing"
    assert handed["result"].endswith("Customer 4711 finds the bill too high.")
    assert looked_up["result"]["calls_abroad_usd"] == 39.90
    assert said(turns) == [
        "I hand you over to billing.",
        "Billing here. Your bill is too high, you say. I will look into it.",
        "You made calls abroad for 39.9 dollars.",
        "Goodbye!",
    ]
    (log,) = tmp_path.glob("*/events.jsonl")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["node"] for e in events if "NodeSwitchedFrame" in str(e)] == [BILLING]
