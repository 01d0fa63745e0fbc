import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crossfade.errors import SettingsError
from crossfade.observability import capture
from crossfade.observability.call import EVENTS, CallRecord
from crossfade.observability.capture import CAPTURE, Capture, CapturingTap
from crossfade.observability.capture_file import CapturedCall, read_capture
from crossfade.observability.tool_secrets import SecretArguments
from crossfade.providers.tap import KeylessTap, WireDirection
from tests.clock import run

SENT, RECEIVED = WireDirection.SENT, WireDirection.RECEIVED
SECRETS = ("sk-proj-1234567890abcdef", "ek_1234567890abcdef", "AIzaSyA1234567890abcdefghi")
PCM = bytes(range(256)) * 4


class Deaf:
    def message(self, direction: WireDirection, message: str | bytes) -> None:
        """Hears nothing."""


def opened(path: Path, **options: Any) -> Capture:
    times = iter(range(1_000_000))
    return Capture(path, now_s=lambda: float(next(times)), **options)


def test_a_capture_holds_sound_messages_and_frames_in_order(tmp_path: Path) -> None:
    path = tmp_path / CAPTURE
    kept = opened(path)
    line = CapturingTap(kept, Deaf()).connection("example.com:443")
    kept.caller_audio(PCM, 16000)
    line.message(SENT, b'{"type":"input_audio_buffer.append","audio":"AAAA"}')
    line.message(RECEIVED, '{"type": "session.created", "session": {"id": "s"}}')
    line.message(RECEIVED, b"\x01\xff\x00")
    kept.frame("StartFrame", {})
    kept.speech(PCM, "item", "response")
    line.closed(1006, "")
    kept.close()
    call = read_capture(tmp_path)
    assert call.complete
    assert [record.kind for record in call.records] == [
        "begun",
        "dialled",
        "input",
        "message",
        "message",
        "message",
        "frame",
        "speech",
        "closed",
        "ended",
    ]
    assert [record.t for record in call.records] == sorted(record.t for record in call.records)
    sound, *messages = call.of("input", "message")
    assert sound.sound == PCM
    assert messages[0].data == '{"type":"input_audio_buffer.append","audio":"AAAA"}'
    assert json.loads(messages[1].data)["session"] == {"id": "s"}
    assert messages[2].data == b"\x01\xff\x00"


