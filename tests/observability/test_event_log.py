import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from crossfade.errors import SettingsError
from crossfade.observability import event_log
from crossfade.observability.event_log import EventLog
from crossfade.providers.tap import WireDirection, WireTap

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs/event-log.schema.json").read_text())
)
MESSAGES: list[str | bytes] = [
    '{"type":"session.update","session":{"type":"realtime","instructions":"Be kind."}}',
    '{"type":"conversation.item.truncate","item_id":"i","content_index":0,"audio_end_ms":1200}',
    '{"type":"conversation.item.added","event_id":"e","previous_item_id":null,"item":{"id":"i"}}',
    '{"type":"response.function_call_arguments.done","call_id":"c","arguments":"{}"}',
    '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"AAAA"}',
    '{"type":"error","event_id":"e","error":{"code":null,"message":"no"}}',
    b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"AAAA"}}]}}}',
    '{"toolResponse":{"functionResponses":[{"id":"f","response":{"sky":"clear"}}]}}',
    b"\x01OggS",
    "not json",
]
APPEND = '{"type":"input_audio_buffer.append","audio":"AAAAAAAA"}'


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def idle_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written before the log is closed."""

    class Idle:
        def __init__(self, drain: Callable[[], None]) -> None:
            self.close = drain

        def wake(self) -> None: ...

        def breathe(self) -> None: ...

    monkeypatch.setattr(event_log, "DiskThread", Idle)


def test_lines_come_in_the_order_of_events_with_times_since_the_start(tmp_path: Path) -> None:
    clock = Clock()
    log = EventLog(tmp_path / "log", clock=clock)
    tap: WireTap = log
    log.call("call.started")
    clock.now_s += 0.25
    tap.message(WireDirection.SENT, APPEND)
    clock.now_s += 0.25
    tap.message(WireDirection.RECEIVED, '{"type":"session.created","event_id":"e1"}')
    log.frame("UserStartedSpeakingFrame", {})
    log.close()
    assert read(tmp_path / "log") == [
        {"t": 0, "dir": "call", "type": "call.started"},
        {
            "t": 0.25,
            "dir": "out",
            "type": "input_audio_buffer.append",
            "bytes": 55,
            "audio_bytes": 6,
        },
        {
            "t": 0.5,
            "dir": "in",
            "type": "session.created",
            "bytes": 42,
            "event_id": "e1",
            "body": {},
        },
        {"t": 0.5, "dir": "frame", "type": "UserStartedSpeakingFrame"},
        {
            "t": 0.5,
            "dir": "call",
            "type": "log.closed",
            "dropped_audio_lines": 0,
            "dropped_lines": 0,
        },
    ]


DELTA = '{"type":"response.output_audio.delta","response_id":"r","item_id":"%s","delta":"AAAA"}'


def test_audio_messages_that_follow_each_other_stand_in_one_line(tmp_path: Path) -> None:
    clock = Clock()
    log = EventLog(tmp_path / "log", clock=clock)
    for _ in range(14):
        clock.now_s += 0.02
        log.message(WireDirection.SENT, APPEND)
        log.message(WireDirection.RECEIVED, DELTA % "i")
    log.message(WireDirection.RECEIVED, DELTA % "j")
    log.frame("ErrorFrame", {})
    log.message(WireDirection.SENT, APPEND)
    log.close()
    *lines, _ = read(tmp_path / "log")
    for line in lines:
        SCHEMA.validate(line)
    told = [(line["dir"], line.get("item_id"), len(line.get("at_ms", [0]))) for line in lines]
    assert told == [
        ("out", None, 13),
        ("in", "i", 13),
        ("out", None, 1),
        ("in", "i", 1),
        ("in", "j", 1),
        ("frame", None, 1),
        ("out", None, 1),
    ]
    assert lines[0]["t"] == 0.02
    assert lines[0]["at_ms"][:3] == [0, 20, 40]
    assert (lines[0]["audio_bytes"], lines[1]["audio_bytes"]) == (13 * 6, 13 * 3)
    assert sum(line.get("bytes", 0) for line in lines if line["dir"] == "out") == 15 * len(APPEND)


@pytest.mark.parametrize("content", [True, False])
def test_messages_of_every_kind_are_written_as_the_schema_says(
    tmp_path: Path, content: bool
) -> None:
    log = EventLog(tmp_path / "log", clock=Clock(), content=content)
    for message in (*MESSAGES, APPEND):
        log.message(WireDirection.SENT, message)
    log.call("call.error", {"error": "it broke"})
    log.close()
    lines = read(tmp_path / "log")
    assert len(lines) == len(MESSAGES) + 3
    for line in lines:
        SCHEMA.validate(line)


@pytest.mark.parametrize(
    "line",
    [
        {"t": 0, "dir": "in"},
        {"t": -1, "dir": "call", "type": "call.ended"},
        {"t": 0, "dir": "in", "type": "x", "bytes": 3, "audio": "AAAA"},
        {"t": 0, "dir": "in", "type": "x", "bytes": 3, "audio_bytes": 2, "body": {}},
        {"t": 0, "dir": "frame", "type": "ErrorFrame", "bytes": 3},
        {"t": 0, "dir": "call", "type": "something"},
    ],
)
def test_the_schema_refuses_other_lines(line: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate(line)


@pytest.mark.usefixtures("idle_thread")
def test_when_audio_lines_find_no_room_the_oldest_go_and_no_other_line_does(tmp_path: Path) -> None:
    clock = Clock()
    log = EventLog(tmp_path / "log", clock=clock)
    log.message(WireDirection.SENT, '{"type":"session.update"}')
    for _ in range(event_log._AUDIO_LINES + 5):
        clock.now_s += 1
        log.message(WireDirection.SENT, APPEND)
    log.close()
    first, *audio, last = read(tmp_path / "log")
    assert first["type"] == "session.update"
    assert len(audio) == event_log._AUDIO_LINES
    assert audio[0]["t"] == 6
    assert last["dropped_audio_lines"] == 5


@pytest.mark.usefixtures("idle_thread")
def test_the_queue_of_other_lines_has_a_bound_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_OTHER_LINES", 3)
    log = EventLog(tmp_path / "log", clock=Clock())
    for number in range(5):
        log.frame("ErrorFrame", {"error": str(number)})
    log.close()
    *lines, last = read(tmp_path / "log")
    assert [line["error"] for line in lines] == ["0", "1", "2"]
    assert last["dropped_lines"] == 2


def test_lines_reach_the_disk_while_the_call_runs(tmp_path: Path) -> None:
    written = threading.Event()
    log = EventLog(tmp_path / "log", clock=Clock())
    write = log._file.append

    def write_and_tell(piece: bytes) -> None:
        write(piece)
        written.set()

    log._file.append = write_and_tell  # type: ignore[method-assign]
    log.call("call.started")
    assert written.wait(5)
    assert read(tmp_path / "log")[0]["type"] == "call.started"
    log.close()


def test_nothing_is_written_after_the_log_was_closed(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log", clock=Clock())
    log.close()
    log.close()
    log.message(WireDirection.SENT, APPEND)
    log.call("call.error", {"error": "late"})
    assert [line["type"] for line in read(tmp_path / "log")] == ["log.closed"]


def test_values_that_json_cannot_say_are_written_as_text(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log", clock=Clock())
    log.frame(
        "FunctionCallResultFrame", {"result": {"path": Path("/x"), "odd": "\ud800", "n": 2**70}}
    )
    log.close()
    assert read(tmp_path / "log")[0]["result"] == {"path": "/x", "odd": "\ud800", "n": 2**70}


def test_with_content_off_no_spoken_word_is_written(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log", clock=Clock(), content=False)
    log.message(WireDirection.RECEIVED, '{"type":"x.done","transcript":"a planted word"}')
    log.frame("SpokenTextFrame", {"item_id": "i", "text": "a planted word"})
    log.close()
    text = (tmp_path / "log").read_text()
    assert "planted" not in text
    assert '"text":"[14 characters]"' in text


def test_keys_of_the_environment_are_never_written_whatever_their_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADE_UP_API_KEY", "planted key of no form")
    log = EventLog(tmp_path / "log", clock=Clock())
    log.message(WireDirection.RECEIVED, '{"type":"error","note":"a planted key of no form, b"}')
    log.frame("ErrorFrame", {"error": "a planted key of no form"})
    log.close()
    text = (tmp_path / "log").read_text()
    assert "planted" not in text
    assert "a [removed], b" in text
    monkeypatch.undo()
    EventLog(tmp_path / "other", clock=Clock()).close()


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="missing/log"):
        EventLog(tmp_path / "missing" / "log", clock=Clock())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_told_and_disturbs_nothing() -> None:
    log = EventLog(Path("/dev/full"), clock=Clock())
    log.call("call.started")
    log.close()
    assert isinstance(log.failure, OSError)
