"""Turns that Silero finds in recordings of human speech."""

import pytest

from crossfade.benchmarks.prompts import SOUNDS, TEXTS, count_turns, first_prompts
from tests.clock import run


@pytest.mark.skipif(
    not (SOUNDS.is_dir() and TEXTS.is_file()), reason="asterisk-core-sounds-en-wav not installed"
)
def test_a_hundred_prompts_in_ten_sessions_at_once_are_a_hundred_turns() -> None:
    prompts = first_prompts(100)
    count = run(count_turns(prompts, sessions=10, silence_duration_ms=900))
    assert (count.prompts, count.turns) == (100, 100)
    assert (count.lost, count.split, count.joined) == ([], [], 0)
