import asyncio
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import orjson
import pytest
import soundfile
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from crossfade.conversation.ledger import Conversation
from crossfade.errors import SettingsError
from crossfade.frames.control import (
    Frame,
    ResponseStartFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
)
from crossfade.frames.text import UserTranscriptFrame
from crossfade.observability import disk
from crossfade.observability.call import EVENTS, RECORDING, CallRecord
from crossfade.observability.call_files import CAPTIONS, TRANSCRIPT
from crossfade.observability.call_sound import Placed
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.latency_budget import LatencyBudget
from crossfade.observability.live_events import (
    AnswerHeard,
    AnswerOverdue,
    AnswerSlow,
    LiveEvent,
    RateMismatched,
    UserSaid,
)
from crossfade.observability.summary_file import SUMMARY
from crossfade.providers.tap import WireDirection
from tests.clock import run

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs/event-log.schema.json").read_text())
)
RATE_HZ = 24_000
FRAME = bytes(RATE_HZ // 50 * 2)


def voice() -> bytes:
    times = np.arange(RATE_HZ // 50) / RATE_HZ
    return (9000 * np.sin(2 * np.pi * 300 * times)).astype("<i2").tobytes()


async def push(record: CallRecord, frame: Frame) -> None:
    (observer,) = record.observers
    processor = FrameProcessor()
    await observer.on_push_frame(
        FramePushed(
            source=processor,
            destination=processor,
            frame=frame,
            direction=FrameDirection.DOWNSTREAM,
            timestamp=0,
        )
    )


async def call(record: CallRecord) -> None:
    """The caller speaks for 1 s; the agent is heard 0.6 s later, and speaks for 1 s."""
    said = UserTranscriptFrame(text="a planted word", user_id="", timestamp="", item_id="i")
    for tick in range(150):
        await asyncio.sleep(0.02)
        record.caller_audio(voice() if tick < 50 else FRAME, RATE_HZ)
        if 80 <= tick < 130:
            record.agent_audio(voice(), RATE_HZ)
        if tick == 50:
            await push(record, UserStoppedSpeakingFrame())
            await push(record, ResponseStartFrame(response_id="r"))
            await push(record, said)
        if tick == 60:
            record.tap.message(
                WireDirection.RECEIVED,
                '{"type":"response.output_audio.delta","response_id":"r","delta":"AAAA"}',
            )


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / EVENTS).read_text().splitlines()]


def test_a_call_leaves_its_log_recording_transcript_and_summary(tmp_path: Path) -> None:
    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path / "runs" / "one", details={"model": "emulated"})
        await call(record)
        record.dropped("audio frames", 3)
        record.close({"turns": [{"text": "a planted word"}]})
        record.close({})
        return record

    record = run(main())
    logged = lines(record.directory)
    for line in logged:
        SCHEMA.validate(line)
    assert [line["type"] for line in logged] == [
        "call.started",
        "UserStoppedSpeakingFrame",
        "ResponseStartFrame",
        "UserTranscriptFrame",
        "response.output_audio.delta",
        "call.cost",
        "call.ended",
        "log.closed",
    ]
    assert json.loads((record.directory / TRANSCRIPT).read_text()) == {
        "turns": [{"text": "a planted word"}]
    }
    assert soundfile.info(record.directory / RECORDING).duration == pytest.approx(3)
    summary = record.summary()
    assert summary.duration_s == pytest.approx(3)
    assert summary.voice_to_voice_ms == pytest.approx((600,), abs=10)
    assert summary.ttfb_ms == pytest.approx((200,))
    assert summary.dropped == {"audio frames": 3}
    assert not summary.errors


def test_other_calls_go_on_while_the_disk_takes_the_end_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    replace = os.replace

    def slow(*paths: Path) -> None:
        assert answers.wait(10), "the loop waits for the disk"
        replace(*paths)

    monkeypatch.setattr(os, "replace", slow)
    ended: list[CallSummary] = []

    async def main() -> None:
        record = CallRecord.open(tmp_path)
        record.at_end(ended.append)
        closing = asyncio.create_task(record.aclose({"turns": [{"text": "hello"}]}))
        await asyncio.sleep(0)
        answers.set()
        await closing
        await record.aclose({})
        assert ended == [record.summary()]

    run(main())
    assert json.loads((tmp_path / TRANSCRIPT).read_text())["turns"] == [{"text": "hello"}]


def test_a_record_whose_end_is_cancelled_is_whole_nevertheless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    replace = os.replace

    def slow(*paths: Path) -> None:
        assert answers.wait(10), "the loop waits for the disk"
        replace(*paths)

    monkeypatch.setattr(os, "replace", slow)

    async def main() -> None:
        record = CallRecord.open(tmp_path)
        closing = asyncio.create_task(record.aclose({}))
        for _ in range(3):
            await asyncio.sleep(0)
            closing.cancel()
        answers.set()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert (tmp_path / SUMMARY).exists()

    run(main())
    assert lines(tmp_path)[-1]["type"] == "log.closed"