def test_only_its_owner_can_read_it_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / CAPTURE
    path.write_text("old")
    path.chmod(0o644)
    opened(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_capture(path).complete


def test_it_holds_no_credentials(tmp_path: Path) -> None:
    kept = opened(tmp_path / CAPTURE)
    own_key = "a-key-of-no-known-form"
    line = KeylessTap(CapturingTap(kept, Deaf()).connection("example.com:443"), own_key)
    kept.secret_arguments = SecretArguments(
        secrets=frozenset({"pin"}), declared=frozenset({"pin", "city"})
    )
    kept.settings("config", {"instructions": f"Use {SECRETS[0]}.", "api_key": "plain"})
    bodies: list[dict[str, Any]] = [
        {"type": "error", "error": {"message": f"bad key {SECRETS[1]} and {own_key}"}},
        {"sessionResumptionUpdate": {"newHandle": "handle-1", "resumable": True}},
        {"setup": {"sessionResumption": {"handle": "handle-1"}}},
        {"type": "session.created", "session": {"client_secret": {"value": "cs-1"}}},
        {"type": "x", "arguments": '{"pin": "4711", "city": "Rome"}'},
    ]
    for body in bodies:
        line.message(RECEIVED, json.dumps(body))
    line.message(RECEIVED, f"text with {SECRETS[2]}")
    kept.frame("ErrorFrame", {"error": f"Bearer {SECRETS[0]}"})
    kept.note("tool", {"name": "t", "value": {"token": "tt-1", "said": SECRETS[1]}})
    kept.close()
    text = (tmp_path / CAPTURE).read_text()
    for secret in (*SECRETS, own_key, "handle-1", "cs-1", "4711", "tt-1", '"plain"'):
        assert secret not in text, secret
    assert "Rome" in text


def test_it_holds_no_piece_of_what_a_tool_is_asked(tmp_path: Path) -> None:
    kept = opened(tmp_path / CAPTURE)
    line = CapturingTap(kept, Deaf()).connection("example.com:443")
    piece = {"type": "response.function_call_arguments.delta", "call_id": "c", "delta": "planted"}
    line.message(RECEIVED, json.dumps(piece))
    kept.close()
    (message,) = read_capture(tmp_path).of("message")
    assert json.loads(message.data) == {**piece, "delta": "[removed]"}


def test_sound_that_looks_like_a_key_stays_as_it_is(tmp_path: Path) -> None:
    kept = opened(tmp_path / CAPTURE)
    line = CapturingTap(kept, Deaf()).connection("example.com:443")
    sound = "AAA/sk/abcdefghijklm"
    body = {"realtimeInput": {"audio": {"data": sound, "mimeType": "audio/pcm"}}}
    line.message(SENT, json.dumps(body))
    line.message(RECEIVED, json.dumps({"type": "response.output_audio.delta", "delta": sound}))
    kept.close()
    assert all(sound in str(message.data) for message in read_capture(tmp_path).of("message"))


def test_what_json_can_hardly_say_is_kept_nevertheless(tmp_path: Path) -> None:
    kept = opened(tmp_path / CAPTURE)
    kept.frame("TTSTextFrame", {"text": "half \ud83d", "large": 2**70, "odd": {1, 2}.__class__})
    kept.close()
    assert read_capture(tmp_path).complete


def test_a_last_record_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / CAPTURE
    kept = opened(path)
    kept.caller_audio(PCM, 16000)
    kept.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    call = read_capture(path)
    assert not call.complete
    assert [record.kind for record in call.records] == ["begun", "input"]


def test_a_full_disk_ends_the_capture_and_what_was_written_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = opened(tmp_path / CAPTURE)
    kept._drain()
    write = os.write

    def half(file: int, data: memoryview) -> int:
        if len(data) < 500:
            raise OSError(28, "No space left on device")
        return write(file, data[:300])

    monkeypatch.setattr(os, "write", half)
    for _ in range(3):
        kept.caller_audio(PCM, 16000)
    kept.close()
    assert "No space left" in kept.failure
    assert [record.kind for record in read_capture(tmp_path).records] == ["begun"]
    kept.caller_audio(PCM, 16000)


def test_a_disk_that_does_not_keep_up_ends_the_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "_MOST_WAITING_BYTES", 3000)
    kept = opened(tmp_path / CAPTURE)
    for _ in range(3):
        kept.caller_audio(PCM, 16000)
    kept.close()
    assert "does not keep up" in kept.failure
    assert not read_capture_or_none(tmp_path)


def read_capture_or_none(run: Path) -> CapturedCall | None:
    """None where not even the beginning was written."""
    try:
        call = read_capture(run)
    except SettingsError:
        return None
    assert not call.complete
    return None


def test_a_capture_that_reaches_its_limit_ends(tmp_path: Path) -> None:
    kept = opened(tmp_path / CAPTURE, most_bytes=1000)
    kept._drain()
    kept.caller_audio(PCM, 16000)
    kept.close()
    assert "limit of 1000 bytes" in kept.failure
    assert len(read_capture(tmp_path).records) == 1


def test_a_capture_that_cannot_be_written_costs_the_call_nothing(tmp_path: Path) -> None:
    (tmp_path / CAPTURE).mkdir()

    async def main() -> CallRecord:
        record = CallRecord.open(tmp_path, capture=True)
        record.caller_audio(bytes(320), 16000)
        await asyncio.sleep(0.02)
        record.close({"turns": []})
        return record

    record = run(main())
    assert any(CAPTURE in error for error in record.summary().errors)
    assert "log.closed" in (tmp_path / EVENTS).read_text()


