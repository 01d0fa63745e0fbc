"""Reading a call's folder back, whole and as a killed process left it."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.audio.sound_file import WavWriter
from crossfade.errors import SettingsError
from crossfade.observability.problems import Problem, ProblemKind, problems
from crossfade.observability.report import render_report
from crossfade.observability.run import Run, read_run
from crossfade.observability.run_frames import FRAMES
from crossfade.observability.run_log import read_log
from crossfade.observability.summary import summary_rows

RATE_HZ = 16_000
Line = dict[str, object]

STARTED: Line = {"t": 0.0, "dir": "call", "type": "call.started", "details": {"model": "m"}}
ENDED: Line = {"t": 9.0, "dir": "call", "type": "call.ended", "duration_s": 9.0, "dropped": {}}


def frame(at_s: float, kind: str, **fields: object) -> Line:
    return {"t": at_s, "dir": "frame", "type": kind, **fields}


def voice(seconds: float, level: float = 0.3) -> bytes:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (level * 32767 * np.sin(2 * np.pi * 300 * times)).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    return bytes(round(seconds * RATE_HZ) * 2)


def folder_of(
    folder: Path,
    *lines: Line,
    caller: bytes = b"",
    agent: bytes = b"",
    transcript: Line | None = None,
) -> Run:
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "events.jsonl").write_text(text)
    length = max(len(caller), len(agent)) // 2
    if length:
        stereo = np.zeros((length, 2), "<i2")
        stereo[: len(caller) // 2, 0] = np.frombuffer(caller, "<i2")
        stereo[: len(agent) // 2, 1] = np.frombuffer(agent, "<i2")
        with WavWriter(folder / "recording.wav", RATE_HZ, channels=2) as file:
            file.write(stereo.tobytes())
    if transcript is not None:
        (folder / "transcript.json").write_text(json.dumps(transcript))
    return read_run(folder)


def found(run: Run) -> dict[ProblemKind, Problem]:
    return {problem.kind: problem for problem in problems(run)}


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    whole = json.dumps(STARTED) + "\n" + json.dumps(frame(1.0, "StartFrame")) + "\n"
    path.write_text(whole + '{"t":1.5,"dir":"fra')
    log = read_log(path)
    assert [line.type for line in log.lines] == ["call.started", "StartFrame"]
    assert log.unreadable == 1
    assert not log.ended
    run = read_run(tmp_path)
    assert "its last line is cut" in found(run)[ProblemKind.UNFINISHED].text
    assert run.duration_s == 1.0


def test_lines_of_another_kind_do_no_harm(tmp_path: Path) -> None:
    strange = ["[]", "1", '"x"', "{}", '{"t":"1","dir":"in","type":"x"}', '{"t":true,"dir":"a"}']
    strange.append('{"t":1e308,"dir":"frame","type":"StartFrame"}')
    (tmp_path / "events.jsonl").write_text("\n".join([*strange, json.dumps(STARTED), "", ""]))
    log = read_log(tmp_path / "events.jsonl")
    assert [line.type for line in log.lines] == ["call.started"]
    assert log.unreadable == len(strange)


def test_frames_whose_fields_are_missing_count_nothing(tmp_path: Path) -> None:
    kinds = ("SpeechPlayedFrame", "ResponseEndFrame", "ToolCallsFrame", "FunctionCallResultFrame")
    lines = [frame(1.0, kind) for kind in (*kinds, "SessionContinuedFrame", "AudioLostFrame")]
    run = folder_of(tmp_path, STARTED, *lines, ENDED)
    assert not run.tally.responses
    assert not run.tally.tools
    assert render_report(run)


def test_a_folder_without_a_log_is_no_call(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no events\.jsonl"):
        read_run(tmp_path)


def test_a_page_is_made_of_whatever_is_there(tmp_path: Path) -> None:
    run = folder_of(tmp_path, STARTED)
    (tmp_path / "transcript.json").write_text("[1]")
    (tmp_path / "recording.wav").write_bytes(b"RIFF")
    (tmp_path / "summary.json").write_text("{")
    run = read_run(tmp_path)
    assert (run.transcript, run.sound, run.summary) == (None, None, None)
    assert "There is no recording" in render_report(run)


def test_nothing_in_a_call_breaks_out_of_the_page(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><b>&"
    transcript: Line = {
        "turns": [
            {"role": "user", "text": evil, "started_at_s": 1.0, "final": True},
            {"role": "agent", "text": evil + "more", "heard": evil, "items": []},
            {"role": "tool", "name": evil, "arguments": {evil: evil}, "result": evil},
        ]
    }
    started = {**STARTED, "details": {evil: evil}}
    error: Line = {"t": 1.0, "dir": "call", "type": "call.error", "error": evil}
    page = render_report(folder_of(tmp_path, started, error, ENDED, transcript=transcript))
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert page.count("</script>") == 2


def test_a_silent_caller_and_one_that_nobody_answers_are_told(tmp_path: Path) -> None:
    run = folder_of(tmp_path, STARTED, ENDED, caller=silence(1) + voice(1) + silence(3))
    assert "not answered in 3.0 s" in found(run)[ProblemKind.NO_ANSWER].text
    run = folder_of(tmp_path, STARTED, ENDED, agent=silence(1) + voice(1), caller=silence(3))
    assert "Nothing was heard of the caller" in found(run)[ProblemKind.QUIET].text


@pytest.mark.parametrize(
    ("level", "kind"), [(0.008, ProblemKind.QUIET), (4.0, ProblemKind.CLIPPED)]
)
def test_too_quiet_and_clipped_input_are_told(
    tmp_path: Path, level: float, kind: ProblemKind
) -> None:
    times = np.arange(RATE_HZ) / RATE_HZ
    wave = np.clip(level * np.sin(2 * np.pi * 150 * times), -1, 1)
    caller = (wave * 32767).astype("<i2").tobytes()
    run = folder_of(tmp_path, STARTED, ENDED, caller=caller, agent=silence(1.5) + voice(1))
    levels = {ProblemKind.QUIET, ProblemKind.CLIPPED}
    assert found(run).keys() & levels == {kind}


def test_good_input_is_neither(tmp_path: Path) -> None:
    run = folder_of(tmp_path, STARTED, ENDED, caller=voice(1), agent=silence(1.5) + voice(1))
    assert found(run) == {}


def test_silence_between_two_parts_of_an_answer_is_told(tmp_path: Path) -> None:
    agent = silence(1.5) + voice(1) + silence(2.5) + voice(1)
    run = folder_of(tmp_path, STARTED, ENDED, caller=voice(1), agent=agent)
    problem = found(run)[ProblemKind.SILENCE]
    assert problem.text == "2.5 s of silence in the agent's speech."
    assert problem.at_s == pytest.approx(2.5, abs=0.02)


ASKED = [
    frame(1.1, "UserStartedSpeakingFrame"),
    frame(2.5, "UserStoppedSpeakingFrame"),
    frame(2.6, "UserTurnCommittedFrame", item_id="i"),
]


def test_silence_after_a_turn_until_the_caller_speaks_again_is_told(tmp_path: Path) -> None:
    caller = silence(1) + voice(1) + silence(4) + voice(1)
    agent = silence(8) + voice(1)
    run = folder_of(tmp_path, STARTED, *ASKED, ENDED, caller=caller, agent=agent)
    problem = found(run)[ProblemKind.SILENCE]
    assert problem.text == "4.0 s of silence after the caller's turn, until the caller spoke."
    assert problem.at_s == pytest.approx(2.0, abs=0.02)
    assert run.measured.unanswered_turns == 1
    assert len(run.measured.voice_to_voice_ms) == 1
    assert ("Unanswered turns", "1") in summary_rows(run.measured)


def test_a_pause_of_the_caller_or_sound_that_is_no_turn_is_no_silence(tmp_path: Path) -> None:
    caller = silence(1) + voice(1) + silence(4) + voice(1)
    agent = silence(7.8) + voice(1)
    run = folder_of(tmp_path, STARTED, *ASKED[:1], ENDED, caller=caller, agent=agent)
    assert not found(run)
    run = folder_of(tmp_path, STARTED, *ASKED[:2], ENDED, caller=caller, agent=agent)
    assert not found(run)
    assert run.measured.unanswered_turns == 0


def test_a_late_transcript_is_told(tmp_path: Path) -> None:
    run = folder_of(
        tmp_path,
        STARTED,
        frame(1.0, "UserTurnCommittedFrame", item_id="a"),
        frame(2.0, "UserTurnCommittedFrame", item_id="b"),
        frame(2.2, "UserTranscriptFrame", item_id="b", text="x", final=True),
        frame(4.1, "UserTranscriptFrame", item_id="a", text="y", final=True),
        ENDED,
    )
    assert "3.1 s after the end of the turn" in found(run)[ProblemKind.LATE_TRANSCRIPT].text


def test_tools_that_failed_or_were_never_answered_are_told(tmp_path: Path) -> None:
    calls: list[dict[str, object]] = [
        {"call_id": name, "name": name, "arguments": {}} for name in ("lost", "broken")
    ]
    run = folder_of(
        tmp_path,
        STARTED,
        frame(1.0, "ToolCallsFrame", response_id="r", calls=calls),
        frame(
            1.5,
            "FunctionCallResultFrame",
            call_id="broken",
            name="broken",
            result="no",
            is_error=True,
        ),
        ENDED,
    )
    texts = [problem.text for problem in problems(run)]
    assert texts == ["lost was never answered.", "broken failed after 0.5 s."]


def test_swaps_and_nodes_that_fail_are_told(tmp_path: Path) -> None:
    run = folder_of(
        tmp_path,
        STARTED,
        frame(1.0, "NodeFailedFrame", node="native", reason="It is down.", served=True),
        frame(1.2, "NodeSwitchedFrame", left="native", node="cascade", reason="x", gap_ms=200),
        ENDED,
    )
    assert [problem.text for problem in problems(run)] == [
        "The speech node native cannot serve: It is down.",
        "Swap: the speech node cascade took over; 200 ms without a session.",
    ]
    assert "node native failed" in render_report(run)


def test_a_change_of_session_that_is_not_known_is_told_as_it_stands(tmp_path: Path) -> None:
    why = "{x} {0!r}"
    lines = [frame(1.0, "SessionContinuedFrame", why=why, provider="p:m", gap_ms=0)]
    (problem,) = problems(folder_of(tmp_path, STARTED, *lines, ENDED))
    assert problem.text.startswith("{x} {0!r}: p:m serves")


def test_a_budget_that_was_crossed_is_told_with_what_came_of_it(tmp_path: Path) -> None:
    crossed: Line = {"t": 2.0, "dir": "call", "type": "call.budget", "usd": 0.01}
    run = folder_of(tmp_path, STARTED, {**crossed, "then": "end", "spent_usd": 0.0123}, ENDED)
    text = found(run)[ProblemKind.BUDGET].text
    assert text.startswith("The call had cost $0.0123, more than its budget of $0.0100: it was")


USED: Line = {
    "t": 1.0,
    "dir": "call",
    "type": "call.usage",
    "service": "speech",
    "provider": "openai",
    "model": "gpt-realtime-2.1",
    "usage": {"output_audio_tokens": 10_000},
}


def test_a_call_that_was_killed_has_the_cost_that_its_log_tells(tmp_path: Path) -> None:
    started = {**STARTED, "started_at": "2026-11-20T10:00:00+00:00"}
    page = render_report(folder_of(tmp_path, started, USED))
    assert "at least $0.6400" in page
    assert "as far as the log goes" in page
    unpriced = {**USED, "model": "of-tomorrow"}
    assert "at least $0.6400" in render_report(folder_of(tmp_path, started, USED, unpriced, ENDED))
    page = render_report(folder_of(tmp_path, started, unpriced, ENDED))
    assert "unpriced" in page
    assert "$0" not in page
    assert "unknown" in render_report(folder_of(tmp_path, started, ENDED))


def test_nothing_in_a_call_turns_the_page_s_own_words_round(tmp_path: Path) -> None:
    error: Line = {"t": 1.0, "dir": "call", "type": "call.error", "error": "a\u202e\x1b[31mb"}
    half: Line = {"turns": [{"role": "user", "text": "half \ud83d", "started_at_s": 1.0}]}
    page = render_report(folder_of(tmp_path, STARTED, error, ENDED, transcript=half))
    assert "Error: a  [31mb" in page
    assert page.encode()


@pytest.mark.parametrize("kept", [True, 3, {"a": 1}, "abc", None, ["a", None]])
def test_a_summary_that_holds_no_figures_does_no_harm(tmp_path: Path, kept: object) -> None:
    folder_of(tmp_path, STARTED, ENDED)
    summary = {"voice_to_voice_ms": kept, "barge_in_ms": kept}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert render_report(read_run(tmp_path))


@pytest.mark.parametrize("time", ["Infinity", "NaN", "1e400", "1e308"])
def test_times_that_are_none_make_no_transcript(tmp_path: Path, time: str) -> None:
    folder_of(tmp_path, STARTED, ENDED)
    turn = f'{{"role": "user", "text": "a", "started_at_s": 1.0, "sound_start_s": {time}}}'
    (tmp_path / "transcript.json").write_text(f'{{"turns": [{turn}]}}')
    (tmp_path / "summary.json").write_text(f'{{"cost": {{"usd": {time}}}}}')
    run = read_run(tmp_path)
    assert run.transcript is None
    assert render_report(run)


def test_what_was_dropped_and_lost_is_told(tmp_path: Path) -> None:
    run = folder_of(
        tmp_path,
        STARTED,
        frame(2.0, "AudioLostFrame", lost_ms=1500),
        {**ENDED, "dropped": {"log lines": 3}},
    )
    assert found(run)[ProblemKind.AUDIO_LOST].text.startswith("1.5 s of what the caller said")
    assert found(run)[ProblemKind.DROPPED].text == "Dropped log lines: 3."


SCHEMA = json.loads((Path(__file__).parents[2] / "docs/event-log.schema.json").read_text())["$defs"]
FRAME, CALL = SCHEMA["frame"]["properties"], SCHEMA["call"]["properties"]
FIELDS = st.sampled_from(sorted(FRAME.keys() | CALL.keys()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=5,
)
KINDS = st.sampled_from(
    [*FRAMES, "SessionContinuedFrame", "SessionLostFrame", "NodeFailedFrame", *CALL["type"]["enum"]]
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(KINDS, st.dictionaries(FIELDS, JSON, max_size=6)), max_size=6),
    st.dictionaries(st.sampled_from(["turns", "cost"]), JSON | st.lists(JSON)),
)
def test_whatever_stands_in_the_files_a_page_is_made(
    tmp_path: Path, lines: list[tuple[str, Line]], other: Line
) -> None:
    written = [{**fields, **frame(float(at), kind)} for at, (kind, fields) in enumerate(lines)]
    (tmp_path / "summary.json").write_text(json.dumps(other))
    run = folder_of(tmp_path, STARTED, *written, transcript=other)
    assert render_report(run)
    problems(run)
