"""Scenario files, right and wrong."""

from pathlib import Path

import pytest

from crossfade.emulators.backends import Call, Trigger
from crossfade.emulators.backends.scenario import (
    DEFAULT_PATH,
    Scenario,
    Turn,
    load_scenario,
    parse_scenario,
)
from crossfade.errors import SettingsError


def test_every_field_is_read() -> None:
    text = """
    otherwise: No more.
    repeat: true
    turns:
      - on: speech
        hear: hello
        think_ms: 250
        say: [One., Two.]
        call:
          - {name: f, arguments: {a: 1}}
          - {name: g, arguments: "no json"}
      - say: Hi.
    """
    assert parse_scenario(text) == Scenario(
        otherwise="No more.",
        repeat=True,
        turns=(
            Turn(
                on=Trigger.SPEECH,
                hear="hello",
                think_ms=250,
                say=("One.", "Two."),
                call=(
                    Call(name="f", arguments='{"a":1}'),
                    Call(name="g", arguments="no json"),
                ),
            ),
            Turn(on=None, say=("Hi.",)),
        ),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "no valid YAML"),
        ("", "the scenario must be a mapping"),
        ("turns: []", "has no turns"),
        ("turn: []", "unknown field 'turn'; known are otherwise, repeat, turns"),
        ("turns: [hello]", "turn 1 must be a mapping"),
        ("turns: [{sya: Hi}]", "turn 1: unknown field 'sya'"),
        ("turns: [{say: Hi}, {on: speach}]", "turn 2: 'on' is 'speach', but must be one of speech"),
        ("turns: [{think_ms: true}]", "turn 1: 'think_ms' has a value of the wrong kind: True"),
        ("turns: [{think_ms: -1}]", "turn 1: 'think_ms' must be a time, and not neg"),
        ("turns: [{think_ms: .nan}]", "turn 1: 'think_ms' must be a time"),
        ("turns: [{think_ms: .inf}]", "turn 1: 'think_ms' must be a time"),
        ("turns: 2001-99-99", "no valid YAML: month"),
        ("[" * 5000, "no valid YAML: maximum recursion"),
        ('turns: [{hear: "\\ud800"}]', "turn 1: 'hear' has a value of the wrong kind"),
        ('turns: [{say: "\\ud800"}]', "turn 1: 'say' has a value of the wrong kind"),
        ('turns: [{say: ["\\ud800"]}]', "turn 1: 'say' must be a text"),
        ("turns: [{say: [1]}]", "turn 1: 'say' must be a text"),
        ("turns: [{say: ''}]", "turn 1: 'say' must be a text"),
        ("turns: [{call: [{arguments: {}}]}]", "turn 1, call 1: 'name' is missing"),
        ("turns: [{call: [{name: f, arguments: {a: .nan, 1: 2}}]}]", "turn 1, call 1: the arg"),
    ],
)
def test_a_wrong_scenario_is_refused_by_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse_scenario(text)


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "call.yaml"
    with pytest.raises(SettingsError, match=r"call\.yaml: No such file"):
        load_scenario(path)
    path.write_text("turns: []")
    with pytest.raises(SettingsError, match=r"call\.yaml: the scenario has no turns"):
        load_scenario(path)
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"call\.yaml"):
        load_scenario(path)


def test_the_built_in_scenario_is_one() -> None:
    assert len(load_scenario(DEFAULT_PATH).turns) == 5