def test_a_long_transcript_keeps_the_interpreter_from_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(disk, "_STEP_S", 0.0)
    monkeypatch.setattr(disk, "sleep", pauses.append)
    turns = [{"role": "user", "text": "hello", "started_at_s": n, "id": "i"} for n in range(500)]

    async def main() -> None:
        record = CallRecord.open(tmp_path)
        await record.aclose({"turns": turns})

    run(main())
    assert len(pauses) > 2 * len(turns)


def test_a_conversation_is_described_where_the_disk_is_waited_for(tmp_path: Path) -> None:
    conversation = Conversation()
    for n in range(3):
        conversation.user_text(f"line {n}", float(n))
    threads: set[str] = set()

    def described(turns: Iterator[Any]) -> Iterator[Any]:
        for turn in turns:
            threads.add(threading.current_thread().name)
            yield turn

    async def main() -> None:
        snapshot = conversation.snapshot()
        conversation.user_text("after the end", 3.0)
        turns = described(snapshot["turns"])
        await CallRecord.open(tmp_path).aclose({**snapshot, "turns": turns})

    run(main())
    assert len(threads) == 1
    assert threading.current_thread().name not in threads
    text = (tmp_path / TRANSCRIPT).read_text()
    assert [turn["text"] for turn in json.loads(text)["turns"]] == ["line 0", "line 1", "line 2"]
    # Piece by piece, and to the letter as it is in one.
    whole = orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    assert text == whole + "\n"


@pytest.mark.parametrize("turns", [[], iter(())])
def test_a_conversation_of_nothing_is_a_transcript_of_nothing(tmp_path: Path, turns: Any) -> None:
    async def main() -> None:
        await CallRecord.open(tmp_path).aclose({"version": 1, "turns": turns})

    run(main())
    assert (tmp_path / TRANSCRIPT).read_text() == '{\n  "version": 1,\n  "turns": []\n}\n'


def test_calls_that_run_together_do_not_look_at_their_sound_together(tmp_path: Path) -> None:
    async def main() -> list[list[float]]:
        records = [CallRecord.open(tmp_path / str(n)) for n in range(4)]
        looked: list[list[float]] = [[] for _ in records]

        def look(times_s: list[float], _: Placed, now_s: float) -> None:
            times_s.append(now_s)

        for record, times_s in zip(records, looked, strict=True):
            record._sound._hand_on = functools.partial(look, times_s)
        for _ in range(100):
            await asyncio.sleep(0.02)
            for record in records:
                record.caller_audio(FRAME, RATE_HZ)
        for record in records:
            record.close({})
        return looked

    for one, other in itertools.combinations(run(main()), 2):
        # The first chunk of all is handed on as it comes, and the last as the call ends.
        assert len(one) > 9
        assert not set(one[1:-1]) & set(other[1:-1])


def test_a_listener_hears_the_call_live(tmp_path: Path) -> None:
    async def main() -> list[LiveEvent]:
        told: list[LiveEvent] = []
        record = CallRecord.open(tmp_path)
        record.subscribe(told.append)
        await call(record)
        record.close({})
        return told

    told = run(main())
    (said,) = [event for event in told if isinstance(event, UserSaid)]
    assert (said.item_id, said.text, said.final) == ("i", "a planted word", True)
    assert said.at_s == pytest.approx(1.02)
    (heard,) = [event for event in told if isinstance(event, AnswerHeard)]
    assert heard.voice_to_voice_ms == pytest.approx(600, abs=10)


def test_a_listener_that_fails_is_told_of_and_hears_no_more(tmp_path: Path) -> None:
    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path)
        told: list[LiveEvent] = []

        def fail(event: LiveEvent) -> None:
            raise LookupError("no terminal")

        record.subscribe(fail)
        record.subscribe(told.append)
        await call(record)
        record.close({})
        assert len(told) == 3
        return record

    errors = run(main()).summary().errors
    assert len(errors) == 1
    assert "no terminal" in errors[0]


def test_with_content_off_no_file_holds_a_spoken_word(tmp_path: Path) -> None:
    async def main() -> None:
        record = CallRecord.open(tmp_path, content=False)
        await call(record)
        turn = {"role": "user", "text": "a planted word", "started_at_s": 0.2, "stopped_at_s": 1.2}
        record.close({"turns": [{"heard": "a planted word", **turn}]})

    run(main())
    assert "-->" in (tmp_path / CAPTIONS).read_text()
    for name in (EVENTS, TRANSCRIPT, CAPTIONS, SUMMARY):
        assert "planted" not in (tmp_path / name).read_text()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def main() -> None:
        CallRecord.open(tmp_path / "file" / "run")

    with pytest.raises(SettingsError, match="file/run"):
        run(main())


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / RECORDING).mkdir()

    async def main() -> None:
        CallRecord.open(tmp_path)

    with pytest.raises(SettingsError, match=RECORDING):
        run(main())
    assert [line["type"] for line in lines(tmp_path)] == ["log.closed"]