def test_there_is_no_capture_without_words(tmp_path: Path) -> None:
    async def main() -> None:
        CallRecord.open(tmp_path, capture=True, content=False)

    with pytest.raises(SettingsError, match="content is off"):
        run(main())


def test_by_default_there_is_none(tmp_path: Path) -> None:
    async def main() -> None:
        CallRecord.open(tmp_path).close({})

    run(main())
    assert not (tmp_path / CAPTURE).exists()
    with pytest.raises(SettingsError, match="holds no capture"):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no capture"),
        ('{"t": 0, "is": "ended"}\n', "is no capture"),
        ('{"t": 0, "is": "begun", "version": 9}\n', "version 9"),
        ("[]\n", "line 1 is no record"),
        ('{"t": 0, "is": "begun", "version": 1}\nnonsense\n{}\n', "line 2"),
    ],
)
def test_another_file_is_told_of(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / CAPTURE).write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    "record",
    [
        {"is": "input", "audio": "AAA"},
        {"is": "input", "audio": "AA=="},
        {"is": "lag", "lag_ms": "1"},
        {"is": "lag", "lag_ms": 1.0, "t": -1},
        {"is": "lag", "lag_ms": 1.0, "t": 1e300},
        {"is": "message", "line": 1, "dir": "in"},
        {"is": "message", "line": 2, "dir": "in", "text": "{}"},
        {"is": "message", "line": -1, "dir": "in", "text": "{}"},
        {"is": "dialled", "line": 7, "address": "a"},
        {"is": "closed", "line": 2, "code": 1000, "reason": ""},
        {"is": "settings", "values": {}},
        {"is": "frame", "fields": {}},
        {"is": "frame", "type": "SpeechPlayedFrame", "fields": {"items": [1]}},
        {"is": "tool", "name": "a", "number": 1, "event": "failed", "kind": "\x00"},
        {"is": "client", "type": "../../etc/passwd", "upstream": True},
        {"t": 1},
    ],
)
def test_a_capture_that_somebody_changed_is_told_of_by_its_line(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    head: list[dict[str, Any]] = [
        {"t": 0, "is": "begun", "version": 1},
        {"t": 0, "is": "dialled", "line": 1, "address": "a"},
    ]
    lines = [json.dumps(line) for line in [*head, {"t": 1, **record}]]
    (tmp_path / CAPTURE).write_text("\n".join([*lines, ""]))
    with pytest.raises(SettingsError, match="line 3 "):
        read_capture(tmp_path)


def test_speech_that_falls_behind_is_told_of(tmp_path: Path) -> None:
    now = [0.0]
    kept = Capture(tmp_path / CAPTURE, now_s=lambda: now[0])
    for late_s in (10.0, 0.0, 0.05, 0.05):
        now[0] += 0.02 + late_s
        kept.agent_audio(20)
    kept.frame("BotStoppedSpeakingFrame", {})
    for late_s in (5.0, 0.01):
        now[0] += 0.02 + late_s
        kept.agent_audio(20)
    kept.close()
    lags = [record.fields["lag_ms"] for record in read_capture(tmp_path).of("lag")]
    assert lags == [50, 100]


KILLED = """
import asyncio, os, pathlib, signal, sys
from crossfade.observability.call import CallRecord
from crossfade.observability.capture import CAPTURE

async def main(directory):
    record = CallRecord.open(directory, capture=True)
    while (directory / CAPTURE).stat().st_size < 20_000:
        record.caller_audio(bytes(960), 24_000)
        await asyncio.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.realtime
def test_a_killed_process_leaves_a_capture_of_whole_records(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=50, check=False)
    assert child.returncode == -signal.SIGKILL
    call = read_capture(tmp_path)
    assert not call.complete
    assert len(list(call.of("input"))) > 10
