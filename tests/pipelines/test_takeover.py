"""kill -9 of a serving process: another one goes on with its calls. In real time."""

from pathlib import Path

import pytest

from crossfade.benchmarks.takeover import GOAL_LOST_MS, content, measure, table
from crossfade.benchmarks.takeover_call import Moment
from tests.conversation.stores import KINDS, empty_database


@pytest.mark.realtime
@pytest.mark.parametrize("kind", KINDS)
def test_calls_go_on_when_their_server_is_killed(kind: str, tmp_path: Path) -> None:
    with empty_database(kind, tmp_path) as url:
        answer, question = measure({kind: url}, rounds=1, calls=1)
    assert (answer.moment, question.moment) == (Moment.ANSWER, Moment.QUESTION)
    for result in (answer, question):
        assert len(result.kills) == 1
        # The machine may be busy; the benchmark measures it.
        assert 0 < result.worst_ms < 10_000
    # Words are found in the sound by their share of the characters.
    assert max(kill.missing_ms for kill in answer.kills) < 500
    assert question.lost_ms <= GOAL_LOST_MS
    assert question.doubled_ms <= GOAL_LOST_MS
    assert len(content([answer, question])["results"]) == 2
    assert table([answer, question]).row_count == 2
