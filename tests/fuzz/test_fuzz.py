"""The fuzzers themselves: a short run of each wire, and that they would find something."""

import random

import pytest

from crossfade.providers.events import Event
from crossfade.providers.openai_realtime import OpenAIRealtimeProtocol
from tests.fuzz.__main__ import run
from tests.fuzz.mutation import Mutator
from tests.fuzz.target import PROTOCOLS, Finding, Target, corpus, state_bytes


@pytest.mark.parametrize("wire", sorted(PROTOCOLS))
def test_mutated_sessions_never_raise_and_leave_no_traces(wire: str) -> None:
    outcome = run(wire, messages=2000, seed=3)
    assert outcome.mutated_messages == 2000
    assert outcome.events > 500, "most of it is understood as something"


@pytest.mark.parametrize("wire", sorted(PROTOCOLS))
def test_most_mutations_change_the_message(wire: str) -> None:
    whole = corpus(wire)
    mutator = Mutator(whole, random.Random(1))
    changed = [mutator.mutate(message) != message for message in whole]
    assert sum(changed) > 0.9 * len(changed)


class Fragile(OpenAIRealtimeProtocol):
    """Takes for granted what a service mostly sends."""

    def receive(self, message: str | bytes) -> list[Event]:
        events = super().receive(message)
        if isinstance(message, bytes) and b"response.done" in message:
            raise KeyError("usage")
        return events


class Hoarder(OpenAIRealtimeProtocol):
    """Keeps everything."""

    def __init__(self) -> None:
        super().__init__("gpt-realtime-2.1")
        self.kept: list[bytes | str] = []

    def receive(self, message: str | bytes) -> list[Event]:
        self.kept.append(message)
        return super().receive(message)


def test_an_exception_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROTOCOLS, "openai", lambda: Fragile("gpt-realtime-2.1"))
    with pytest.raises(Finding):
        run("openai", messages=2000, seed=3)


def test_what_is_never_forgotten_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROTOCOLS, "openai", Hoarder)
    target = Target("openai", random.Random(1))
    before = state_bytes(target.protocol)
    dice = random.Random(2)
    for _ in range(100):
        target.receive(b"{" + dice.randbytes(1000))
    assert state_bytes(target.protocol) > before + 100_000
