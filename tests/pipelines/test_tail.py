"""The log of a call, read while it grows."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossfade.cli import app
from crossfade.errors import SettingsError
from crossfade.observability import call
from crossfade.pipelines.tail_follow import EVENTS, LogReader, find_log, follow
from crossfade.pipelines.tail_lines import Filter, readable


def line(kind: str, direction: str = "frame", t: float = 1.0, **fields: Any) -> str:
    return json.dumps({"t": t, "dir": direction, "type": kind, **fields}) + "\n"


CLOSED = line("log.closed", "call")


def log_in(folder: Path, *lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EVENTS).write_text("".join(lines))
    return folder / EVENTS


def tailed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["tail", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_log_is_the_one_that_calls_write() -> None:
    assert vars(call)["EVENTS"] == EVENTS


def test_lines_are_given_when_they_are_whole(tmp_path: Path) -> None:
    path = log_in(tmp_path, line("A"), line("B")[:10])
    reader = LogReader(path)
    seen = [(each["type"], reader.cut) for each in reader.more()]
    with path.open("a") as file:
        file.write(line("B")[10:] + line("C"))
    seen += [(each["type"], reader.cut) for each in reader.more()]
    assert seen == [("A", True), ("B", False), ("C", False)]
    reader.close()


def test_it_is_followed_until_it_is_closed(tmp_path: Path) -> None:
    path = log_in(tmp_path, line("A"))
    grows = iter([line("B")[:7], line("B")[7:], "", CLOSED])

    def wait(_: float) -> None:
        with path.open("a") as file:
            file.write(next(grows))

    reader = LogReader(path)
    assert [each["type"] for each in follow(reader, wait)] == ["A", "B", "log.closed"]
    reader.close()


def test_a_log_that_does_not_go_on_is_told_once(tmp_path: Path) -> None:
    path = log_in(tmp_path, line("A"))
    waits = 0
    told: list[int] = []

    def wait(_: float) -> None:
        nonlocal waits
        waits += 1
        if waits in (10, 60):
            with path.open("a") as file:
                file.write(line("B") if waits == 10 else CLOSED)

    reader = LogReader(path)
    seen = follow(reader, wait, every_s=0.5, quiet=lambda: told.append(waits))
    assert [each["type"] for each in seen] == ["A", "B", "log.closed"]
    assert told == [30]
    reader.close()


def test_the_newest_call_of_a_folder_is_found(tmp_path: Path) -> None:
    older, newer = log_in(tmp_path / "1", CLOSED), log_in(tmp_path / "2", CLOSED)
    assert find_log(tmp_path) == newer
    assert find_log(tmp_path / "1") == find_log(older) == older
    with pytest.raises(SettingsError, match="holds no events"):
        find_log(tmp_path / "nowhere")


def test_lines_are_chosen_by_type_and_direction(tmp_path: Path) -> None:
    log_in(
        tmp_path,
        line("response.done", "in"),
        line("session.update", "out"),
        line("EndFrame"),
        CLOSED,
    )
    said = tailed(str(tmp_path), "--type", "response.*", "--type", "*Frame")
    assert "response.done" in said
    assert "EndFrame" in said
    assert "session.update" not in said
    said = tailed(str(tmp_path), "--dir", "out", "--dir", "call")
    assert "session.update" in said
    assert "EndFrame" not in said
    assert "EndFrame" not in tailed(str(tmp_path), "-n", "1")


def test_a_log_that_a_crash_cut_off_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    log_in(tmp_path, line("A"), "nonsense\n", line("B")[:9])
    said = tailed(str(tmp_path), "--no-follow")
    assert "A" in said
    assert "The last line is cut off." in said
    assert "1 lines could not be read." in said


def test_an_unknown_direction_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["tail", str(tmp_path), "--dir", "up"])
    assert result.exit_code == 2


def test_a_line_tells_size_ids_and_the_rest_in_short() -> None:
    told = readable(
        {
            "t": 1.5,
            "dir": "in",
            "type": "response.done",
            "bytes": 900,
            "response_id": "resp_1234567890abcdef",
            "body": {"text": "x" * 500},
        }
    ).plain
    assert "1.500" in told
    assert "900 B" in told
    assert "…90abcdef"[-8:] in told
    assert told.endswith("…")
    sound = {"t": 0, "dir": "out", "type": "a", "audio_bytes": 40, "bytes": 60, "at_ms": [0, 20]}
    assert "40 B of sound in 2" in readable(sound).plain
    assert len(readable({"t": 1, "dir": "in", "type": "x", "body": "y" * 500}).plain) < 300


def test_what_a_terminal_obeys_is_not_shown() -> None:
    told = readable({"t": 1, "dir": "in", "type": "a\n\x1b[2J", "body": {"text": "\x9b2J"}}).plain
    assert told.isprintable()


@pytest.mark.parametrize(
    "odd",
    ["[1]", '{"t": 1}', '{"t": 1, "dir": 5, "type": "x"}', '{"t": 1, "dir": "in", "type": ["x"]}'],
)
def test_lines_that_are_none_of_a_log_are_counted(tmp_path: Path, odd: str) -> None:
    log_in(
        tmp_path, odd + "\n", '{"t": 1, "dir": "in", "type": "x", "audio_bytes": 1, "at_ms": 5}\n'
    )
    assert "1 lines could not be read." in tailed(str(tmp_path), "--no-follow")


def test_all_is_told_where_that_is_wanted() -> None:
    told = readable({"t": 1, "dir": "frame", "type": "x", "text": "y" * 500}, full=True).plain
    assert "y" * 500 in told


def test_nothing_chosen_wants_all() -> None:
    assert Filter().wants({"t": 0, "dir": "in", "type": "x"})
