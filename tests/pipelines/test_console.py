"""What the terminal shows of a call that outlives its provider's sessions."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from crossfade.observability.cost_meter import Budget, BudgetCrossed, OnBudget
from crossfade.observability.live_events import (
    AnswerOverdue,
    AnswerSlow,
    AudioLost,
    Continued,
    Failed,
    LineLost,
    LiveEvent,
    RateMismatched,
    ToolAnswered,
    ToolCalled,
    UserSaid,
)
from crossfade.pipelines.console import CallConsole


def continued(
    why: str, *, resumed: bool = False, gap_ms: float = 0.0, replayed_ms: float = 0.0
) -> Continued:
    return Continued(
        at_s=2.0,
        why=why,
        provider="openai:m",
        resumed=resumed,
        gap_ms=gap_ms,
        replayed_ms=replayed_ms,
    )


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            LineLost(at_s=1.0, message="close code 1006"),
            "1.0s the line to the provider is lost (close code 1006); looking for another",
        ),
        (
            BudgetCrossed(
                at_s=1.0,
                budget=Budget(usd=Decimal("0.05"), then=OnBudget.END),
                spent_usd=Decimal("0.06"),
            ),
            "1.0s the call has cost $0.0600, more than $0.05: it ends when the agent",
        ),
        (AudioLost(at_s=1.0, lost_ms=1500.0), "1.0s 1.5 s of what the caller said could not be"),
        (
            AnswerSlow(at_s=1.0, voice_to_voice_ms=2000, hop="model", took_ms=1400, budget_ms=800),
            "1.0s slow answer: model took 1400 ms, may take 800",
        ),
        (
            AnswerOverdue(at_s=1.0, waited_ms=1600.0, hop="model"),
            "1.0s no answer after 1600 ms: still waiting for model",
        ),
        (
            RateMismatched(at_s=1.0, declared_hz=16_000, likely_hz=48_000),
            "declared as 16000 Hz but comes as 48000 Hz does",
        ),
        (continued("rotation"), "went over to a new session of openai:m; 0 ms without a line"),
        (continued("failover", gap_ms=80), "openai:m takes the call over; 80 ms without a line"),
        (continued("return"), "back to openai:m; 0 ms"),
        (
            continued("reconnect", resumed=True, gap_ms=81, replayed_ms=900),
            "connected again to openai:m, which took its session up again; 81 ms without a line, "
            "0.9 s of the caller's words told again",
        ),
    ],
)
def test_it_says_in_plain_words_how_the_call_went_on(event: LiveEvent, told: str) -> None:
    output = io.StringIO()
    CallConsole(Console(file=output, width=200))(event)
    assert told in " ".join(output.getvalue().split())


def test_a_terminal_obeys_nothing_that_others_say() -> None:
    output = io.StringIO()
    console = CallConsole(Console(file=output, width=200))
    console(Failed(at_s=1.0, message="\x1b]0;a title\x07 and \x9b2J"))
    assert output.getvalue().strip().isprintable()


def test_what_tools_are_asked_and_answer_is_shown_without_credentials() -> None:
    console = Console(file=io.StringIO(), width=200)
    said = {"token": "planted-token", "paid": "with sk-proj-planted0123456789"}
    with CallConsole(console) as shown:
        shown(ToolCalled(at_s=1.0, call_id="c", name="pay", arguments=said))
        shown(ToolAnswered(at_s=2.0, call_id="c", name="pay", result=said, is_error=False))
        text = '{"api_key": "planted-key", "city": "Rome"}'
        shown(ToolAnswered(at_s=2.0, call_id="c", name="pay", result=text, is_error=False))
        key = "it is ek_planted0123456789"
        shown(UserSaid(at_s=3.0, item_id="i", text=key, final=True))
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert "planted" not in told
    assert "Rome" in told
    assert told.count("[removed]") >= 6
