"""Whole calls that outlive their provider's sessions."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from crossfade.conversation.context_budget import HEADING
from crossfade.emulators.faults.moments import State
from crossfade.emulators.faults.script import Fault, RefuseKey, Reset
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator, Timing
from crossfade.observability.live_events import Continued, LineLost
from crossfade.pipelines.demo import demo_script
from crossfade.providers.continuity.settings import Continuity
from tests.clock import run
from tests.pipelines.calls import GEMINI, MODEL, Made, make_call

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs/event-log.schema.json").read_text())
)


def told(made: Made) -> list[tuple[str, str, str]]:
    """What each side said, a cut answer as one, and of an interrupted one that it was: the word at
    which the user speaks into it is a matter of milliseconds."""
    turns: list[tuple[str, str, str]] = []
    for turn in made.transcript["turns"]:
        text = turn.get("text", turn.get("result"))
        if turn.get("continues"):
            _, before, _ = turns.pop()
            text = f"{before} {text}".strip()
        if turn.get("interrupted"):
            text = "(interrupted)"
        turns.append((turn["role"], str(text), turn.get("name", "")))
    return turns


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str]]:
    return told(run(make_call(tmp_path_factory.mktemp("undisturbed"), demo_script())))


def continued(made: Made) -> list[Continued]:
    return [event for event in made.events if isinstance(event, Continued)]


def check(made: Made, undisturbed: list[Any]) -> None:
    assert told(made) == undisturbed
    assert not made.summary.errors
    for line in made.log:
        if line["dir"] == "frame":
            SCHEMA.validate(line)


def test_a_call_goes_on_when_its_session_expires(
    tmp_path: Path, undisturbed: list[tuple[str, str, str]]
) -> None:
    async def scenario() -> Made:
        # Made on the loop, whose time of day its sessions tell.
        emulator = OpenAIEmulator(timing=Timing(session_seconds=12))
        return await make_call(tmp_path, demo_script(), emulator=emulator)

    made = run(scenario())
    check(made, undisturbed)
    whys = [event.why for event in continued(made)]
    assert len(whys) >= 2
    assert set(whys) == {"rotation"}
    assert [change.why for change in made.summary.session_changes] == whys


@pytest.mark.parametrize("state", [State.USER_SPEAKING, State.SPEAKING])
def test_a_call_goes_on_when_its_line_dies(
    tmp_path: Path, undisturbed: list[tuple[str, str, str]], state: State
) -> None:
    emulator = OpenAIEmulator(faults=[Reset(at=state, after_ms=200)])
    made = run(make_call(tmp_path, demo_script(), emulator=emulator))
    check(made, undisturbed)
    assert [event.why for event in continued(made)] == ["reconnect"]
    assert len([event for event in made.events if isinstance(event, LineLost)]) == 1
    frames = [line["type"] for line in made.log if line["dir"] == "frame"]
    assert frames.count("SessionLostFrame") == frames.count("SessionContinuedFrame") == 1
    assert "InterruptionFrame" not in frames[frames.index("SessionLostFrame") :][:5]


def test_another_provider_takes_the_call_over(tmp_path: Path) -> None:
    faults: list[Fault] = [Reset(at=State.SPEAKING, after_ms=200), RefuseKey(session=2)]
    made = run(
        make_call(
            tmp_path,
            demo_script(),
            emulator=OpenAIEmulator(faults=faults),
            fallback=GeminiEmulator(),
        )
    )
    assert not made.summary.errors
    (event,) = continued(made)
    assert (event.why, event.provider) == ("failover", GEMINI)
    assert made.transcript["turns"][-1]["role"] == "agent"
    assert MODEL not in event.provider


def test_a_conversation_that_is_too_long_goes_on_from_its_summary(tmp_path: Path) -> None:
    """The emulator counts no more than a few hundred tokens for this call."""
    continuity = Continuity(context_tokens=150)
    made = run(make_call(tmp_path, demo_script(), continuity=continuity))
    assert not made.summary.errors
    assert [event.why for event in continued(made)][:1] == ["rotation"]
    first, *_ = made.received.of("conversation.item.create")
    assert HEADING in str(first["item"]["content"])
    assert all(turn["role"] in ("user", "agent", "tool") for turn in made.transcript["turns"])
