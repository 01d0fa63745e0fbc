"""The report of a call in which much goes wrong: what it finds, and what a browser makes of it."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import soundfile
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.observability.problems import ProblemKind, Severity, problems
from crossfade.observability.report import render_report, write_report
from crossfade.observability.run import Run, read_run
from crossfade.observability.turn_cuts import cut_turns
from tests.clock import run
from tests.pipelines.browsers import SMALL
from tests.pipelines.planted_call import TOOL_S, planted_call

CHROMIUM = os.environ.get("CROSSFADE_CHROMIUM")
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs/event-log.schema.json").read_text())
)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One call for all the tests that only look at it."""
    folder = tmp_path_factory.mktemp("planted")
    run(planted_call(folder))
    return read_run(folder)


@pytest.fixture(scope="module")
def page(planted: Run) -> str:
    return render_report(planted)


def found(planted: Run, kind: ProblemKind) -> list[str]:
    return [problem.text for problem in problems(planted) if problem.kind is kind]


def test_each_planted_fault_is_named(planted: Run) -> None:
    (mismatch,) = found(planted, ProblemKind.RATE_MISMATCH)
    assert "declared as 16000 Hz" in mismatch
    assert "24000 Hz" in mismatch
    (tool,) = found(planted, ProblemKind.SLOW_TOOL)
    assert f"get_weather took {TOOL_S:.1f} s" in tool
    assert any("Rotation" in text for text in found(planted, ProblemKind.SESSION_CHANGE))
    assert any("Reconnect" in text for text in found(planted, ProblemKind.SESSION_CHANGE))
    assert found(planted, ProblemKind.CUT_ANSWER) == ["The line died in the middle of an answer."]
    (interrupted,) = found(planted, ProblemKind.INTERRUPTED)
    assert "The caller cut the answer" in interrupted
    (silence,) = found(planted, ProblemKind.SILENCE)
    assert "model took 19" in silence


def test_nothing_else_is_found(planted: Run) -> None:
    kinds = {problem.kind for problem in problems(planted)}
    assert kinds == {
        ProblemKind.RATE_MISMATCH,
        ProblemKind.SLOW_TOOL,
        ProblemKind.SESSION_CHANGE,
        ProblemKind.CUT_ANSWER,
        ProblemKind.INTERRUPTED,
        ProblemKind.SILENCE,
    }


def test_what_was_told_live_is_in_the_log_and_as_its_schema_says(planted: Run) -> None:
    (slow,) = planted.log.of("call.slow_answer")
    assert slow.fields["hop"] == "model"
    (mismatch,) = planted.log.of("call.rate_mismatch")
    assert mismatch.fields["likely_hz"] == 24_000
    for line in (slow, mismatch):
        SCHEMA.validate({"t": line.at_s, "dir": "call", "type": line.type, **line.fields})


def test_the_figures_of_the_log_are_those_of_the_running_call(planted: Run) -> None:
    told, kept = planted.measured, planted.summary
    assert kept is not None
    assert (told.user_turns, told.responses, told.interruptions) == (
        kept["user_turns"],
        kept["responses"],
        kept["interruptions"],
    )
    assert told.voice_to_voice_ms == pytest.approx(kept["voice_to_voice_ms"], abs=20)
    assert told.barge_in_ms == pytest.approx(kept["barge_in_ms"], abs=20)
    assert told.ttfb_ms == pytest.approx(kept["ttfb_ms"], abs=0.1)
    assert told.ttlb_ms == pytest.approx(kept["ttlb_ms"], abs=0.1)
    assert [tool.name for tool in told.tools] == [tool["name"] for tool in kept["tools"]]
    assert [change.why for change in told.session_changes] == [
        change["why"] for change in kept["session_changes"]
    ]
    assert told.usage.output_tokens > 0
    assert {name: getattr(told.usage, name) for name in kept["usage"]} == kept["usage"]


