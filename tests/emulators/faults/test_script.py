"""Faults as YAML: what is taken, and what is said of what is not."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.emulators.faults import Close, Fault, Reset, State, load_faults, parse_faults
from crossfade.emulators.faults.script import GENERAL
from crossfade.errors import SettingsError


def test_the_example_is_read() -> None:
    text = """
faults:
  - fault: reset
    turn: 2
    at: speaking
    after_ms: 250
  - {fault: close, session: every, code: 1011, reason: Internal error encountered.}
"""
    assert parse_faults(text) == [
        Reset(turn=2, at=State.SPEAKING, after_ms=250),
        Close(session="every", code=1011, reason="Internal error encountered."),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "list the faults under 'faults:'"),
        ("faults: []", "'faults' must be a list of one fault or more"),
        ("faults: [{fault: reset}]\nmore: 1", "nothing beside it"),
        ("faults: [", "no valid YAML"),
        ("faults: " + "[" * 5000, "no valid YAML"),
        ("\x00", "no valid YAML"),
        ("faults: [{fault: rest}]", "fault 1: 'fault' must be one of burst, close"),
        ("faults: [reset]", "fault 1: 'fault' must be one of"),
        ("faults: [{fault: reset}, {fault: reset, at: night}]", r"fault 2 \(reset\): at: "),
        ("faults: [{fault: reset, when: 1}]", r"fault 1 \(reset\): when: Extra inputs"),
        ("faults: [{fault: close, code: 1006}]", "code: a close carries 1000 to 1003"),
        ("faults: [{fault: close, code: 5000}]", "code: a close carries"),
        (f"faults: [{{fault: close, reason: {'é' * 62}}}]", "reason: .* 123 bytes"),
        ("faults: [{fault: refuse_handshake, status: 420}]", "status: .* 4xx and 5xx"),
        ("faults: [{fault: refuse_handshake, at: idle}]", "the whole: a client is refused as it"),
        ("faults: [{fault: refuse_key, turn: 2}]", "the whole: a client is refused as it"),
        ("faults: [{fault: stall, ms: .inf}]", "ms: .*finite"),
        ("faults: [{fault: reset, after_ms: -1}]", "after_ms: "),
        ("faults: [{fault: reset, session: 0}]", "session: "),
        ("faults: [{fault: reset, after_ms: 1, after_messages: 1}]", "not both"),
        ("faults: [{fault: oversized, bytes: 999999999}]", "bytes: "),
        ("faults: [{fault: send, message: {at: 2026-01-01}}]", "message: "),
        ('faults: [{fault: send, message: "\\ud800"}]', "message: "),
        (f"faults: [{{fault: send, message: {{n: {2**70}}}}}]", "message: it cannot be sent"),
        ("faults: [{fault: send, message: &a {a: *a}}]", "message: "),
    ],
)
def test_a_mistake_is_named_by_place_and_field(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_faults(text)


def test_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    with pytest.raises(SettingsError, match=r"cannot read .*faults.yaml"):
        load_faults(path)
    path.write_bytes(b"faults: \xff")
    with pytest.raises(SettingsError, match=r"faults.yaml: "):
        load_faults(path)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
_NAMES = sorted({name for kind in GENERAL for name in kind.model_fields})
_ENTRIES = st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4)
_KINDS = st.sampled_from([kind.model_fields["fault"].default for kind in GENERAL])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(_KINDS, _ENTRIES), max_size=3))
def test_whatever_stands_there_is_faults_or_a_settings_error(
    entries: list[tuple[str, dict[str, Any]]],
) -> None:
    text = yaml.safe_dump({"faults": [{**entry, "fault": kind} for kind, entry in entries]})
    with contextlib.suppress(SettingsError):
        faults = parse_faults(text)
        assert len(faults) == len(entries)
        assert all(isinstance(fault, Fault) for fault in faults)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_faults_or_a_settings_error(text: str) -> None:
    for document in (text, f"faults: {text}", f"faults: [{{fault: {text}}}]"):
        with contextlib.suppress(SettingsError):
            parse_faults(document)
