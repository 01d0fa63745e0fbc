"""The files of recordings."""

from pathlib import Path

import pytest

from crossfade.emulators.replay import load_recording
from crossfade.emulators.replay.recording import Closing, Step
from crossfade.errors import SettingsError

STEPS = [
    Step(sent=True, data={"type": "a"}, at_ms=None),
    Step(sent=False, data=b"\x01\x02", at_ms=20.5),
    Step(sent=False, data="words", at_ms=None),
    Step(sent=False, data=Closing(code=1011, reason="gone"), at_ms=None),
]


def test_yaml_and_json_lines_hold_the_same(tmp_path: Path) -> None:
    one, other = tmp_path / "call.yaml", tmp_path / "call.jsonl"
    lines = [
        '{"direction": "sent", "kind": "message", "data": {"type": "a"}}',
        '{"direction": "received", "kind": "binary", "data": "AQI=", "at_ms": 20.5}',
        '{"direction": "received", "kind": "text", "data": "words"}',
        '{"direction": "received", "kind": "close", "data": {"code": 1011, "reason": "gone"}}',
    ]
    one.write_text("version: 1\ninteractions:\n" + "".join(f"- {line}\n" for line in lines))
    other.write_text("\n".join(lines))
    assert load_recording(one) == load_recording(other) == STEPS


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a", "version 1"),
        ("version: 2", "version 1"),
        ("version: 1\ninteractions: {", "while parsing"),
        ("version: 1\ninteractions: [{kind: message, data: {}}]", "interactions.0.direction"),
        ("version: 1\ninteractions: [{kind: text, direction: sent, data: 1}]", "cannot be 1"),
        ("version: 1\ninteractions: [{kind: binary, direction: sent, data: '*'}]", "no base64"),
        ("version: 1\ninteractions: [{kind: close, direction: sent, data: {}}]", "that was sent"),
        ("version: 1\ninteractions: [{kind: close, direction: received, data: {code: 1}}]", "code"),
        *(
            (f"version: 1\ninteractions: [{{direction: sent, {entry}}}]", told)
            for entry, told in (
                ("kind: message, data: {1: 1}", "no JSON"),
                ("kind: message, data: &a {b: *a}", "no JSON"),
                ("kind: text, data: a, at_ms: .inf", "at_ms"),
            )
        ),
    ],
)
def test_what_is_no_recording_is_told_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "call.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=told) as wrong:
        load_recording(path)
    assert str(path) in str(wrong.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: No such file"):
        load_recording(tmp_path / "none.yaml")