def test_the_page_tells_the_faults_and_reaches_for_nothing(page: str, planted: Run) -> None:
    text = unescape(page)
    for problem in problems(planted):
        assert problem.text in text
    shown = re.sub(r"<script[^>]*>.*?</script>", "", page, flags=re.S)
    assert not re.findall(r"(?:src|href)=\"(?!#|data:,)", shown)
    assert not re.findall(r"https?://|//[a-z]", shown)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)', page)
    assert policy is not None
    assert "default-src 'none'" in unescape(policy[1])
    assert "unsafe" not in policy[1]


def test_the_transcript_strikes_through_what_was_not_heard(page: str) -> None:
    struck = re.findall(r"<del>(.+?)</del>", page)
    assert "Struck through" in struck
    assert any("looked it up" in text for text in struck)


def test_the_embedded_sound_is_the_recording(page: str, planted: Run) -> None:
    coded = re.search(r'id="audio-data">([^<]+)<', page)
    assert coded is not None
    assert planted.recording is not None
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(coded[1])), dtype="int16")
    kept, kept_hz = soundfile.read(planted.recording, dtype="int16")
    assert rate_hz == kept_hz
    assert (samples == kept).all()
    assert len(coded[1]) < planted.recording.stat().st_size / 2


def test_turns_are_cut_to_files_that_hold_the_speaker_alone(planted: Run) -> None:
    files = cut_turns(planted)
    assert [file.name for file in files][:2] == ["001-caller.wav", "002-agent.wav"]
    samples, _ = soundfile.read(files[0], dtype="int16")
    assert samples.ndim == 1
    assert abs(samples).max() > 3000


def test_the_subtitles_have_the_times_of_the_sound(planted: Run) -> None:
    text = (planted.folder / "transcript.vtt").read_text()
    assert text.startswith("WEBVTT\n\n1\n00:00:00.5")
    assert planted.transcript is not None
    (first, *_) = planted.transcript["turns"]
    assert first["sound_start_s"] == pytest.approx(0.53, abs=0.03)


def test_the_command_writes_the_page_and_tells_the_problems(planted: Run) -> None:
    told = CliRunner().invoke(app, ["report", str(planted.folder), "--no-audio", "--cuts"])
    assert told.exit_code == 0, told.output
    assert "get_weather took 4.0 s" in told.output
    content = (planted.folder / "report.html").read_text()
    assert 'id="audio-data"' not in content


@pytest.mark.parametrize("found_one", [True, False])
def test_the_command_opens_the_page_or_says_where_it_is(
    planted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, found_one: bool
) -> None:
    folder = tmp_path / "a call"
    shutil.copytree(planted.folder, folder)
    shown: list[str] = []

    def browse(url: str) -> bool:
        shown.append(url)
        return found_one

    monkeypatch.setattr("webbrowser.open", browse)
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["report", "a call", "--no-audio", "--open"])
    assert told.exit_code == 0, told.output
    page = folder / "report.html"
    assert shown == [page.as_uri()]
    assert (f"no browser was found; open {page}" in told.output) is not found_one


def test_the_command_finds_the_latest_call_and_says_what_is_missing(
    tmp_path: Path, planted: Run
) -> None:
    nothing = CliRunner().invoke(app, ["report", "--runs", str(tmp_path)])
    assert nothing.exit_code == 2
    assert "holds no calls" in nothing.output
    (tmp_path / "call").mkdir()
    empty = CliRunner().invoke(app, ["report", "--runs", str(tmp_path)])
    assert empty.exit_code == 2
    assert "holds no events.jsonl" in empty.output.replace("\n", " ")
    shutil.copy(planted.folder / "events.jsonl", tmp_path / "call")
    bare = CliRunner().invoke(app, ["report", "--runs", str(tmp_path)])
    assert bare.exit_code == 0, bare.output
    assert "There is no recording" in (tmp_path / "call" / "report.html").read_text()


