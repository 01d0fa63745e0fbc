"""What a command shows of its call when it is over."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crossfade.conversation.usage import Usage
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.live_events import Listener
from crossfade.pipelines.recorded_call import Outcome
from crossfade.pipelines.show_call import show_call

SUMMARY = CallSummary(
    duration_s=3.0,
    user_turns=0,
    responses=0,
    interruptions=0,
    tools=(),
    voice_to_voice_ms=(),
    barge_in_ms=(),
    ttfb_ms=(),
    ttlb_ms=(),
    usage=Usage(),
    errors=(),
    dropped={},
)


@pytest.mark.parametrize("removed", [False, True])
def test_the_files_of_the_call_are_named_or_that_they_are_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], removed: bool
) -> None:
    folder = tmp_path / "call"
    folder.mkdir()
    (folder / "summary.json").touch()

    async def run(*, announce: Callable[[str], None], listener: Listener) -> Outcome:
        announce("It rings.")
        if removed:
            shutil.rmtree(folder)
        return Outcome(folder=folder, summary=SUMMARY)

    show_call(run)
    told = capsys.readouterr().out
    assert "Duration" in told
    assert ("summary.json" in told) is not removed
    assert ("the call's files are lost (No such file or directory)" in told) is removed