def test_a_transcript_that_cannot_be_written_is_an_error_of_the_call(tmp_path: Path) -> None:
    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path)
        (tmp_path / TRANSCRIPT).mkdir()
        record.close({})
        return record

    assert TRANSCRIPT in run(main()).summary().errors[0]
    assert not list(tmp_path.glob("*.part"))


def test_a_recording_may_be_flac_and_its_subtitles_lie_beside_it(tmp_path: Path) -> None:
    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path, flac=True)
        await call(record)
        turn = {"role": "user", "text": "hello", "started_at_s": 0.2, "stopped_at_s": 1.2}
        record.close({"turns": [turn]})
        return record

    run(main())
    frames, rate_hz = soundfile.read(tmp_path / "recording.flac")
    assert len(frames) > 2 * rate_hz
    assert not (tmp_path / RECORDING).exists()
    (turn,) = json.loads((tmp_path / TRANSCRIPT).read_text())["turns"]
    assert (turn["sound_start_s"], turn["sound_end_s"]) == (0.0, pytest.approx(1.0, abs=0.02))
    assert "--> 00:00:01.0" in (tmp_path / "transcript.vtt").read_text()


@pytest.mark.parametrize("live", [True, False])
def test_a_wrong_rate_is_told_of_live_sources_alone(tmp_path: Path, live: bool) -> None:
    told: list[LiveEvent] = []

    async def main() -> None:
        record = CallRecord.open(tmp_path, live=live)
        record.subscribe(told.append)
        for _ in range(300):
            await asyncio.sleep(0.02)
            record.caller_audio(FRAME, RATE_HZ // 3)
        record.close({})

    run(main())
    found = [event for event in told if isinstance(event, RateMismatched)]
    assert [event.likely_hz for event in found] == ([RATE_HZ] if live else [])
    logged = [line for line in lines(tmp_path) if line["type"] == "call.rate_mismatch"]
    assert len(logged) == len(found)


def test_a_slow_answer_is_told_with_the_hop_to_blame(tmp_path: Path) -> None:
    told: list[LiveEvent] = []

    async def main() -> None:
        record = CallRecord.open(tmp_path, latency=LatencyBudget(total_ms=500))
        record.subscribe(told.append)
        await call(record)
        record.close({})

    run(main())
    (slow,) = [event for event in told if isinstance(event, AnswerSlow)]
    assert slow.voice_to_voice_ms == pytest.approx(600, abs=20)
    assert slow.hop == "playout"
    (line,) = [line for line in lines(tmp_path) if line["type"] == "call.slow_answer"]
    SCHEMA.validate(line)


def test_a_turn_that_is_not_answered_is_told_when_the_budget_passes(tmp_path: Path) -> None:
    told: list[LiveEvent] = []

    async def main() -> None:
        record = CallRecord.open(tmp_path, latency=LatencyBudget(total_ms=1000))
        record.subscribe(told.append)
        await call(record)
        for tick in range(200):
            await asyncio.sleep(0.02)
            record.caller_audio(voice() if tick < 50 else FRAME, RATE_HZ)
            if tick == 60:
                await push(record, UserStoppedSpeakingFrame())
                await push(record, UserTurnCommittedFrame(item_id="i"))
        record.close({})
        assert record.summary().unanswered_turns == 1
        assert len(record.summary().voice_to_voice_ms) == 1

    run(main())
    (overdue,) = [event for event in told if isinstance(event, AnswerOverdue)]
    # The second turn ends 4 s into the call.
    assert overdue.at_s == pytest.approx(5.1, abs=0.15)
    assert overdue.waited_ms == pytest.approx(1100, abs=150)
    assert overdue.hop == "model"
    (line,) = [line for line in lines(tmp_path) if line["type"] == "call.overdue_answer"]
    SCHEMA.validate(line)


KILLED = """
import asyncio, os, pathlib, signal, sys
from crossfade.observability.call import EVENTS, RECORDING, CallRecord

async def main(directory):
    record = CallRecord.open(directory)
    log, sound = directory / EVENTS, directory / RECORDING
    while not log.stat().st_size or sound.stat().st_size < 50_000:
        record.caller_audio(bytes(960), 24_000)
        await asyncio.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.realtime
def test_a_killed_process_leaves_a_playable_recording_and_whole_lines(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=50, check=False)
    assert child.returncode == -signal.SIGKILL
    frames, rate_hz = soundfile.read(tmp_path / RECORDING, always_2d=True)
    assert frames.shape[0] > 0.4 * rate_hz
    assert lines(tmp_path)[0]["type"] == "call.started"