@pytest.mark.parametrize("options", [[], ["--no-audio", "--cuts"]])
def test_a_full_disk_is_told_in_words_and_leaves_what_was_there(
    planted: Run, tmp_path: Path, options: list[str]
) -> None:
    folder = tmp_path / "call"
    shutil.copytree(planted.folder, folder, ignore=shutil.ignore_patterns("turns"))
    (folder / "report.html").write_text("an earlier page")
    arguments = [sys.executable, "-m", "crossfade", "report", str(folder), *options]
    room_kib = 60 if options else 20
    told = subprocess.run(
        ["bash", "-c", f'ulimit -f {room_kib}; exec "$@"', "bash", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2, told.stderr
    assert "Traceback" not in told.stderr
    assert "make room" in told.stderr
    if not options:
        assert (folder / "report.html").read_text() == "an earlier page"
    left = [path for path in folder.rglob("*") if path.suffix == ".part"]
    assert left == []


def test_a_folder_that_nobody_may_write_is_told_in_words(planted: Run, tmp_path: Path) -> None:
    folder = tmp_path / "call"
    shutil.copytree(planted.folder, folder)
    (folder / "report.part").mkdir()
    result = CliRunner().invoke(app, ["report", str(folder)])
    assert result.exit_code == 2
    assert "cannot be written" in result.output


def test_worst_comes_with_a_severity(planted: Run) -> None:
    severities = {problem.kind: problem.severity for problem in problems(planted)}
    assert severities[ProblemKind.RATE_MISMATCH] is Severity.ERROR
    assert severities[ProblemKind.SLOW_TOOL] is Severity.WARNING
    assert severities[ProblemKind.INTERRUPTED] is Severity.NOTE


@pytest.fixture(scope="module")
def browser(planted: Run) -> Iterator[Any]:
    # The call first: while playwright runs, no other loop can.
    if CHROMIUM is None:
        pytest.skip("CROSSFADE_CHROMIUM does not say where it is")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.realtime
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390), ("dark", 320)])
def test_a_browser_clicks_through_it(browser: Any, planted: Run, scheme: str, width: int) -> None:
    from playwright.sync_api import expect

    path = write_report(planted)
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        offline=True,
        has_touch=width < 500,
        is_mobile=width < 500,
    )
    opened = context.new_page()
    told: list[str] = []
    opened.on("console", lambda message: told.append(message.text))
    opened.on("pageerror", lambda error: told.append(str(error)))
    opened.on("request", lambda request: told.append(request.url))
    opened.goto(path.as_uri())
    position = opened.locator("#position")

    mismatch = opened.locator(".problem", has_text="rate mismatch")
    mismatch.click()
    assert float(position.input_value()) == pytest.approx(
        float(mismatch.get_attribute("data-at")), abs=0.1
    )

    # By the keyboard alone.
    first = opened.locator(".transcript .seek").first
    first.focus()
    opened.keyboard.press("Enter")
    assert opened.locator(".transcript li.playing").count() == 1

    for name in ("Closer", "Closer", "Further", "Whole call"):
        opened.get_by_role("button", name=name).click()
    canvas = opened.locator("call-timeline canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] - 40, "y": 40})
    assert float(position.input_value()) > planted.duration_s / 2

    before = position.input_value()
    opened.get_by_role("button", name="Play").click()
    expect(opened.locator("#play")).to_have_attribute("aria-label", "Pause")
    expect(position).not_to_have_value(before)
    opened.get_by_role("button", name="Pause").click()

    # Nothing sticks out, and nothing but the page itself and its sound was asked for.
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    if width < 500:
        # All of it is there for a finger; no list scrolls within the page and hides the worst.
        assert opened.evaluate(SMALL) == []
        inner = "document.querySelectorAll('.problems, .scrolling')"
        hidden = f"[...{inner}].filter(e => e.scrollHeight > e.clientHeight + 1).length"
        assert opened.evaluate(hidden) == 0
        wider = f"[...{inner}].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert opened.evaluate(wider) == 0
    others = [each for each in told if not each.startswith(("file:", "blob:", "data:"))]
    assert others == []
    context.close()
